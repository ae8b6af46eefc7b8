"""What is kept of the modules' own classes, and of the program around them?

A class attribute that a forward pass sets is the model's, and comes back like any attribute. The globals of a model's
file, what closures hold and the collections in either are the program's: a run may count in them, as tests do. They
are only noted here, so that a tensor of the run that stays in one can make way for what was there before; see
`leftovers`.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from abc import ABCMeta
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import EnumMeta
from typing import Any

from torch import nn

from profiler.engine.containers.builtin import items
from profiler.engine.guard.contents import copied
from profiler.engine.guard.failures import Failures
from profiler.engine.guard.walk import ATOMS, Reached, has_dict, in_slots
from profiler.records.remembered import ByClass

CACHE: Any = type(functools.lru_cache(lambda: None))
_NOTHING = object()


def own_classes(modules: Sequence[nn.Module]) -> list[type]:
    """The classes that modules are of, and their ancestors, without torch's and Python's own."""
    ancestors = dict.fromkeys(ancestor for cls in dict.fromkeys(map(type, modules)) for ancestor in cls.__mro__)
    return [cls for cls in ancestors if cls.__module__.partition(".")[0] not in ("torch", "builtins")]


class Classes:
    """Class attributes."""

    what = "class attributes"

    def __init__(self, classes: Sequence[type]) -> None:
        self._attributes = [(cls, dict(vars(cls))) for cls in classes]

    def restore(self, failures: Failures) -> None:
        for cls, before in self._attributes:
            if len(vars(cls)) != len(before) or any(vars(cls).get(n, _NOTHING) is not v for n, v in before.items()):
                failures.attempt(f"attributes of the class {cls.__name__}", _restore_class, cls, before)


def _restore_class(cls: type, before: dict[str, Any]) -> None:
    now = dict(vars(cls))
    for name in now.keys() - before.keys():
        type.__delattr__(cls, name)
    for name, value in before.items():
        if now.get(name, _NOTHING) is not value and name not in ("__dict__", "__weakref__"):
            type.__setattr__(cls, name, value)


class SurroundingState:
    """What collections, closures and objects around the model hold, by the id of what holds it."""

    def __init__(self, classes: Sequence[type], functions: Iterable[types.FunctionType]) -> None:
        self._noted: dict[int, tuple[Any, Any]] = {}  # the holder itself stands here too: it keeps its id
        self._classes = classes
        reached = Reached()
        functions = list(functions)
        for namespace in _globals(classes, functions):
            self._note(namespace, namespace.copy())
            reached.from_values(_holding(namespace), 2)
        for cls in classes:
            reached.from_values(_holding(vars(cls)), 2)
        for function in (*functions, *_functions(classes)):
            self._note_function(function, reached)
        for live in reached.dicts:
            self._note(live, copied(live))
        for collection in (*reached.lists, *reached.sets):
            self._note(collection, items(collection))
        for instance in reached.objects:
            if has_dict(type(instance)):
                self._note(vars(instance), vars(instance).copy())
            self._note(instance, in_slots(instance))

    def _note(self, holder: Any, contents: Any) -> None:
        self._noted[id(holder)] = (holder, contents)

    def _note_function(self, function: types.FunctionType, reached: Reached) -> None:
        for cell in function.__closure__ or ():
            try:
                contents = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self._note(cell, contents)
            reached.from_values([contents], 2)
        reached.from_values(function.__defaults__ or (), 2)

    def knows(self, holder: Any) -> bool:
        """Whether what a holder held was noted."""
        return id(holder) in self._noted

    def holders(self) -> Iterator[tuple[Any, Any]]:
        """All that was noted, and classes' and caches' own dicts with their owners."""
        for holder, _ in self._noted.values():
            yield holder, None
        caches = [holder for holder, _ in self._noted.values() if isinstance(holder, CACHE)]
        for owner in (*self._classes, *caches):
            for content in gc.get_referents(owner):
                if isinstance(content, dict):
                    yield content, owner

    def before(self, holder: Any) -> Any:
        """What a holder held; None where it was not noted."""
        return self._noted.get(id(holder), (None, None))[1]


def _holding(namespace: Mapping[str, Any]) -> list[Any]:
    """What in a namespace may hold a tensor."""
    return [
        v
        for name, v in namespace.items()
        if type(v) not in _INERT and name not in ("__builtins__", "__spec__", "__loader__")
    ]


_INERT = {
    *ATOMS, type, types.FunctionType, EnumMeta, ABCMeta, property, staticmethod, classmethod, types.MappingProxyType,
    types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType,
}  # fmt: skip


def _globals(classes: Iterable[type], functions: Iterable[types.FunctionType]) -> Iterable[dict[str, Any]]:
    """The namespaces of the files that classes and functions are written in."""
    names = dict.fromkeys(cls.__module__ for cls in classes)
    namespaces = [vars(sys.modules[name]) for name in names if name in sys.modules]
    namespaces += [f.__globals__ for f in functions if f.__module__ and f.__module__.partition(".")[0] != "torch"]
    return {id(namespace): namespace for namespace in namespaces}.values()


def _functions(classes: Iterable[type]) -> Iterator[types.FunctionType]:
    """Methods that close over something."""
    for cls in classes:
        own = vars(cls)
        names = _closing.get(id(cls))
        if names is None:
            names = _closing.add(cls, tuple(name for name, value in own.items() if _closed(value) is not None))
        for name in names:
            function = _closed(own.get(name))
            if function is not None:
                yield function


def _closed(value: Any) -> types.FunctionType | None:
    """The function of a method, if it closes over something."""
    function = getattr(value, "__func__", value)
    function = getattr(function, "fget", function)
    return function if isinstance(function, types.FunctionType) and function.__closure__ else None


# The names of such methods: they themselves close over their class, where they call `super()`.
_closing: ByClass[tuple[str, ...]] = ByClass()
