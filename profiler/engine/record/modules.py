"""Which modules a model has, and which of them is running: the structure, and a stack of our own.

Modules are told apart by identity, so a shared module has one first path and the others point to it. The hooks are
torch's global ones, registered for the time of the run: nothing is written on the user's modules.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from operator import is_
from threading import get_ident
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from profiler.engine.held import builtin
from profiler.engine.held.packed import is_holder
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.threads import followed
from profiler.engine.record.weights import weights
from profiler.errors import LayerRun
from profiler.records.trace import Input, Module, ModuleCall, Value, Weight
from profiler.records.trace import Tensor as TensorRecord

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
        # Of each module, the parameters and modules that it had.
        self._registries: list[tuple[nn.Module, Mapping[str, Any], Mapping[str, Any]]] = []
        self._walk(model, "")

    def _walk(self, module: nn.Module, path: str) -> None:
        first = self.index.setdefault(id(module), len(self.modules))
        is_new = first == len(self.modules)
        if is_new:
            self._registries.append((module, copy.copy(module._parameters), copy.copy(module._modules)))
        self.objects.append(module)
        self.modules.append(Module(path, _classes(type(module)), _attributes(module), None if is_new else first))
        if is_new and module._modules:
            prefix = f"{path}." if path else ""
            for name, child in module._modules.items():
                if child is not None and not is_holder(child):
                    self._walk(child, prefix + name)

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
                for held in module._parameters.values():
                    self._owners.setdefault(id(held), row)
        return self._owners.get(id(parameter), 0)

    def weights(self, recorder: Recorder) -> tuple[list[Weight], list[Weight]]:
        """Parameters and buffers, made known to the recorder."""
        return weights(self.firsts(), recorder)


def _has_more(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a registry holds parameters, or modules with some, under names that had nothing."""
    if len(now) == len(before) and all(map(is_, now.values(), before.values())):
        return False
    new = [held for name, held in now.items() if held is not None and before.get(name) is None]
    return any(not isinstance(held, nn.Module) or any(True for _ in held.parameters()) for held in new)


def _classes(cls: type) -> tuple[str, ...]:
    found = _class_names.get(cls)
    if found is None:
        ancestors = [c for c in cls.__mro__ if issubclass(c, nn.Module) and c is not nn.Module]
        found = _class_names[cls] = tuple(f"{c.__module__}.{c.__qualname__}" for c in ancestors) or (
            f"{nn.Module.__module__}.Module",
        )
    return found


_class_names: dict[type, tuple[str, ...]] = {}


def is_called(cls: type, name: str) -> None:
    """Record a class, made to stand for one whose code is not there, by that one's qualified name.

    Its ancestors are known where it is one of torch's own.
    """
    file, _, last = name.rpartition(".")
    found = getattr(sys.modules.get(file), last, None) if file.startswith("torch.nn.") else None
    _class_names[cls] = _classes(found) if isinstance(found, type) else (name,)


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


class _Thread(NamedTuple):
    """A recorder, and of each module that is running: which one was before, how many calls there were, its row."""

    recorder: Recorder
    stack: list[tuple[int, int, int | None]]


