"""What a model, its inputs and the process are made of, to the last hook: two fingerprints that differ name where.

A fingerprint maps a path such as `model.norm._buffers['running_mean']` to what is there: of a tensor its identity,
memory, metadata, values, gradient and hooks; of a container its identity, keys and what is in it; of an object of
Python code its identity, class and attributes. Objects are kept alive by the fingerprint, so that an identity cannot
be given to another object meanwhile.
"""

from __future__ import annotations

import collections
import functools
import random
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from torch import nn

_CONTAINERS = (list, tuple, set, frozenset, collections.deque)
_MOST_PLACES = 200_000  # a model that reaches into a library's whole registry is not walked without end


@dataclass(slots=True)
class Fingerprint:
    """`places`: what is at each path. `alive` keeps what was seen from being collected."""

    places: dict[str, Any] = field(default_factory=dict)
    alive: list[Any] = field(default_factory=list)

    def changes(self, after: Fingerprint) -> list[str]:
        """The paths at which something else is now, with both."""
        paths = dict.fromkeys([*self.places, *after.places])
        return [
            f"{path}: {_short(self.places.get(path, 'absent'))} became {_short(after.places.get(path, 'absent'))}"
            for path in paths
            if self.places.get(path, "absent") != after.places.get(path, "absent")
        ]


def fingerprint(**roots: Any) -> Fingerprint:
    """Of some objects by name, and of the process they live in."""
    walk = _Walk()
    for name, root in roots.items():
        walk.visit(name, root)
    walk.result.places.update({f"process {name}": value for name, value in process_state().items()})
    return walk.result


class _Walk:
    def __init__(self) -> None:
        self.result = Fingerprint()
        self._seen: dict[int, str] = {}

    def visit(self, path: str, thing: Any) -> None:
        """Breadth first, so that a model of any depth is walked, and what is shared is named by its shortest path."""
        waiting = collections.deque([(path, thing)])
        while waiting and len(self.result.places) < _MOST_PLACES:
            here, one = waiting.popleft()
            self.result.places[here] = self._token(one)
            if id(one) in self._seen or _is_plain(one):
                continue
            self._seen[id(one)] = here
            self.result.alive.append(one)
            waiting.extend(_parts(here, one))

    def _token(self, thing: Any) -> Any:
        if isinstance(thing, torch.Tensor):
            return tensor_token(thing)
        if _is_plain(thing):
            return (type(thing).__qualname__, repr(thing))
        keys = tuple(map(_key, thing)) if isinstance(thing, Mapping) else ()
        length = len(_items(thing)) if isinstance(thing, _CONTAINERS) else None
        return (type(thing).__qualname__, id(type(thing)), id(thing), length, keys, _more(thing))


def _items(container: Any) -> list[Any]:
    """As the built-in class has them: a subclass may not have a length, or hand out others."""
    kind = next(kind for kind in _CONTAINERS if isinstance(container, kind))
    return list(kind.__iter__(container))  # type: ignore[arg-type]


def _more(thing: Any) -> Any:
    """What a kind of object holds that is not in its parts."""
    if isinstance(thing, numpy.ndarray):
        return (thing.shape, thing.dtype.str, hash(thing.tobytes()) if thing.dtype != object else None)
    if isinstance(thing, (torch.Generator,)):
        return hash(thing.get_state().numpy().tobytes())
    if isinstance(thing, random.Random):
        return hash(thing.getstate())
    if isinstance(thing, functools._lru_cache_wrapper):
        return thing.cache_info().currsize
    return None


def _parts(path: str, thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, torch.Tensor):
        yield from ((f"{path}.{name}", value) for name, value in getattr(thing, "__dict__", {}).items())
        if thing.is_leaf and thing.grad is not None:
            yield f"{path}.grad", thing.grad
    elif isinstance(thing, Mapping):
        yield from ((f"{path}[{_key(key)}]", value) for key, value in list(thing.items()))
    elif isinstance(thing, _CONTAINERS):
        yield from ((f"{path}[{place}]", value) for place, value in enumerate(_items(thing)))
    elif isinstance(thing, types.FunctionType):
        for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
            yield f"{path}<{name}>", _content(cell)
        yield f"{path}<attributes>", vars(thing)
    elif isinstance(thing, types.MethodType):
        yield f"{path}.__self__", thing.__self__
        yield f"{path}.__func__", thing.__func__
    elif isinstance(thing, functools.partial):
        yield from ((f"{path}.{name}", getattr(thing, name)) for name in ("func", "args", "keywords"))
    else:
        yield from _of_object(path, thing)


