"""Hands the model back as it was: attributes, buffers, modes, values written in place, random state."""

from __future__ import annotations

import gc
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any, NamedTuple

import numpy
import torch
from torch import nn

from profiler.trace.layouts import Layout, layout_of
from profiler.trace.lifetimes import has_storage

_REGISTRIES = ("_parameters", "_buffers", "_modules")
_TORCHS_OWN = set(vars(nn.Module()))
_HOOKS = [name for name, value in vars(nn.Module()).items() if isinstance(value, dict) and name not in _REGISTRIES]
_NONE: dict[Any, Any] = {}
_DEPTH = 4  # how far collections inside collections are followed


class Guard:
    """Remembers a model's state when it is made and brings it back in `restore`.

    Of each module: its attributes, what it has registered, its hooks (which some models register amid their forward
    pass), and the collections and numpy arrays among its attributes.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = modules
        self._hooks: dict[int, dict[Any, Any]] = {}  # id(registry) -> what was in it, where that was something
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._others: list[tuple[Any, Any]] = []
        self._arrays: list[tuple[Any, Any]] = []
        self._held: dict[int, _Held] = {}
        self._values: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        for module in modules:
            self._keep(module)
        self._random = (random.getstate(), numpy.random.get_state(), torch.get_rng_state())
        self._flags = torch.get_default_dtype(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic

    def keep_tensors(self, tensors: Iterable[tuple[torch.Tensor, Layout]], with_values: bool) -> None:
        """Parameters, buffers and inputs: their shape and storage, `requires_grad` and `grad`.

        with_values: also the values of what is no parameter, since some operators (batch norm in training) overwrite
        running statistics without saying so.
        """
        for tensor, layout in tensors:
            if has_storage(tensor):
                self._hold(tensor, layout)
                if with_values and not isinstance(tensor, nn.Parameter):
                    self.before_write(tensor)

    def _hold(self, tensor: torch.Tensor, layout: Layout) -> None:
        if id(tensor) not in self._held:
            grad = tensor.grad if tensor.is_leaf else None
            storage, offset = tensor.untyped_storage(), int(tensor.storage_offset())
            self._held[id(tensor)] = _Held(tensor, layout, storage, offset, tensor.requires_grad, grad)

    def before_write(self, tensor: torch.Tensor) -> None:
        """Called before an in-place operator overwrites values that the model or the caller owns."""
        if has_storage(tensor) and not tensor.is_meta:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._values:
                self._values[storage._cdata] = (storage, storage.clone())
            self._hold(tensor, layout_of(tensor))

    def _keep(self, module: nn.Module) -> None:
        own = module.__dict__
        self._dicts.append((own, own.copy()))
        for name in _REGISTRIES:
            registry = own.get(name)
            if registry and isinstance(registry, dict):  # a scripted module keeps its own elsewhere
                self._dicts.append((registry, registry.copy()))
        for name in _HOOKS:
            hooks = own.get(name)
            if hooks:
                self._hooks[id(hooks)] = dict(hooks)
        if not type(module).__module__.startswith("torch.nn.modules"):
            for name, value in own.items():
                if name not in _TORCHS_OWN:
                    self._keep_collection(value, _DEPTH)

    def _keep_collection(self, value: Any, depth: int) -> None:
        """A forward pass may append to a list, or fill a cache, that its module keeps."""
        inner: Iterable[Any] = ()
        if isinstance(value, dict):
            self._dicts.append((value, dict(value)))
            inner = value.values()
        elif isinstance(value, (list, deque)):
            self._others.append((value, list(value)))
            inner = value
        elif isinstance(value, set):
            self._others.append((value, list(value)))
        elif isinstance(value, numpy.ndarray):
            self._arrays.append((value, value.copy()))
        if depth:
            for item in inner:
                if isinstance(item, (dict, list, deque, set)):
                    self._keep_collection(item, depth - 1)

    def restore(self) -> None:
        self._restore_dicts()
        self._restore_collections()
        for storage, values in self._values.values():
            if storage.nbytes() != values.nbytes():
                storage.resize_(values.nbytes())
            storage.copy_(values)
        for held in self._held.values():
            held.restore()
        self._restore_globals()

    def _restore_dicts(self) -> None:
        for live, saved in self._dicts:
            if len(live) != len(saved) or not (
                all(map(is_, live.values(), saved.values())) and all(map(is_, live, saved))
            ):
                live.clear()
                live.update(saved)
        self._restore_hooks()

    def _restore_hooks(self) -> None:
        for module in self._modules:
            own = module.__dict__
            for name in _HOOKS:
                hooks: dict[Any, Any] = own.get(name, _NONE)
                if hooks or id(hooks) in self._hooks:
                    saved = self._hooks.get(id(hooks), _NONE)
                    if list(hooks) != list(saved):
                        hooks.clear()
                        hooks.update(saved)

    def _restore_collections(self) -> None:
        for collection, items in self._others:
            if len(collection) != len(items) or not all(map(is_, collection, items)):
                collection.clear()
                (collection.update if isinstance(collection, set) else collection.extend)(items)
        for array, contents in self._arrays:
            array[...] = contents

    def _restore_globals(self) -> None:
        python_state, numpy_state, torch_state = self._random
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
        dtype, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = self._flags
        torch.set_default_dtype(dtype)


class _Held(NamedTuple):
    """A tensor as it was; values are not among what is held."""

    tensor: torch.Tensor
    layout: Layout
    storage: torch.UntypedStorage
    offset: int
    requires_grad: bool
    grad: torch.Tensor | None

    def restore(self) -> None:
        tensor, layout = self.tensor, self.layout
        if tensor.untyped_storage()._cdata != self.storage._cdata or layout_of(tensor) is not layout:
            whole = torch.empty(0, dtype=layout.dtype, device=self.storage.device)
            tensor.data = whole.set_(self.storage, self.offset, layout.shape, layout.strides)
        if tensor.requires_grad is not self.requires_grad:
            tensor.requires_grad_(self.requires_grad)
        if tensor.is_leaf and tensor.grad is not self.grad:
            tensor.grad = self.grad


@contextmanager
def in_mode(modules: Sequence[nn.Module], training: bool) -> Iterator[None]:
    """Every module in training or in inference mode, and back to its own mode afterwards."""
    others = [module for module in modules if module.training is not training]
    _set_modes(others, training)
    try:
        yield
    finally:
        _set_modes(others, not training)


def _set_modes(modules: Sequence[nn.Module], training: bool) -> None:
    for module in modules:
        if "training" in module.__dict__:  # not in a scripted module, whose attributes are elsewhere
            module.__dict__["training"] = training
        else:
            module.training = training


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection: tensors are released when the model lets go of them, not at a collector's whim."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
