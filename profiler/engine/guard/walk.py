"""What hangs on a model beside its modules? Collections, arrays, objects of the user's own, tensors, functions.

Objects of the standard library, of torch and of NumPy are not looked into, except for those that are made to hold
things. Threads, and what they wait for, never are: they do not go back to where they were. How far and how much is
followed is bounded, so that a tokenizer's vocabulary or a trainer costs little.
"""

from __future__ import annotations

import random
import sys
import threading
import types
from array import array
from collections import deque
from collections.abc import Iterable
from contextvars import ContextVar
from enum import Enum
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy
import torch
from torch import Tensor, nn

from profiler.engine.containers.builtin import items
from profiler.engine.guard.modules import TORCHS_OWN
from profiler.records.remembered import ByClass

Attributes: TypeAlias = "dict[str, Any]"

_DEPTH = 6
_MOST = 20_000  # objects
_WIDE = 4096  # entries: what is in a larger collection is not looked into
ATOMS = {
    bool, int, float, complex, str, bytes, type(None), type, range, slice, types.ModuleType, types.BuiltinFunctionType,
    torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, torch.nn.parameter.Parameter,
}  # fmt: skip
# Of the standard library: made to hold things. What is local to a thread is `_thread`'s.
_HOLDERS = {"types", "argparse", "collections", "functools", "weakref", "queue", "threading", "_thread"}
_OPAQUE = {*sys.stdlib_module_names, "torch", "numpy", "builtins"} - _HOLDERS
_NOT_LOOKED_INTO = (type, Enum, threading.Thread, threading.Condition)
EMPTY = object()  # what is in a slot that holds nothing


class Reached:
    """All that was reached, by kind. Each object once."""

    def __init__(self) -> None:
        self.dicts: list[dict[Any, Any]] = []
        self.lists: list[Any] = []  # and deques
        self.sets: list[set[Any]] = []
        self.arrays: list[Any] = []  # NumPy's, Python's own and bytearrays
        self.queues: list[SimpleQueue[Any]] = []  # what is in one is not looked into: reading takes it out
        self.objects: list[Any] = []  # with attributes, in a `__dict__` or in slots
        self.slotted: list[Any] = []  # modules and objects with slots
        self.functions: list[types.FunctionType] = []
        self.tensors: list[Tensor] = []
        self.generators: list[Any] = []
        self.modules: list[nn.Module] = []
        self._visited: set[int] = set()

    def from_module(self, module: nn.Module) -> None:
        """Everything among a module's attributes that is not every module's."""
        own, cls = module.__dict__, type(module)
        layer = _layers.get(id(cls))
        names = layer[1] if layer is not None and layer[0] == len(own) else _names(cls, own)
        held = [own[name] for name in names if name in own and _may_hold(own[name])]
        if slots(cls):
            self.slotted.append(module)
            held += [value for value in in_slots(module).values() if value is not EMPTY]
        if held:
            self._walk(held, 0)

    def from_values(self, values: Iterable[Any], depth: int = _DEPTH) -> None:
        """Everything among values, and what is in them as far as `depth` goes."""
        self._walk(values, _DEPTH - depth)

    def _walk(self, values: Iterable[Any], depth: int) -> None:
        for value in values:
            kind = type(value)
            if kind in ATOMS or id(value) in self._visited or len(self._visited) > _MOST:
                continue
            self._visited.add(id(value))
            inner = self._sort(value, kind)
            if inner and depth < _DEPTH:
                self._walk(inner, depth + 1)

    def _sort(self, value: Any, kind: type) -> Iterable[Any] | None:
        """Put a value with its kind; returns what is in it."""
        if issubclass(kind, Tensor):
            self.tensors.append(value)
        elif issubclass(kind, nn.Module):
            self.modules.append(value)
        elif issubclass(kind, (dict, list, deque)):
            return self._of_collection(value, kind)
        elif issubclass(kind, (tuple, frozenset)):
            return contents if len(contents := items(value)) < _WIDE else None
        elif issubclass(kind, set):
            self.sets.append(value)
        elif issubclass(kind, (numpy.ndarray, array, bytearray)):
            self.arrays.append(value)
        elif issubclass(kind, SimpleQueue):
            self.queues.append(value)
        elif issubclass(kind, ContextVar):
            return (value.get(None),)
        elif issubclass(kind, types.FunctionType):
            self.functions.append(value)
        elif issubclass(kind, types.MethodType):
            return (value.__self__,)
        elif issubclass(kind, (torch.Generator, numpy.random.Generator, numpy.random.RandomState, random.Random)):
            self.generators.append(value)
        elif not issubclass(kind, _NOT_LOOKED_INTO) and kind.__module__.partition(".")[0] not in _OPAQUE:
            return self._of_object(value, kind)
        return None

    def _of_object(self, value: Any, kind: type) -> Iterable[Any]:
        self.objects.append(value)
        if slots(kind):
            self.slotted.append(value)
        return list(_attributes(value).values())

    def _of_collection(self, value: Any, kind: type) -> Iterable[Any] | None:
        if issubclass(kind, dict):
            self.dicts.append(value)
        else:
            self.lists.append(value)
        contents = items(value)
        if has_dict(kind) or slots(kind):
            contents = [*contents, *self._of_object(value, kind)]
        return contents if len(contents) < _WIDE else None


def _attributes(value: Any) -> Attributes:
    """What an object has in its `__dict__` and in slots."""
    attributes = dict(vars(value)) if has_dict(type(value)) else {}
    attributes |= {name: content for name, content in in_slots(value).items() if content is not EMPTY}
    return attributes


def has_dict(cls: type) -> bool:
    """Whether instances have a `__dict__`, without asking them: they may answer anything.

    What is local to a thread has one for each thread.
    """
    return cls.__dictoffset__ != 0 or issubclass(cls, threading.local)


def slots(cls: type) -> tuple[str, ...]:
    """The names of a class's slots that hold objects."""
    names = _slots.get(id(cls))
    if names is None:
        members = [
            name
            for ancestor in cls.__mro__
            if "__slots__" in vars(ancestor)
            for name, member in vars(ancestor).items()
            if isinstance(member, types.MemberDescriptorType)
        ]
        names = _slots.add(cls, tuple(members))
    return names


_slots: ByClass[tuple[str, ...]] = ByClass()


def in_slots(value: Any) -> Attributes:
    """What is in an object's slots; EMPTY where nothing is."""
    return {name: look(value, name) for name in slots(type(value))}


def look(value: Any, name: str) -> Any:
    """What is in a slot, past whatever the class says of looking up attributes."""
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return EMPTY


def _may_hold(value: Any) -> bool:
    """Whether there may be something in it: not in a number, nor in a tuple of numbers, as most settings are."""
    kind = type(value)
    return kind not in ATOMS and not (kind is tuple and ATOMS.issuperset(map(type, value)))


def _names(cls: type, own: Attributes) -> Iterable[str]:
    """The attributes that may hold something, which those of torch's own layers are by name in every instance.

    One layer's kernel is a number, and another's a list: what the first one holds says nothing of the others.
    """
    if not cls.__module__.startswith("torch.nn.modules") or id(cls) in _layers:  # or somebody gave it another attribute
        return [name for name, value in own.items() if type(value) not in ATOMS and name not in TORCHS_OWN]
    names = [n for n, v in own.items() if n not in TORCHS_OWN and type(v) is not bool and not callable(v)]
    _layers.add(cls, (len(own), tuple(names)))
    return names


_layers: ByClass[tuple[int, tuple[str, ...]]] = ByClass()
