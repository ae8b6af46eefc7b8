"""How are a module's class, its attributes, and its registered members saved and restored?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, filterfalse
from operator import is_, itemgetter
from typing import Any

from torch import nn

from profiler.engine.guard.contents import copied, restore_dict, restore_set
from profiler.engine.guard.failures import Failures

_NEW = vars(nn.Module())
TORCHS_OWN = frozenset(_NEW)  # the attributes that every module has
# Parameters, buffers, sub-modules, hooks, and which buffers a state_dict does not hold.
_REGISTRIES = tuple(name for name, value in _NEW.items() if type(value) in (dict, OrderedDict, set) and not value)
_registries = itemgetter(*_REGISTRIES)


class Modules:
    """The state of modules, each by itself."""

    what = "the modules' attributes"

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = modules
        self._classes = list(map(type, modules))
        self._dicts = [(module.__dict__, module.__dict__.copy()) for module in modules]
        self._sets: list[tuple[set[Any], list[Any]]] = []
        self._empty: list[Any] = []
        self._is_unchanged = False
        for own, _ in self._dicts[:]:
            registries = _of(own)
            self._empty.extend(filterfalse(None, registries))
            for registry in filter(None, registries):
                if isinstance(registry, dict):  # a scripted module keeps its own elsewhere
                    self._dicts.append((registry, copied(registry)))
                elif isinstance(registry, set):
                    self._sets.append((registry, list(registry)))

    def differ(self) -> bool:
        """Whether anything was registered, or set, since; `restore` has to follow at once."""
        with suppress(Exception):  # of a registry of the model's own class: `restore` tells
            self._is_unchanged = self._is_same()
        return not self._is_unchanged or any(self._empty)

    def restore(self, failures: Failures) -> None:
        if not all(map(is_, map(type, self._modules), self._classes)):
            for module, cls in zip(self._modules, self._classes, strict=True):
                failures.attempt(f"the class of a {cls.__name__}", _restore_class, module, cls)
        if not (self._is_unchanged or self._is_same()):
            for live, saved in self._dicts:
                failures.attempt("what a module has registered, or its attributes", restore_dict, live, saved)
        self._is_unchanged = False
        for registry in filter(None, self._empty):
            failures.attempt("what a module has registered", registry.clear)
        for live_set, items in self._sets:
            failures.attempt("the persistence of buffers", restore_set, live_set, items)

    def _is_same(self) -> bool:
        """Whether all dicts are as they were: the usual case, in as few steps as can be."""
        if not self._dicts:
            return True
        live, saved = zip(*self._dicts, strict=True)
        values = (chain.from_iterable(map(dict.values, dicts)) for dicts in (live, saved))
        return list(map(list, live)) == list(map(list, saved)) and all(map(is_, *values))


def _of(own: dict[str, Any]) -> tuple[Any, ...]:
    try:
        registries: tuple[Any, ...] = _registries(own)
    except KeyError:  # a scripted module has no such attributes
        return tuple(own[name] for name in _REGISTRIES if name in own)
    return registries


def _restore_class(module: nn.Module, cls: type) -> None:
    if type(module) is not cls:
        object.__setattr__(module, "__class__", cls)
