"""Which layers need not be run, since what torch's own layers do is known from earlier runs of such layers?

torch.fx treats these layers as leaves, by replacing a method of `nn.Module` for the time of a trace; so it is done
here. A layer whose class is exactly torch's does the same whenever class, settings, layouts of weights and of arguments
are the same, as long as nothing is around it that changes operators. What it wrote down once is written again, and
what it returned is made anew. Wherever that is not sure, and in every other layer, the forward pass runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from profiler.engine.containers.layouts import MARK
from profiler.engine.record import memo
from profiler.engine.record.configured import Configurations, Configured
from profiler.engine.record.known_tensors import KnownTensor
from profiler.engine.record.layer_runs import LayerRun, Observed, Unrepeatable
from profiler.engine.record.module_calls import Stack
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.torchs_own import NOTED, TorchsOwn, is_written_by_torch
from profiler.records.trace import Call, Composite, ModuleCall

_C: Any = torch._C
_tuple: Any = tuple.__new__  # makes a named tuple in a third of the time
_PLAIN = {bool, int, float, str, type(None)}
_global_hooks = [
    value for name, value in vars(hooks).items() if name.startswith("_global_") and name.endswith("_hooks")
]
_MOST_TRIES = 2  # the first run of a kind may differ: what torch imports meanwhile holds on to tensors
_is_turned_on = True


class Leaves:
    """Answers layers of torch's own in a run without values and gradients."""

    def __init__(self, recorder: Recorder, stack: Stack, index: Mapping[int, int], device: torch.device) -> None:
        self._recorder = recorder
        self._stack = stack
        self._known = recorder.tensors.there_before
        self._configurations = Configurations(self._known, index, str(device))
        self._applications = _C._autograd._get_sequence_nr()
        self._numbered: dict[LayerRun, list[tuple[int, int]]] = {}
        self._are_as_noted: dict[TorchsOwn, bool] = {}
        self._thread = get_ident()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer this thread's layers, where nobody follows or changes them beside us."""
        own = vars(nn.Module)["_call_impl"]
        if not (_is_turned_on and is_written_by_torch(own) and not _C._is_any_autocast_enabled()):
            yield
            return

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            noted = NOTED[type(module)]
            if noted is None or get_ident() != self._thread or not (self._stands(noted) and self._is_usual()):
                return own(module, *args, **kwargs)
            return self._call(own, module, args, kwargs)

        self._hooks = list(map(len, _global_hooks))
        nn.Module._call_impl = call  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            nn.Module._call_impl = own  # type: ignore[method-assign]

    def _is_usual(self) -> bool:
        """Whether nothing but the recorder sees or changes operators, and torch's settings are its defaults."""
        return (
            _C._len_torch_dispatch_stack() == 1
            and _C._len_torch_function_stack() == 0
            and type(self._recorder) is Recorder  # and several threads do not share it
            and not _C._is_any_autocast_enabled()
            and torch.is_inference_mode_enabled()
            and not torch.is_grad_enabled()
            and _C._functorch.peek_interpreter_stack() is None
            and _C._get_tracing_state() is None
            and _C._get_cudnn_enabled()
            and not _C._get_deterministic_algorithms()
            and _C._autograd._get_sequence_nr() == self._applications
            and list(map(len, _global_hooks)) == self._hooks
        )

    def _call(self, own: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        layer = self._configurations.of(module)
        if layer is None:
            return own(module, *args, **kwargs)
        tensors: list[Tensor] = []
        key = self._fed(args, kwargs, tensors, layer.storages)
        if key is None or not all(map(self._stands, layer.own[1:])):  # the first was asked at once
            return own(module, *args, **kwargs)
        run = layer.runs.get(key)
        if type(run) is LayerRun:
            return self._again(run, layer.rows, layer.storages, tensors)
        if run is None and len(layer.own) > 1:
            memo.remember_layer(layer.runs, key, 0)  # what is in it is watched; the whole where it comes again
            return own(module, *args, **kwargs)
        if run == _MOST_TRIES:
            return own(module, *args, **kwargs)
        return self._observe(own, module, args, kwargs, key, layer, tensors)

    def _stands(self, cls: TorchsOwn) -> bool:
        """Whether a class comes to torch's own code. All that may be replaced is looked at once in a run."""
        if cls not in self._are_as_noted:
            self._are_as_noted[cls] = cls.is_as_noted()
        return self._are_as_noted[cls] and cls.stands()

    # What a layer is fed ------------------------------------------------------------------------------------------

    def _fed(self, args: Any, kwargs: Any, tensors: list[Tensor], storages: list[int]) -> Any:
        """What tells arguments apart, beside which are the same; None for what is not only tensors and numbers."""
        if len(args) == 1 and not kwargs and type(args[0]) is Tensor:
            info = self._known.get(id(args[0])) or args[0].__dict__.get(MARK)
            if info is None or not self._is_ordinary(info) or info.storage in storages:
                return None
            tensors.append(args[0])
            storages.append(info.storage)
            return info.layout
        key: list[Any] = []
        for value in args:
            if not self._add(value, key, tensors, storages):
                return None
        for name, value in kwargs.items():
            key.append(name)
            if not self._add(value, key, tensors, storages):
                return None
        return len(args), *key

    def _add(self, value: Any, key: list[Any], tensors: list[Tensor], storages: list[int]) -> bool:
        if type(value) is Tensor:
            for place, other in enumerate(tensors):
                if other is value:
                    key.append(~place)
                    return True
            info = self._known.get(id(value)) or value.__dict__.get(MARK)
            if info is None or not self._is_ordinary(info) or info.storage in storages:
                return False
            key.append(info.layout)
            tensors.append(value)
            storages.append(info.storage)
            return True
        kind = type(value)
        if kind not in _PLAIN:
            return False
        key.append((kind, value))
        return True

    def _is_ordinary(self, info: KnownTensor) -> bool:
        return info.run is self._recorder.tensors.run and info.is_meta and not info.is_real and not info.owners

    # The first of its kind ----------------------------------------------------------------------------------------

    def _observe(
        self, own: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any, key: Any, layer: Configured,
        tensors: list[Tensor],
    ) -> Any:  # fmt: skip
        observed = Observed(self._recorder, self._stack, layer.rows, layer.storages)
        try:
            with _noticing_warnings() as warned:
                output = own(module, *args, **kwargs)
        finally:
            observed.end()
        try:
            run: LayerRun | int = _MOST_TRIES if warned else observed.layer_run(tensors, output)
        except Unrepeatable:
            run = (layer.runs.get(key) or 0) + 1
        memo.remember_layer(layer.runs, key, run)
        return output

    # Again --------------------------------------------------------------------------------------------------------

    def _again(self, run: LayerRun, rows: tuple[int, ...], storages: list[int], tensors: list[Tensor]) -> Any:
        """Write down what a run wrote, and make what it returned."""
        written = self._recorder.written
        calls, first = written.calls, len(written.calls)
        made = self._allocate(run, first, storages)
        for (_, _, row, reads, writes, start), (signature, caller) in zip(run.events, self._numbers(run), strict=True):
            if start is None:
                calls.append(_tuple(Call, (signature, rows[row], reads(storages), writes(storages), caller)))
            else:
                written.composites.append(Composite(signature, rows[row], first + start, len(calls), caller))
        for row, start, end, inputs, output, keywords in run.modules:
            fields = rows[row], first + start, first + end, inputs, output, keywords
            self._stack.calls.append(_tuple(ModuleCall, fields))
        self._stack.failed = None
        return _returned(run.answer, tensors, made)

    def _numbers(self, run: LayerRun) -> list[tuple[int, int]]:
        """The numbers of its signatures and callers in this record."""
        numbers = self._numbered.get(run)
        if numbers is None:
            signature, caller = self._recorder.written.number, self._recorder.written.callers.number
            numbers = [(signature(event.signature), caller(event.caller)) for event in run.events]
            self._numbered[run] = numbers
        return numbers

    def _allocate(self, run: LayerRun, first: int, storages: list[int]) -> dict[int, Tensor]:
        """Add what it allocated to the storages; returns the tensors that it returns, by their places there."""
        made: dict[int, Tensor] = {}
        tensors, lifetimes = self._recorder.tensors, self._recorder.tensors.lifetimes
        alive = lifetimes.alive_bytes
        for size_bytes, born, died, layout in run.storages:
            if layout is None:
                storages.append(lifetimes.born_and_died(size_bytes, first + born, first + (died or 0)))
            else:
                unseen = _C._DisableTorchDispatch()
                made[len(storages)] = tensor = layout.empty()
                del unseen
                storages.append(tensors.born(tensor, layout, first + born))
        lifetimes.alive_bytes = alive + run.bytes
        lifetimes.most_bytes = max(lifetimes.most_bytes, alive + run.peak_bytes)
        return made


def _returned(answer: Any, tensors: list[Tensor], made: dict[int, Tensor]) -> Any:
    if type(answer) is int:
        return made[answer] if answer >= 0 else tensors[~answer]
    return None if answer is None else tuple([_returned(item, tensors, made) for item in answer])


@contextmanager
def _noticing_warnings() -> Iterator[list[None]]:
    """Whether something warns, which has to be heard each time that a filter says so."""
    own = warnings.warn
    noticed: list[None] = []

    def warn(message: Any, category: Any = None, stacklevel: int = 1, *rest: Any, **named: Any) -> None:
        noticed.append(None)
        own(message, category, stacklevel + 1, *rest, **named)

    warnings.warn = warn
    try:
        yield noticed
    finally:
        warnings.warn = own
