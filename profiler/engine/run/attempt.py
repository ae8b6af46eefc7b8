"""What happens in one run of a model by one engine? It is fed, followed, recorded, and brought back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from itertools import chain
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.engine.containers.inner import registered
from profiler.engine.containers.layouts import META
from profiler.engine.containers.walk import leaves, map_leaves
from profiler.engine.guard.classes import SurroundingState
from profiler.engine.guard.during import in_mode
from profiler.engine.guard.guard import Guard
from profiler.engine.meta.autocast import lent_to_meta, noticing_regions
from profiler.engine.meta.checks import plain_checks
from profiler.engine.meta.flex import on_any_device
from profiler.engine.meta.higher_order import by_bodies
from profiler.engine.meta.seen_device import reporting_device
from profiler.engine.record import cache
from profiler.engine.record.leaves import Leaves
from profiler.engine.record.module_calls import Stack
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.step import PhaseTracker
from profiler.engine.record.structure import Structure
from profiler.engine.run.consume import consumed
from profiler.engine.run.failure import Unfinished
from profiler.engine.run.feed import NoMetaForm, beside_meta, input_records, on_device, once
from profiler.engine.run.scripted import frozen_notes
from profiler.engine.run.subject import Subject
from profiler.records.conditions import Conditions
from profiler.records.trace import Cached, Caller, Input, Trace, Weight
from profiler.records.versions import versions

_STILL_RUNNING = "a thread that the forward pass started was still running at its end; what it did later is not counted"


@contextmanager
def _slow_paths() -> Iterator[None]:
    """Keep nn.MultiheadAttention and its layers from fusing what they do into one call, whose parts nobody sees."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


class Grown(Exception):
    """The model has more parameters after its forward pass than before."""

    def __init__(self, trace: Trace, output: Any) -> None:
        super().__init__()
        self.result = trace, output


