"""Everything of a model, and of what is around it, that can be told apart: for a comparison before and after.

A fingerprint is a flat dict from the place of a thing ("model.lin.weight.grad") to what it was: ids of objects, values
of tensors, settings of torch. What is an object is held on to, so that no other takes its id.
"""

from __future__ import annotations

import functools
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from torch import nn
from torch.nn.modules import module as all_modules
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

_TENSOR_FACTS = ("shape", "dtype", "device", "layout", "requires_grad", "is_leaf", "_version")
_SKIPPED = {
    "__builtins__",
    "__warningregistry__",
    "__dict__",
    "__weakref__",
    "__slotnames__",
    "__dynamo_disable",
}  # the last two are caches, of `copyreg` and of torch's dispatch modes
_Cache = type(functools.lru_cache(lambda: None))


class Fingerprint:
    """Of a model, the program around it (a namespace), and the process."""

    def __init__(self, model: nn.Module, namespace: dict[str, Any]) -> None:
        self.facts: dict[str, Any] = {}
        self._held: list[Any] = []  # so that no other object takes an id
        self._seen: set[int] = set()
        self._object("model", model)
        for name, value in namespace.items():
            if name not in _SKIPPED and not isinstance(value, types.ModuleType):
                self._object(f"global {name}", value)
        self.facts |= dict(_process())

    def differences(self, other: Fingerprint) -> list[str]:
        """The places at which they differ, each with what was and what is."""
        places = dict.fromkeys([*self.facts, *other.facts])
        missing = "nothing"
        pairs = {p: (self.facts.get(p, missing), other.facts.get(p, missing)) for p in places}
        return [f"{place}: {was} -> {now}" for place, (was, now) in pairs.items() if was != now]

    def _object(self, place: str, value: Any) -> None:
        self._held.append(value)
        self.facts[place] = (type(value).__name__, value if _is_plain(value) else id(value))
        if _is_plain(value) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, torch.Tensor):
            self._tensor(place, value)
        elif isinstance(value, numpy.ndarray):
            self.facts[f"{place} values"] = (value.shape, value.tobytes())
        elif isinstance(value, _Cache):
            self.facts[f"{place} entries"] = value.cache_info().currsize
        elif isinstance(value, (torch.Generator, numpy.random.Generator, random.Random)):
            self.facts[f"{place} state"] = _state(value)
        else:
            self._inside(place, value)

    def _inside(self, place: str, value: Any) -> None:
        if isinstance(value, dict):
            self.facts[f"{place} keys"] = [repr(key) if _is_plain(key) else id(key) for key in value]
            for key, item in value.items():
                self._object(f"{place}[{key if _is_plain(key) else id(key)!r}]", item)
        elif isinstance(value, (set, frozenset)):
            self.facts[f"{place} items"] = {item if _is_plain(item) else id(item) for item in value}
        elif hasattr(value, "__len__") and hasattr(value, "__iter__") and not isinstance(value, type):
            self.facts[f"{place} length"] = len(value)
            for position, item in enumerate(value):
                self._object(f"{place}[{position}]", item)
        if isinstance(value, types.FunctionType):
            for position, cell in enumerate(value.__closure__ or ()):
                self._object(f"{place} cell {position}", cell.cell_contents)
        for name, item in _attributes(value):
            self._object(f"{place}.{name}", item)
        if isinstance(value, nn.Module):
            self._object(f"{place} class", type(value))
            self.facts[f"{place} state_dict"] = list(value.state_dict())

    def _tensor(self, place: str, tensor: torch.Tensor) -> None:
        for fact in _TENSOR_FACTS:
            self.facts[f"{place} {fact}"] = str(getattr(tensor, fact))
        self.facts[f"{place} stride"] = (tensor.stride(), tensor.storage_offset(), tensor.untyped_storage().nbytes())
        self.facts[f"{place} storage"] = tensor.untyped_storage()._cdata
        if not tensor.is_meta:
            self.facts[f"{place} pointer"] = tensor.data_ptr()
            self.facts[f"{place} values"] = (
                tensor.detach().clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy().tobytes()
                if (tensor.dim())
                else repr(tensor.item())
            )
        if tensor.is_leaf:
            self._object(f"{place}.grad", tensor.grad)
        for name in ("_backward_hooks", "_post_accumulate_grad_hooks"):
            self.facts[f"{place} {name}"] = [*map(id, (getattr(tensor, name) or {}).values())]
        for name, item in vars(tensor).items():
            self._object(f"{place}.{name}", item)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Of objects of the test's own, and of torch's modules: what is in a `__dict__` and in slots."""
    if isinstance(value, type):
        if value.__module__.startswith("tests."):
            yield from ((n, v) for n, v in vars(value).items() if n not in _SKIPPED)
        return
    is_own = type(value).__module__.startswith("tests.") or isinstance(value, (nn.Module, types.FunctionType))
    if is_own:
        yield from ((n, v) for n, v in getattr(value, "__dict__", {}).items() if n not in _SKIPPED)
        for cls in type(value).__mro__:
            slots = getattr(cls, "__slots__", ())
            yield from ((n, getattr(value, n)) for n in slots if cls is not nn.Module and hasattr(value, n))


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size))


def _state(generator: Any) -> str:
    if isinstance(generator, torch.Generator):
        return str(generator.get_state().tolist())
    return str(generator.getstate() if isinstance(generator, random.Random) else generator.bit_generator.state)


def _process() -> Iterator[tuple[str, Any]]:
    """Random states, torch's settings, and what the thread is in."""
    yield "random", hash(random.getstate())
    state = numpy.random.get_state(legacy=False)
    yield "numpy.random", (state["state"]["key"].tobytes(), state["state"]["pos"], state["has_gauss"], state["gauss"])
    yield "torch.random", torch.get_rng_state().numpy().tobytes()
    yield "default dtype", torch.get_default_dtype()
    yield "default device", torch.get_default_device()
    yield "threads", torch.get_num_threads()
    yield "products", torch.get_float32_matmul_precision()
    yield "deterministic", (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic)
    yield "cudnn", (torch.backends.cudnn.benchmark, torch.backends.cudnn.enabled, torch.backends.mkldnn.enabled)
    yield "attention", (torch.backends.cuda.flash_sdp_enabled(), torch.backends.mha.get_fastpath_enabled())
    yield "gradients", (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled())
    yield "autocast", (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"))
    yield "dispatch modes", [*map(id, _get_current_dispatch_mode_stack())]
    yield "function modes", torch._C._len_torch_function_stack()
    yield "saved tensors", str(torch._C._autograd._top_saved_tensors_default_hooks(False))
    yield "hooks of all modules", [
        (name, *map(id, value.values())) for name, value in vars(all_modules).items()
        if name.startswith("_global_") and isinstance(value, dict)
    ]  # fmt: skip
    yield "printing", str(vars(torch._tensor_str.PRINT_OPTS))
    yield "recursion limit", sys.getrecursionlimit()