def _of_object(path: str, thing: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(thing, "__dict__") and not isinstance(thing, (type, types.ModuleType)):
        yield from ((f"{path}.{name}", value) for name, value in list(vars(thing).items()))
        if isinstance(thing, nn.Module):
            yield from _of_class(type(thing))


def _of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class of somebody's own keeps for all its objects: caches, above all."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in ("builtins", "torch", "typing", "abc"):
            yield from (
                (f"{base.__qualname__}.{name}", value)
                for name, value in list(vars(base).items())
                if isinstance(value, (torch.Tensor, dict, list, set, functools._lru_cache_wrapper))
            )


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return None


def _is_plain(thing: Any) -> bool:
    return thing is None or isinstance(thing, (bool, int, float, complex, str, bytes, torch.dtype, torch.device, range))


def _key(key: Any) -> str:
    return repr(key) if _is_plain(key) else f"{type(key).__name__} {id(key)}"


def tensor_token(tensor: torch.Tensor) -> tuple[Any, ...]:
    """All that is to be the same afterwards of a tensor."""
    hooks = tuple(tuple(map(id, (getattr(tensor, name, None) or {}).values())) for name in _TENSOR_HOOKS)
    metadata = (tuple(tensor.shape), tensor.dtype, str(tensor.device), str(tensor.layout), tensor.requires_grad)
    grad = id(tensor.grad) if tensor.is_leaf and tensor.grad is not None else None
    return (id(tensor), id(type(tensor)), *metadata, grad, hooks, *_memory(tensor), _values(tensor))


_TENSOR_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def _memory(tensor: torch.Tensor) -> tuple[Any, ...]:
    if tensor.layout is not torch.strided or (torch.overrides.is_tensor_like(tensor) and _is_wrapper(tensor)):
        return ()
    return (tensor.data_ptr(), tensor.stride(), tensor.storage_offset())


def _is_wrapper(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "__tensor_flatten__") or tensor.is_nested


def _values(tensor: torch.Tensor) -> Any:
    with torch.no_grad():
        if tensor.is_meta or isinstance(tensor, nn.parameter.UninitializedTensorMixin):
            return "no values"
        if hasattr(tensor, "__tensor_flatten__"):
            return tuple(tensor_token(getattr(tensor, name)) for name in tensor.__tensor_flatten__()[0])
        if tensor.is_quantized:
            return _hash(tensor.int_repr())
        if tensor.is_nested:
            return tuple(map(_hash, tensor.unbind()))
        if tensor.layout is torch.strided:
            return _hash(tensor)
        inner = [getattr(tensor, name)() for name in _INSIDE[tensor.layout]]
        return tuple(map(_hash, inner))


_INSIDE: Mapping[torch.layout, tuple[str, ...]] = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


def _hash(tensor: torch.Tensor) -> int:
    flat = tensor.detach().as_subclass(torch.Tensor).resolve_conj().resolve_neg().cpu().clone().flatten()
    return hash(flat.view(torch.uint8).numpy().tobytes())


def process_state() -> dict[str, Any]:
    """What a run may not leave otherwise in the process: random state, defaults, flags, modes and global hooks."""
    return {name: read() for name, read in _PROCESS.items()}


_PROCESS: Mapping[str, Callable[[], Any]] = {
    "python's random state": lambda: hash(random.getstate()),
    "numpy's random state": lambda: hash(numpy.random.get_state()[1].tobytes()),  # type: ignore[union-attr]
    "torch's random state": lambda: hash(torch.get_rng_state().numpy().tobytes()),
    "default dtype": torch.get_default_dtype,
    "default device": lambda: str(torch.get_default_device()),
    "gradients": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "autocast on the CPU": lambda: (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
    "autocast on CUDA": lambda: (torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")),
    "autocast's cache": torch.is_autocast_cache_enabled,
    "anomaly mode": lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
    "threads": torch.get_num_threads,
    "deterministic": lambda: (torch.are_deterministic_algorithms_enabled(), torch.get_deterministic_debug_mode()),
    "matrix products": torch.get_float32_matmul_precision,
    "oneDNN": lambda: torch.backends.mkldnn.flags and torch._C._get_mkldnn_enabled(),
    "fast path of attention": torch.backends.mha.get_fastpath_enabled,
    "cuDNN": lambda: (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark),
    "dispatch modes": torch._C._len_torch_dispatch_stack,
    "function modes": torch._C._len_torch_function_stack,
    "hooks of all modules": lambda: {
        name: tuple(map(id, hooks.values()))
        for name, hooks in vars(torch.nn.modules.module).items()
        if name.startswith("_global_") and isinstance(hooks, dict)
    },
}


def _short(token: Any) -> str:
    text = str(token)
    return text if len(text) <= 160 else f"{text[:157]}..."
