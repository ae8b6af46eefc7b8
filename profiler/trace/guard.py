"""Hands the model back as it was: attributes, buffers, modes, values written in place, random state."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any

import numpy
import torch
from torch import nn

_REGISTRIES = ("_parameters", "_buffers", "_modules")


class Guard:
    """Remembers a model's state when it is made and brings it back in `restore`.

    Of each module: its attributes, what it has registered, and the plain collections among its attributes.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._others: list[tuple[Any, Any]] = []
        for module in modules:
            self._keep(module)
        self._values: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self._random = (random.getstate(), numpy.random.get_state(), torch.get_rng_state())

    def before_write(self, tensor: torch.Tensor) -> None:
        """Called before an in-place operator overwrites values that the model or the caller owns."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._values:
            self._values[storage._cdata] = (storage, storage.clone())

    def _keep(self, module: nn.Module) -> None:
        own = module.__dict__
        self._dicts.append((own, own.copy()))
        for name in _REGISTRIES:
            registry = own.get(name)
            if registry and isinstance(registry, dict):  # a scripted module keeps its own elsewhere
                self._dicts.append((registry, registry.copy()))
        if not type(module).__module__.startswith("torch.nn.modules"):
            self._keep_collections(own)

    def _keep_collections(self, own: dict[str, Any]) -> None:
        """A forward pass may append to a list that its module keeps."""
        for name, value in own.items():
            if name[0] == "_":
                continue
            if type(value) is dict:
                self._dicts.append((value, value.copy()))
            elif type(value) is list or type(value) is set:
                self._others.append((value, value.copy()))

    def restore(self) -> None:
        for live, saved in self._dicts:
            if len(live) != len(saved) or not (
                all(map(is_, live.values(), saved.values())) and all(map(is_, live, saved))
            ):
                live.clear()
                live.update(saved)
        for collection, items in self._others:
            if len(collection) != len(items) or not all(map(is_, collection, items)):
                collection.clear()
                (collection.extend if type(collection) is list else collection.update)(items)
        for storage, values in self._values.values():
            storage.copy_(values)
        python_state, numpy_state, torch_state = self._random
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)


@contextmanager
def evaluating(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Every module in inference mode, and back to its own mode afterwards."""
    trained = [module for module in modules if module.training]
    _set_modes(trained, False)
    try:
        yield
    finally:
        _set_modes(trained, True)


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
