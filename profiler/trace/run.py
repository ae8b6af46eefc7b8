"""Running a model once and recording it: on meta tensors, or on real ones where the model asks for values."""

from __future__ import annotations

import dataclasses
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.conditions import AS_IT_IS, Conditions
from profiler.records import BACKWARD, UPDATE, Cached, Caller, Trace, Weight
from profiler.trace import cache, memo, operators
from profiler.trace.autocast import autocast_on_meta
from profiler.trace.feed import beside_meta, input_records, leaves, map_leaves, on_device, once
from profiler.trace.flex import on_any_device
from profiler.trace.guard import Guard, Program, cleared, in_mode, uncollected
from profiler.trace.higher_order import by_bodies
from profiler.trace.inner import registered
from profiler.trace.instead import as_on_cpu, as_unseen
from profiler.trace.layouts import META, layout_of
from profiler.trace.lazy import initialized, waits_for_input
from profiler.trace.modules import Stack, Structure
from profiler.trace.optimizers import optimizer, state
from profiler.trace.prepare import prepared
from profiler.trace.recorder import NeedsValues, Recorder, misses_values
from profiler.trace.step import Step, backward, recomputing
from profiler.trace.subject import Subject
from profiler.trace.zeros import check_values, with_zeros
from profiler.versions import versions

# One model runs at a time: a run sets module modes and global hooks, and Python would not run two at once anyway.
_one_at_a_time = threading.RLock()


def trace(subject: Subject, under: Conditions = AS_IT_IS, real: bool = False) -> Trace:
    """Run the subject once and record it. The model comes back as it was, also when it raises.

    real: run it on real tensors at once, and not on meta tensors first.
    """
    return _alone(subject, under, real)[0]


def run(subject: Subject, under: Conditions = AS_IT_IS, real: bool = False) -> tuple[Trace, Any]:
    """The same, with what the model returned: tensors as the engine had them."""
    return _alone(dataclasses.replace(subject, keeps_output=True), under, real)


def _alone(subject: Subject, under: Conditions, real: bool) -> tuple[Trace, Any]:
    with _one_at_a_time, uncollected(), _uncompiled(), torch.inference_mode(False), ExitStack() as after:
        operators.keep_up()
        memo.keep_up()
        structure = Structure(subject.model)
        if any(waits_for_input(module) for module in structure.objects):
            subject = dataclasses.replace(subject, model=initialized(subject))
            structure = Structure(subject.model)
        weighed = _weighed(subject) if under.zeros else None
        if under.needs_copy:
            subject = prepared(subject, under, after)
            structure = Structure(subject.model)
        try:
            if real:
                raise NeedsValues("a run on real tensors was asked for")
            found, output = _attempt(subject, structure, under, real=False)
        except NeedsValues as reason:
            found, output = _attempt(subject, Structure(_with_values(subject, reason)), under, real=True)
        after.close()  # the weights that are looked at are the model's own again
        return found if weighed is None else _with_zeros(found, weighed), output


def _weighed(subject: Subject) -> nn.Module:
    """The model that has the weights: made again where it was built without; raises `errors.ZerosNeedWeights`."""
    model = subject.model
    if subject.rebuild is not None and any(weight.is_meta for weight in model.parameters()):
        model = subject.rebuild()
    check_values(model, subject.name)
    return model


def _with_zeros(found: Trace, model: nn.Module) -> Trace:
    modules = dict(Structure(model).firsts())
    return dataclasses.replace(found, parameters=tuple(with_zeros(list(found.parameters), modules)))


def _attempt(subject: Subject, structure: Structure, under: Conditions, real: bool) -> tuple[Trace, Any]:
    """A run in the midst of which something was imported is made again.

    What importing leaves behind for the garbage collector holds on to the frames of the run, and so to its tensors.
    torch imports some hundred modules when certain operators are first met on meta tensors, and its compiler, which
    then does not know that it is not wanted, when a loop or a branch is.
    """
    before, had_compiler = len(sys.modules), "torch._dynamo" in sys.modules
    try:
        found = _run(subject, structure, under, real)
    except (errors.ProfileError, NeedsValues):
        if had_compiler or "torch._dynamo" not in sys.modules:
            raise
    else:
        if len(sys.modules) == before:
            return found
    with nullcontext() if had_compiler else _uncompiled():
        return _run(subject, structure, under, real)


