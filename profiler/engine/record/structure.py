"""Which modules does a model have, and what are their classes and settings?

Modules are told apart by identity, so a shared module has one first path and the others point to it.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from operator import is_
from typing import Any, TypeAlias

import torch
from torch import nn

from profiler.engine.containers.packed import is_holder
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.weights import weights
from profiler.records.remembered import ByClass, Recent
from profiler.records.trace import Module, Value, Weight, path_part

Attributes: TypeAlias = tuple[tuple[str, Value], ...]

_INTERNAL = {"training", "call_super_init", "dump_patches"}


class Structure:
    """The modules, parameters and buffers of a model, in order of their paths."""

    def __init__(self, model: nn.Module) -> None:
        self.objects: list[nn.Module] = []  # of each row of `modules`
        self.modules: list[Module] = []
        self.index: dict[int, int] = {}  # id(module) -> its first row
        self._owners: dict[int, int] = {}
        # Of each module, the parameters and modules that it had.
        self._registries: list[tuple[nn.Module, Mapping[str, Any], Mapping[str, Any]]] = []
        self._walk(model, "")

    def _walk(self, module: nn.Module, path: str) -> None:
        first = self.index.setdefault(id(module), len(self.modules))
        is_new = first == len(self.modules)
        if is_new:
            self._registries.append((module, copy.copy(module._parameters), copy.copy(module._modules)))
        self.objects.append(module)
        self.modules.append(Module(path, class_names(type(module)), _attributes(module), None if is_new else first))
        if is_new and module._modules:
            prefix = f"{path}." if path else ""
            for name, child in module._modules.items():
                if child is not None and not is_holder(child):
                    self._walk(child, prefix + path_part(name))

    def has_grown(self) -> bool:
        """Whether there are parameters by now, or modules with some, under names that had none."""
        return any(
            _has_more(module._parameters, parameters) or _has_more(module._modules, modules)
            for module, parameters, modules in self._registries
        )

    def firsts(self) -> list[tuple[int, nn.Module]]:
        """Each module once, with its row."""
        return [(row, self.objects[row]) for row in self.index.values()]

    def is_inside(self, inner: int, outer: int) -> bool:
        prefix = self.modules[outer].path
        return not prefix or self.modules[inner].path.startswith(prefix + ".")

    def owner(self, parameter: torch.Tensor) -> int:
        """The first module that holds a parameter."""
        if not self._owners:
            for row, module in self.firsts():
                for weight in module._parameters.values():
                    self._owners.setdefault(id(weight), row)
        return self._owners.get(id(parameter), 0)

    def weights(self, recorder: Recorder) -> tuple[list[Weight], list[Weight]]:
        """Parameters and buffers, made known to the recorder."""
        return weights(self.firsts(), recorder.tensors, recorder.packed)


def _has_more(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a registry holds parameters, or modules with some, under names that had nothing."""
    if len(now) == len(before) and all(map(is_, now.values(), before.values())):
        return False
    new = [entry for name, entry in now.items() if entry is not None and before.get(name) is None]
    return any(not isinstance(entry, nn.Module) or any(True for _ in entry.parameters()) for entry in new)


def class_names(cls: type) -> tuple[str, ...]:
    """Of a module's class and those that it extends, without `Module` itself."""
    names = _class_names.get(id(cls))
    if names is None:
        ancestors = [c for c in cls.__mro__ if issubclass(c, nn.Module) and c is not nn.Module]
        names = tuple(f"{c.__module__}.{c.__qualname__}" for c in ancestors) or (f"{nn.Module.__module__}.Module",)
        _class_names.add(cls, names)
    return names


_class_names: ByClass[tuple[str, ...]] = ByClass()


def is_called(cls: type, name: str) -> None:
    """Record a class, made to stand for one whose code is not there, by that one's qualified name.

    Its ancestors are known where it is one of torch's own.
    """
    file, _, last = name.rpartition(".")
    torchs = getattr(sys.modules.get(file), last, None) if file.startswith("torch.nn.") else None
    _class_names.add(cls, class_names(torchs) if isinstance(torchs, type) else (name,))


def _attributes(module: nn.Module) -> Attributes:
    """The plain settings among a module's attributes."""
    cls, own = type(module), module.__dict__
    if not cls.__module__.startswith("torch.nn.modules"):
        return tuple([(name, _frozen(own[name])) for name in _settings(own)])
    entry = _settings_of_torchs.get(id(cls))
    if entry is None:  # torch's own layers set the same attributes in every instance
        entry = _settings_of_torchs.add(cls, (tuple(_settings(own)), Recent(_MOST_SETTINGS)))
    names, known = entry
    try:
        values = tuple([own[name] for name in names])
        shared = known.get(values) or known.find(values)
    except (KeyError, TypeError):  # an attribute is missing, or is a list
        shared = None
    if shared is not None:
        return shared
    settings = tuple([(name, _frozen(own[name])) for name in names if name in own and _is_plain(own[name])])
    if len(settings) == len(names) and all(type(own[name]) is not list for name in names):
        known[values] = settings
    return settings


def _settings(own: dict[str, Any]) -> list[str]:
    return [n for n, value in own.items() if n[0] != "_" and n not in _INTERNAL and _is_plain(value)]


def _frozen(value: Any) -> Value:
    frozen: Value = tuple(value) if isinstance(value, (list, tuple)) else value
    return frozen


# Of a class of torch's: the names of its settings, and the settings of its instances by their values.
_settings_of_torchs: ByClass[tuple[tuple[str, ...], Recent[tuple[Any, ...], Attributes]]] = ByClass()
_MOST_SETTINGS = 1 << 12
_SCALARS = {int, float, bool, str, type(None)}
_SEQUENCES = {tuple, list, torch.Size}


def _is_plain(value: Any) -> bool:
    kind = type(value)
    return kind in _SCALARS or (kind in _SEQUENCES and all(type(item) in _SCALARS for item in value))