class Stack:
    """Follows which module is running, in each thread that the forward pass uses, and writes down each module call."""

    def __init__(self, structure: Structure, recorder: Recorder) -> None:
        self.calls: list[ModuleCall] = []
        self.failed: LayerRun | None = None  # the innermost module that raised, and its arguments
        self._raised: set[int] = set()  # the calls that did not end but raised
        self._index = structure.index
        self._paths = structure.modules
        self._recorder = recorder
        self._threads: dict[int, _Thread] = {get_ident(): _Thread(recorder, [])}

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the modules that this thread calls, and those that threads call which it starts."""
        before = register_module_forward_pre_hook(self._enter)
        after = _always_after(self._leave)
        try:
            with followed(self._follow):
                yield
        finally:
            before.remove()
            after.remove()

    @property
    def has_others(self) -> bool:
        """Whether threads that were started are still running."""
        return len(self._threads) > 1

    def ended(self) -> list[LayerRun]:
        """The calls of modules that returned something, in the order in which they did."""
        return [
            self._layer_run(call.module, call.output)
            for number, call in enumerate(self.calls)
            if number not in self._raised
        ]

    def _layer_run(self, module: int, tensors: Value) -> LayerRun:
        known = tuple(Input(None, tensor.shape, tensor.dtype) for tensor in each_record(tensors))
        return LayerRun(self._paths[module].path, known)

    def _follow(self) -> Callable[[], AbstractContextManager[None]] | None:
        """What is to be active in a thread that this one starts: gradients as here, and a recorder beside this one's.

        None in a thread that is not followed, and inside of an operator, which is recorded whole.
        """
        known = self._threads.get(get_ident())
        if known is None or not known.recorder.is_active():
            return None
        recorder, module = known.recorder, known.recorder.module
        recorder.beside(module)  # from now on it is shared
        modes = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        return lambda: self._in_thread(recorder.beside(module), *modes)

    @contextmanager
    def _in_thread(self, recorder: Recorder, is_inference: bool, has_grad: bool) -> Iterator[None]:
        before = self._threads.get(get_ident())
        self._threads[get_ident()] = _Thread(recorder, [])
        try:
            with torch.inference_mode(is_inference), torch.set_grad_enabled(has_grad), recorder:
                yield
        finally:
            del self._threads[get_ident()]
            if before is not None:
                self._threads[get_ident()] = before

    def _enter(self, module: nn.Module, args: Any) -> None:
        thread = self._threads.get(get_ident())
        if thread is not None:
            recorder, stack = thread
            row = self._index.get(id(module))
            stack.append((recorder.module, len(recorder.calls), row))
            self.failed = None
            if row is not None:
                recorder.module = row

    def _leave(self, module: nn.Module, args: Any, *rest: Any) -> None:
        """Called with `kwargs, output`; after an exception torch gives `output` alone, which is None."""
        thread = self._threads.get(get_ident())
        if thread is None or not thread.stack:
            return
        recorder, stack = thread
        recorder.module, first, row = stack.pop()
        if row is None:
            return
        given, keywords = self._shapes(args), _NONE
        if len(rest) == 2 and rest[0]:
            given += self._shapes(rest[0].values())
            keywords = tuple(rest[0])
        if len(rest) == 1:
            self._raised.add(len(self.calls))
            self.failed = self.failed or self._layer_run(row, given)
        output = self._shape(rest[-1])
        self.calls.append(ModuleCall(row, first, len(recorder.calls), given, output, keywords))

    def _shapes(self, values: Any) -> tuple[Value, ...]:
        return tuple([self._shape(value) for value in values])

    def _shape(self, value: Any) -> Value:
        """Tensors as their shapes, in tuples; whatever else a module takes or gives is left out as None."""
        if isinstance(value, torch.Tensor):
            return self._recorder.record_of(value)
        if isinstance(value, (list, tuple)):
            return self._shapes(builtin.items(value))
        if builtin.is_mapping(value):
            return self._shapes(item for _, item in builtin.entries(value))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._shapes(builtin.attribute(value, f.name) for f in dataclasses.fields(value))
        return None


def _always_after(leave: Callable[..., None]) -> RemovableHandle:
    """Call a function at the end of every module, with `module, args, kwargs, output`; see `Stack._leave`."""
    if "with_kwargs" in inspect.signature(register_module_forward_hook).parameters:
        return register_module_forward_hook(leave, with_kwargs=True, always_call=True)

    def after(module: nn.Module, args: Any, output: Any) -> None:
        """torch 2.5 gives such a hook no keyword arguments. They are a variable of the function that calls it, which
        is `inner` unless there was an exception.
        """
        caller = sys._getframe(1)
        if caller.f_code.co_name == "inner":
            leave(module, args, caller.f_locals["kwargs"], output)
        else:
            leave(module, args, output)

    return register_module_forward_hook(after, always_call=True)


def each_record(value: Value) -> Iterator[TensorRecord]:
    """Every tensor among what a module took or gave, as records hold it."""
    if isinstance(value, TensorRecord):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from each_record(item)
