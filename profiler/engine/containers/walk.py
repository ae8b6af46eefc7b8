"""Where are the tensors in what a model takes and returns? In collections, and in objects of whatever class."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from profiler.engine.containers import builtin
from profiler.records.inputs import TensorSpec

_DEEPEST = 16  # objects in objects
_LEAVES = (torch.Tensor, TensorSpec)
# What is not looked into: plain values, code, and modules, whose weights are no inputs.
_CLOSED = (
    str, bytes, int, float, complex, bool, type(None), type, ModuleType, FunctionType, BuiltinFunctionType, MethodType,
    functools.partial, nn.Module, torch.device, torch.dtype, torch.Size, torch.Generator, torch.ScriptObject,
)  # fmt: skip


def leaves(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in a value, in order; one that is there twice comes twice."""
    for _, leaf in named(value):
        if isinstance(leaf, torch.Tensor):
            yield leaf


def named(value: Any, name: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """Every tensor and `TensorSpec` in a value, with the keys and attributes that lead to it, joined by dots."""
    yield from _walk(name, value, [])


def _walk(name: str | None, value: Any, around: list[int]) -> Iterator[tuple[str | None, Any]]:
    """`around` are the objects that this one is in: what points back at one of them is not followed."""
    if isinstance(value, _LEAVES):
        yield name, value
    elif not isinstance(value, _CLOSED) and len(around) < _DEEPEST and id(value) not in around:
        around.append(id(value))
        for key, item in _items(value):
            yield from _walk(f"{name}.{key}" if name and key else key or name, item, around)
        around.pop()


def _items(value: Any) -> Iterable[tuple[str | None, Any]]:
    if isinstance(value, PackedSequence):
        return [(None, value.data)]
    if builtin.is_mapping(value):
        return [(str(key), item) for key, item in builtin.entries(value)]
    if builtin.kind_of(type(value)) is not None:
        return [(None, item) for item in builtin.items(value)]
    if dataclasses.is_dataclass(value):
        return [(field.name, builtin.attribute(value, field.name)) for field in dataclasses.fields(value)]
    return _attributes(value)


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """What an object of a user's class has; an attribute that begins with _ adds nothing to a tensor's name."""
    own = builtin.attribute(value, "__dict__")
    attributes = dict(own) if isinstance(own, dict) else {}
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if not slot.startswith("__"):
                attributes.setdefault(slot, builtin.attribute(value, slot))
    return [("" if str(key).startswith("_") else str(key), item) for key, item in attributes.items()]


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The value with a function applied to every tensor and `TensorSpec` in it; what is changed is a copy."""
    if isinstance(value, _LEAVES):
        return function(value)
    if isinstance(value, PackedSequence):  # its lengths are read on the CPU
        return value._replace(data=function(value.data))
    if isinstance(value, _CLOSED):
        return value
    if builtin.kind_of(type(value)) is not None:
        return builtin.holding(value, [map_leaves(function, item) for item in builtin.items(value)])
    return _copied(function, value)


def _copied(function: Callable[[Any], Any], value: Any) -> Any:
    """A copy of an object that has other tensors; the object itself where it has none, or cannot be copied."""
    tensors = [leaf for _, leaf in named(value)]
    if not tensors:
        return value
    changed = {id(leaf): function(leaf) for leaf in tensors}
    try:
        return copy.deepcopy(value, changed)
    except Exception:  # what a class of the user's may raise; its tensors are constants then
        return value