def _run(subject: Subject, structure: Structure, under: Conditions, real: bool) -> tuple[Trace, Any]:
    """In inference mode, where composite operators arrive whole; without it for a model that differentiates inside."""
    if under.training is not None:
        return _made(partial(_TrainingRun, subject, structure, under, real, _with_graph(real)))
    try:
        return _made(partial(_Run, subject, structure, under, real, torch.inference_mode()))
    except errors.ModelFailed as failure:
        if not _wants_autograd(failure.__cause__):
            raise
        return _made(partial(_Run, subject, structure, under, real, torch.no_grad()))


def _made(begin: Callable[[], _Run]) -> tuple[Trace, Any]:
    found: tuple[Trace, Any] = cleared(begin)
    return found


def _wants_autograd(error: BaseException | None) -> bool:
    return isinstance(error, RuntimeError) and re.search(r"\bgrad\b|inference tensor", str(error), re.I) is not None


@contextmanager
def _with_graph(real: bool) -> Iterator[None]:
    """Autograd is on, also for what the backward pass runs again."""
    with torch.enable_grad(), as_unseen() if real else as_on_cpu():
        yield


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Compiled modules run their original code; a program that never compiled anything need not know of it."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `torch.compile")  # that our hooks see the wrapper too
        yield


@contextmanager
def _slow_paths(real: bool) -> Iterator[None]:
    """On real tensors, keep nn.MultiheadAttention from fusing a layer into one call: meta tensors see it in full."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled and not real)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


class _Run:
    """One run of a model by one engine."""

    training = False  # the mode that its modules are in

    def __init__(
        self,
        subject: Subject,
        structure: Structure,
        under: Conditions,
        real: bool,
        mode: AbstractContextManager[Any],
    ) -> None:
        self._subject = subject
        self._structure = structure
        self._under = under
        self._model = structure.objects[0]
        self._real = real
        self._mode = mode
        self._device = _device(self._model) if real else META
        self._step = None if under.training is None else Step(structure.owner)
        self._gradients: dict[int, int | None] = {}  # id(parameter) -> the storage of its gradient
        self._output: Any = None
        self._cache: tuple[Cached, ...] = ()
        self.clearing: tuple[Program, Callable[[torch.Tensor], bool]] | None = None

    def made(self) -> tuple[Trace, Any]:
        """The record, and what the model returned where that is wanted."""
        found, output = self.trace(), self._output
        self._output = None
        return found, output if self._subject.keeps_output else None

    def trace(self) -> Trace:
        structure = self._structure
        modules = [module for _, module in structure.firsts()]
        guard = Guard(modules)
        recorder = Recorder(self._real, guard.before_write, structure.is_inside, self._step)
        self.clearing = guard.program, recorder.mine()
        stack = Stack(structure, recorder)
        parameters, buffers = structure.weights(recorder)
        guard.keep_tensors(recorder.given(), with_values=self._real)
        args, kwargs = self._feed(recorder)
        try:
            with in_mode(modules, self.training):
                outputs = self._run(args, kwargs, recorder, stack)
        finally:
            guard.restore()
        return Trace(
            model=self._subject.name,
            source=self._subject.source,
            engine=self._device.type,
            inputs=input_records(args, kwargs),
            modules=tuple(structure.modules),
            parameters=tuple(self._with_gradient(weight) for weight in parameters),
            buffers=tuple(buffers),
            signatures=tuple(recorder.signatures),
            calls=tuple(recorder.calls),
            callers=tuple(recorder.callers.found) or (Caller((), False),),  # in a training step nobody asks
            composites=tuple(recorder.composites),
            module_calls=tuple(stack.calls),
            storages=tuple(recorder.lifetimes.storages),
            outputs=outputs,
            versions=versions(type(self._model)),
            phases=() if self._step is None else self._step.phases(len(recorder.calls)),
            asked=self._under.said(),
            notes=(*self._subject.notes, *recorder.notes),
            cache=self._cache,
        )

    def _with_gradient(self, weight: Weight) -> Weight:
        held = registered(self._structure.objects[weight.module]._parameters, weight.name)
        return weight._replace(gradient=self._gradients.get(id(held)))

    def _feed(self, recorder: Recorder) -> tuple[Any, dict[str, Any]]:
        """The arguments, with every tensor in them ready for the engine and known to the recorder."""
        generator = torch.Generator().manual_seed(0) if self._real else None

        def ready(leaf: Any) -> Any:
            tensor = on_device(leaf, self._device, generator) if generator else beside_meta(leaf)
            recorder.give(tensor, "input")
            if tensor is not leaf:
                recorder.own(tensor)
            return tensor

        made = once(ready)
        caches = {name: cache.fresh(kept) for name, kept in self._subject.cache.items()}
        for kept in caches.values():
            for item in list(cache.held(kept)):
                recorder.hand(item.tensor, "cache")
        return map_leaves(made, self._subject.args), {**map_leaves(made, dict(self._subject.kwargs)), **caches}

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder, stack: Stack) -> tuple[int, ...]:
        """The forward pass, and what follows it; returns the storages of its output.

        The output lives until the recorder has settled, as it would in the caller's hands.
        """
        try:
            with (
                self._mode,
                _slow_paths(self._real),
                on_any_device(),
                by_bodies(Recorder),
                stack.following(),
                self._around(recorder),
                recorder,
            ):
                output = self._forward(args, kwargs)
                self._go_on(output, recorder)
        except errors.ProfileError:
            raise
        except (Exception, SystemExit) as error:
            if recorder.asked is None and not self._real and misses_values(error):
                recorder.asked = NeedsValues(errors.first_line(error))
            if recorder.asked is not None:
                raise recorder.asked from error
            self._check(error)
            where = "" if recorder.failed_in is None else stack.path(recorder.failed_in)
            raise errors.ModelFailed(self._subject.name, error, input_records(args, kwargs), where) from error
        if recorder.asked is not None:  # the model caught it, and took another way than it does with values
            raise recorder.asked
        recorder.lifetimes.settle()
        self._output, self._cache = output, tuple(cached(output, recorder))
        return recorder.homes(leaves(output))

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._model(*args, **kwargs)

    def _around(self, recorder: Recorder) -> AbstractContextManager[Any]:
        """What else is active during the run."""
        return nullcontext()

    def _go_on(self, output: Any, recorder: Recorder) -> None:
        """What follows the forward pass: nothing in inference."""

    def _check(self, error: BaseException) -> None:
        """Raise what says better than `errors.ModelFailed` what an error means."""


class _TrainingRun(_Run):
    """A training step: the forward pass with a graph, the backward pass, and the optimizer's update."""

    training = True
    _optimizer: torch.optim.Optimizer | None = None  # its state outlives the step

    def trace(self) -> Trace:
        amp = None if self._under.training is None else self._under.training.amp
        with autocast_on_meta(amp) as self._region:
            return super().trace()

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._region():
            return super()._forward(args, kwargs)

    def _around(self, recorder: Recorder) -> AbstractContextManager[Any]:
        assert self._step is not None
        return recomputing(self._step, recorder)

    def _go_on(self, output: Any, recorder: Recorder) -> None:
        assert self._step is not None
        assert self._under.training is not None
        self._step.kind = BACKWARD
        backward(leaves(output), self._subject.name)
        trained = [weight for weight in self._model.parameters() if weight.grad is not None]
        self._gradients = {id(weight): recorder.lifetimes.becomes(weight.grad, "gradient") for weight in trained}
        if self._under.training.optimizer is not None:
            self._step.kind = UPDATE
            self._optimizer = optimizer(self._under.training.optimizer, trained)
            self._optimizer.step()
            for tensor in state(self._optimizer):
                recorder.lifetimes.becomes(tensor, "state")

    def _check(self, error: BaseException) -> None:
        if self._step is not None and self._step.kind == UPDATE:
            assert self._under.training is not None
            assert self._under.training.optimizer is not None
            raise errors.OptimizerFailed(self._under.training.optimizer, error) from error


def cached(output: Any, recorder: Recorder) -> Iterator[Cached]:
    """The tensors of the cache that a model returned, where it returned one."""
    found = cache.returned(output)
    if found is None:
        return
    name, kept = found
    for path, owner, tensor in cache.held(kept):
        home = recorder.home(tensor)
        if home is not None:
            yield Cached(f"{name}.{path}", owner, recorder.record_of(tensor), home)


def _with_values(subject: Subject, reason: NeedsValues) -> nn.Module:
    """The subject's model with real weights, for a run on real tensors."""
    import psutil  # for this rare case alone

    weights = [*subject.model.parameters(), *subject.model.buffers()]
    if not any(weight.is_meta for weight in weights):
        return subject.model
    if subject.rebuild is None:
        raise errors.WeightsWithoutValues(subject.name, str(reason))
    needed, free = sum(layout_of(weight).tensor.size_bytes for weight in weights), psutil.virtual_memory().available
    if needed > free:
        raise errors.WeightsDoNotFit(subject.name, str(reason), needed, free)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return subject.rebuild()


def _device(model: nn.Module) -> torch.device:
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device