class Attempt:
    """One run of a model by one engine."""

    training = False  # the mode that its modules are in
    _has_grown = False  # whether the run made parameters that were not there before

    def __init__(
        self,
        subject: Subject,
        structure: Structure,
        under: Conditions,
        real: bool,
        mode: AbstractContextManager[Any],
        casts: str = "",
    ) -> None:
        self._subject = subject
        self._structure = structure
        self._under = under
        self._model = structure.objects[0]
        self._real = real
        self._mode = mode
        self._casts = casts  # the kind of device whose autocast casts meta tensors, where the model turns it on
        self._notes = subject.notes + frozen_notes(structure.objects, subject.name)
        self._device = _device(self._model) if real else META
        self._step = None if under.training is None else PhaseTracker(structure.owner)
        self._gradients: dict[int, int | None] = {}  # id(parameter) -> the storage of its gradient
        self._output: Any = None
        self._cache: tuple[Cached, ...] = ()
        self.clearing: tuple[SurroundingState, Callable[[torch.Tensor], bool]] | None = None

    def result(self) -> tuple[Trace, Any]:
        """The record, and what the model returned where that is wanted; raises `Grown`."""
        trace, output = self.trace(), self._output if self._subject.keeps_output else None
        self._output = None
        if self._has_grown:
            raise Grown(trace, output)
        return trace, output

    def trace(self) -> Trace:
        structure = self._structure
        modules = [module for _, module in structure.firsts()]
        guard = Guard(modules)
        recorder = Recorder(self._real, guard.before_write, structure.is_inside, self._step)
        self.clearing = guard.program, recorder.tensors.are_runs_own()
        stack = Stack(structure, recorder)
        parameters, buffers = structure.weights(recorder)
        guard.keep_tensors(recorder.tensors.all_before(), with_values=self._real)
        args, kwargs = self._feed(recorder)
        try:
            with in_mode(modules, self.training):
                outputs = self._run(args, kwargs, recorder, stack)
            self._has_grown = guard.modules_differ() and structure.has_grown()
        except Unfinished as error:
            with suppress(Exception):  # the model may be in any state; the error that it raised is reported
                recorder.lifetimes.settle()
                error.until = self._record(recorder, stack, self._input_records(args, kwargs), parameters, buffers)
            raise
        finally:
            guard.restore()
        trained = parameters if self._step is None else [self._with_gradient(weight) for weight in parameters]
        return self._record(recorder, stack, self._input_records(args, kwargs), trained, buffers, outputs)

    def _record(
        self,
        recorder: Recorder,
        stack: Stack,
        inputs: tuple[Input, ...],
        parameters: Sequence[Weight],
        buffers: Sequence[Weight],
        outputs: tuple[int, ...] = (),
    ) -> Trace:
        return Trace(
            model=self._subject.name,
            source=self._subject.source,
            engine=self._device.type,
            inputs=inputs,
            modules=tuple(self._structure.modules),
            parameters=tuple(parameters),
            buffers=tuple(buffers),
            signatures=tuple(recorder.written.signatures),
            calls=tuple(recorder.written.calls),
            callers=tuple(recorder.written.callers.met) or (Caller((), False),),  # in a training step nobody asks
            composites=tuple(recorder.written.composites),
            module_calls=tuple(stack.calls),
            storages=tuple(recorder.lifetimes.storages),
            outputs=outputs,
            versions=versions(type(self._model)),
            phases=() if self._step is None else self._step.phases(len(recorder.written.calls)),
            asked=self._under.options(),
            notes=(*self._notes, *recorder.written.notes),
            cache=self._cache,
        )

    def _with_gradient(self, weight: Weight) -> Weight:
        parameter = registered(self._structure.objects[weight.module]._parameters, weight.name)
        return weight._replace(gradient=self._gradients.get(id(parameter)))

    def _feed(self, recorder: Recorder) -> tuple[Any, dict[str, Any]]:
        """The arguments, with every tensor in them ready for the engine and known to the recorder."""
        generator = torch.Generator().manual_seed(0) if self._real else None

        def ready(leaf: Any) -> Any:
            tensor = on_device(leaf, self._device, generator) if generator else beside_meta(leaf)
            recorder.tensors.add(tensor, "input")
            if tensor is not leaf:
                recorder.tensors.mark_as_runs_own(tensor)
            return tensor

        ready_once = once(ready)
        kwargs = dict(self._subject.kwargs)
        caches = {name: cache.fresh(state) for name, state in self._subject.cache.items()}
        for state in caches.values():
            for item in list(cache.held(state)):
                recorder.tensors.hand_over(item.tensor, "cache")
        try:
            return map_leaves(ready_once, self._subject.args), {**map_leaves(ready_once, kwargs), **caches}
        except NoMetaForm as error:
            raise Unfinished(error, self._input_records(self._subject.args, kwargs)) from error

    def _input_records(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Input, ...]:
        """What the user feeds; a cache is what an earlier run returned, and has a record of its own."""
        return input_records(args, {name: value for name, value in kwargs.items() if name not in self._subject.cache})

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder, stack: Stack) -> tuple[int, ...]:
        """The forward pass, and what follows it; returns the storages of its output.

        The output lives until the recorder has settled, as it would in the caller's hands.
        """
        try:
            with ExitStack() as active:
                for context in self._contexts(recorder, stack):
                    active.enter_context(context)
                output = consumed(self._forward(args, kwargs), self._subject.name)
                self._go_on(output, recorder)
        except errors.ProfileError:
            raise
        except (Exception, SystemExit) as error:
            raise self._unfinished(error, args, kwargs, recorder, stack) from error
        if recorder.needs.first is not None:  # the model caught it, and took another way than it does with values
            raise self._unfinished(recorder.needs.first, args, kwargs, recorder, stack) from recorder.needs.first
        if stack.has_others:
            self._notes += (_STILL_RUNNING,)
        recorder.lifetimes.settle()
        self._output, self._cache = output, cache.records(output, recorder.tensors)
        return recorder.tensors.storages_of(leaves(output))

    def _contexts(self, recorder: Recorder, stack: Stack) -> Iterator[AbstractContextManager[Any]]:
        """What is active during the run, from the outermost."""
        yield self._mode
        yield _slow_paths()
        yield on_any_device()
        yield by_bodies(Recorder)
        yield stack.following()
        yield self._around(recorder)
        if not self._real:
            yield reporting_device(_device(self._model), recorder)
            yield plain_checks()
            yield self._casting(recorder)
            if self._step is None and not self._casts:
                yield Leaves(recorder, stack, self._structure.index, _device(self._model)).answering()
        yield recorder

    def _casting(self, recorder: Recorder) -> AbstractContextManager[Any]:
        """What casts meta tensors in regions of autocast that the model's own code enters."""
        return lent_to_meta(self._casts) if self._casts else noticing_regions(recorder.asks)

    def _unfinished(self, error: BaseException, args: Any, kwargs: Any, recorder: Recorder, stack: Stack) -> Unfinished:
        return Unfinished(
            error,
            self._input_records(args, kwargs),
            stack.failed,
            stack.ended(),
            recorder.lifetimes.most_bytes,
            self._refusal(error),
        )

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._model(*args, **kwargs)

    def _around(self, recorder: Recorder) -> AbstractContextManager[Any]:
        """What else is active during the run."""
        return nullcontext()

    def _go_on(self, output: Any, recorder: Recorder) -> None:
        """What follows the forward pass: nothing in inference."""

    def _refusal(self, error: BaseException) -> errors.ProfileError | None:
        """What says better than `errors.ModelFailed` what an error means."""
        return None


def _device(model: nn.Module) -> torch.device:
    """Where the model's weights are, or would be."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None or first.is_meta else first.device
