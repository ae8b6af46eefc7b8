"""Which modules a model has, and which of them is running: the structure, and a stack of our own.

Modules are told apart by identity, so a shared module has one first path and the others point to it. The hooks are
torch's global ones, registered for the time of the run: nothing is written on the user's modules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from profiler.records import Module, ModuleCall, Value, Weight
from profiler.trace.held import weights
from profiler.trace.packed import is_holder
from profiler.trace.recorder import Recorder

Attributes: TypeAlias = tuple[tuple[str, Value], ...]

_NONE: tuple[str, ...] = ()
_INTERNAL = {"training", "call_super_init", "dump_patches"}


class Structure:
    """The modules, parameters and buffers of a model, in order of their paths."""

    def __init__(self, model: nn.Module) -> None:
        self.objects: list[nn.Module] = []  # of each row of `modules`
        self.modules: list[Module] = []
        self.index: dict[int, int] = {}  # id(module) -> its first row
        self._owners: dict[int, int] = {}
        self._walk(model, "")

    def _walk(self, module: nn.Module, path: str) -> None:
        first = self.index.setdefault(id(module), len(self.modules))
        is_new = first == len(self.modules)
        self.objects.append(module)
        self.modules.append(Module(path, _classes(type(module)), _attributes(module), None if is_new else first))
        if is_new and module._modules:
            prefix = f"{path}." if path else ""
            for name, child in module._modules.items():
                if child is not None and not is_holder(child):
                    self._walk(child, prefix + name)

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
                for held in module._parameters.values():
                    self._owners.setdefault(id(held), row)
        return self._owners.get(id(parameter), 0)

    def weights(self, recorder: Recorder) -> tuple[list[Weight], list[Weight]]:
        """Parameters and buffers, made known to the recorder."""
        return weights(self.firsts(), recorder)


def _classes(cls: type) -> tuple[str, ...]:
    found = _class_names.get(cls)
    if found is None:
        ancestors = [c for c in cls.__mro__ if issubclass(c, nn.Module) and c is not nn.Module]
        found = _class_names[cls] = tuple(f"{c.__module__}.{c.__qualname__}" for c in ancestors) or (
            f"{nn.Module.__module__}.Module",
        )
    return found


_class_names: dict[type, tuple[str, ...]] = {}


def _attributes(module: nn.Module) -> Attributes:
    """The plain settings among a module's attributes."""
    cls, own = type(module), module.__dict__
    if not cls.__module__.startswith("torch.nn.modules"):
        return tuple([(name, _frozen(own[name])) for name in _settings(own)])
    names = _setting_names.get(cls)
    if names is None:  # torch's own layers set the same attributes in every instance
        names = _setting_names[cls] = tuple(_settings(own))
    try:
        key = (cls, tuple([own[name] for name in names]))
        return _known_attributes[key]
    except (KeyError, TypeError):  # not met before; an attribute is missing, or is a list
        found = tuple([(name, _frozen(own[name])) for name in names if name in own and _is_plain(own[name])])
        if len(found) == len(names) and all(type(own[name]) is not list for name in names):
            _known_attributes[key] = found
        return found


def _settings(own: dict[str, Any]) -> list[str]:
    return [n for n, value in own.items() if n[0] != "_" and n not in _INTERNAL and _is_plain(value)]


def _frozen(value: Any) -> Value:
    frozen: Value = tuple(value) if isinstance(value, (list, tuple)) else value
    return frozen


_setting_names: dict[type, tuple[str, ...]] = {}
_known_attributes: dict[tuple[type, tuple[Any, ...]], Attributes] = {}
_SCALARS = {int, float, bool, str, type(None)}
_SEQUENCES = {tuple, list, torch.Size}


def _is_plain(value: Any) -> bool:
    kind = type(value)
    return kind in _SCALARS or (kind in _SEQUENCES and all(type(item) in _SCALARS for item in value))


class Stack:
    """Follows which module is running, and writes down each module call."""

    def __init__(self, structure: Structure, recorder: Recorder) -> None:
        self.calls: list[ModuleCall] = []
        self._index = structure.index
        self._paths = structure.modules
        self._recorder = recorder
        self._stack: list[tuple[int, int, int | None]] = []
        self._thread = get_ident()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the modules that this thread calls."""
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave, with_kwargs=True, always_call=True)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    def path(self, module: int) -> str:
        return self._paths[module].path

    def _enter(self, module: nn.Module, args: Any) -> None:
        if get_ident() == self._thread:
            recorder = self._recorder
            outer = recorder.module
            row = self._index.get(id(module))
            self._stack.append((outer, len(recorder.calls), row))
            if row is not None:
                recorder.module = row

    def _leave(self, module: nn.Module, args: Any, *rest: Any) -> None:
        """Called with `kwargs, output`; after an exception torch gives `output` alone, which is None."""
        if get_ident() != self._thread or not self._stack:
            return
        recorder = self._recorder
        recorder.module, first, row = self._stack.pop()
        if row is not None:
            given, keywords = self._shapes(args), _NONE
            if len(rest) == 2 and rest[0]:
                given += self._shapes(rest[0].values())
                keywords = tuple(rest[0])
            output = self._shape(rest[-1])
            self.calls.append(ModuleCall(row, first, len(recorder.calls), given, output, keywords))

    def _shapes(self, values: Any) -> tuple[Value, ...]:
        return tuple([self._shape(value) for value in values])

    def _shape(self, value: Any) -> Value:
        """Tensors as their shapes, in tuples; whatever else a module takes or gives is left out as None."""
        if isinstance(value, torch.Tensor):
            return self._recorder.record_of(value)
        if isinstance(value, (list, tuple)):
            return self._shapes(value)
        if isinstance(value, Mapping):
            return self._shapes(value.values())
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._shapes(getattr(value, f.name) for f in dataclasses.fields(value))
        return None
