"""Which module is running, and what did each take and return? A stack of our own follows them.

The hooks are torch's global ones, registered for the time of the run: nothing is written on the user's modules.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from profiler.engine.containers import builtin
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.structure import Structure
from profiler.engine.record.threads import followed
from profiler.errors import LayerRun
from profiler.records.trace import Input, ModuleCall, Value
from profiler.records.trace import Tensor as TensorRecord

_NO_KEYWORDS: tuple[str, ...] = ()


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
        self._modules = structure.modules
        self._operator_calls = recorder.written.calls
        self._record_of = recorder.tensors.record_of
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
        inputs = tuple(Input(None, tensor.shape, tensor.dtype) for tensor in _each_record(tensors))
        return LayerRun(self._modules[module].path, inputs)

    def _follow(self) -> Callable[[], AbstractContextManager[None]] | None:
        """What is to be active in a thread that this one starts: gradients as here, and a recorder beside this one's.

        None in a thread that is not followed, and inside of an operator, which is recorded whole.
        """
        thread = self._threads.get(get_ident())
        if thread is None or not thread.recorder.is_active():
            return None
        recorder, module = thread.recorder, thread.recorder.module
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
            stack.append((recorder.module, len(self._operator_calls), row))
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
        inputs, keywords = self._records(args), _NO_KEYWORDS
        if len(rest) == 2 and rest[0]:
            inputs += self._records(rest[0].values())
            keywords = tuple(rest[0])
        if len(rest) == 1:
            self._raised.add(len(self.calls))
            self.failed = self.failed or self._layer_run(row, inputs)
        output = self._record(rest[-1])
        self.calls.append(ModuleCall(row, first, len(self._operator_calls), inputs, output, keywords))

    def _records(self, values: Any) -> tuple[Value, ...]:
        return tuple([self._record(value) for value in values])

    def _record(self, value: Any) -> Value:
        """Tensors as records hold them, in tuples; whatever else a module takes or gives is left out as None."""
        if isinstance(value, torch.Tensor):
            return self._record_of(value)
        if isinstance(value, (list, tuple)):
            return self._records(builtin.items(value))
        if builtin.is_mapping(value):
            return self._records(item for _, item in builtin.entries(value))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._records(builtin.attribute(value, f.name) for f in dataclasses.fields(value))
        return None


def _each_record(value: Value) -> Iterator[TensorRecord]:
    """Every tensor among what a module took or gave, as records hold it."""
    if isinstance(value, TensorRecord):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _each_record(item)


def _always_after(leave: Callable[..., None]) -> RemovableHandle:
    """Call a function at the end of every module, with `module, args, kwargs, output`; see `Stack._leave`."""
    if "with_kwargs" in inspect.signature(register_module_forward_hook).parameters:
        return register_module_forward_hook(leave, with_kwargs=True, always_call=True)

    def after(module: nn.Module, args: Any, output: Any) -> None:
        """torch 2.5 gives such a hook no keyword arguments.

        They are a variable of the function that calls it, which is `inner` unless there was an exception.
        """
        caller = sys._getframe(1)
        if caller.f_code.co_name == "inner":
            leave(module, args, caller.f_locals["kwargs"], output)
        else:
            leave(module, args, output)

    return register_module_forward_hook(after, always_call=True)
