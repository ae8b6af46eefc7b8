"""How is a model run once and recorded? On meta tensors, or on real ones where it does not run on those.

Whatever a model raises on meta tensors, be it torch's word or the model's own, says nothing about the model: it is run
on real tensors then, where there is memory for that, and only what it raises there is its failure. A model that fails
there too has cost three runs up to the point of failure: on meta, in inference mode, and as a caller would run it.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import nn

from profiler import errors
from profiler.engine.guard.during import uncollected
from profiler.engine.guard.leftovers import cleared
from profiler.engine.meta import operators
from profiler.engine.meta.autocast import OwnRegion
from profiler.engine.record import memo
from profiler.engine.record.structure import Structure
from profiler.engine.run.alone import alone
from profiler.engine.run.attempt import Attempt, Grown
from profiler.engine.run.failure import Unfinished, wants_autograd
from profiler.engine.run.importing import importing_from
from profiler.engine.run.lazy import initialized, waits_for_input
from profiler.engine.run.prepare import prepared
from profiler.engine.run.proposal import proposal
from profiler.engine.run.subject import Subject
from profiler.engine.run.training import TrainingAttempt, with_graph
from profiler.engine.run.values import with_values
from profiler.engine.run.zeros import check_values, with_zeros
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.trace import Trace

_DEEPER = 3  # a run has more frames to a module than torch alone, and a copy of a model has twice as many


def trace(subject: Subject, under: Conditions = AS_IT_IS, real: bool = False) -> Trace:
    """Run the subject once and record it. The model comes back as it was, also when it raises.

    real: run it on real tensors at once, and not on meta tensors first.
    """
    return _alone(subject, under, real)[0]


def run(subject: Subject, under: Conditions = AS_IT_IS, real: bool = False) -> tuple[Trace, Any]:
    """The same, with what the model returned: tensors as the engine had them."""
    return _alone(dataclasses.replace(subject, keeps_output=True), under, real)


def _alone(subject: Subject, under: Conditions, real: bool) -> tuple[Trace, Any]:
    with alone(), uncollected(), _uncompiled(), _deeper(), torch.inference_mode(False), ExitStack() as after:
        after.enter_context(importing_from(subject.folder))
        operators.keep_up()
        memo.keep_up()
        if not waits_for_input(subject.model):
            with suppress(Grown):
                return _run(subject, under, real)
        # What it builds in its first forward pass is part of it, also for a step of training.
        subject = initialized(subject, after)
        try:
            return _run(subject, under, real)
        except Grown as again:  # it does so each time
            return again.result


def _run(subject: Subject, under: Conditions, real: bool) -> tuple[Trace, Any]:
    weighed = _weighed(subject) if under.zeros else None
    with ExitStack() as after:
        if under.needs_copy:
            subject = prepared(subject, under, after)
        record, output = _by_any_engine(subject, under, real)
    return record if weighed is None else _with_zeros(record, weighed), output


def _by_any_engine(subject: Subject, under: Conditions, real: bool) -> tuple[Trace, Any]:
    failure = None
    if not real:
        try:
            return _by_engine(subject, under, real=False)
        except Unfinished as error:
            failure = error
    try:
        return _by_engine(with_values(subject, under, failure), under, real=True)
    except Unfinished as error:
        runs = partial(_runs_on_meta, under)
        raise error.refusal(subject.name, partial(proposal, subject, error, runs)) from error.cause


def _runs_on_meta(under: Conditions, subject: Subject) -> bool | Unfinished:
    """Whether it does; how it ended, where it does not."""
    try:
        _by_engine(subject, under, real=False)
    except Unfinished as error:
        return error
    except (errors.ProfileError, Grown):
        return False
    return True


def _by_engine(subject: Subject, under: Conditions, real: bool) -> tuple[Trace, Any]:
    """By one engine, in each of the modes in which a caller may run a model, until it runs; raises `Unfinished`."""
    how = partial(_casting, subject, Structure(subject.model), under, real)
    if under.training is not None:
        return how(partial(with_graph, real))
    failure: Unfinished | None = None
    for mode in _MODES:
        if failure is None or _is_worth_trying(mode, failure, real):
            try:
                return how(mode)
            except Unfinished as error:
                failure = error
    assert failure is not None
    raise failure


_Mode: TypeAlias = Callable[[], AbstractContextManager[Any]]
# Inference mode, where composite operators arrive whole; then those of a model that differentiates inside.
_MODES: tuple[_Mode, ...] = (torch.inference_mode, torch.no_grad, torch.enable_grad)


def _is_worth_trying(mode: Any, failure: Unfinished, real: bool) -> bool:
    """On real tensors the last always is: what is told of a model is what it raises when it is simply called."""
    return (real and mode is torch.enable_grad) or wants_autograd(failure.cause)


def _casting(subject: Subject, structure: Structure, under: Conditions, real: bool, mode: _Mode) -> tuple[Trace, Any]:
    """Once, or once more where it turns autocast on by itself: then with what casts meta tensors."""
    kind = Attempt if under.training is None else TrainingAttempt
    try:
        return _attempt(lambda: kind(subject, structure, under, real, mode()))
    except Unfinished as error:
        if not isinstance(error.cause, OwnRegion):
            raise
        device = error.cause.device
    return _attempt(lambda: kind(subject, structure, under, real, mode(), device))


def _attempt(attempt: Callable[[], Attempt]) -> tuple[Trace, Any]:
    """A run in the midst of which something was imported is made again.

    What importing leaves behind for the garbage collector holds on to the frames of the run, and so to its tensors.
    torch imports some hundred modules when certain operators are first met on meta tensors, and its compiler, which
    then does not know that it is not wanted, when a loop or a branch is.
    """
    before, had_compiler = len(sys.modules), "torch._dynamo" in sys.modules
    try:
        result = _cleared(attempt)
    except (errors.ProfileError, Unfinished):
        if had_compiler or "torch._dynamo" not in sys.modules:
            raise
    else:
        if len(sys.modules) == before:
            return result
    with nullcontext() if had_compiler else _uncompiled():
        return _cleared(attempt)


def _cleared(attempt: Callable[[], Attempt]) -> tuple[Trace, Any]:
    result: tuple[Trace, Any] = cleared(attempt)
    return result


def _weighed(subject: Subject) -> nn.Module:
    """The model that has the weights: made again where it was built without; raises `errors.ProfileError`."""
    model = subject.model
    if subject.rebuild is not None and any(weight.is_meta for weight in model.parameters()):
        model = subject.rebuilt().model
    check_values(model, subject.name)
    return model


def _with_zeros(record: Trace, model: nn.Module) -> Trace:
    modules = dict(Structure(model).firsts())
    return dataclasses.replace(record, parameters=tuple(with_zeros(list(record.parameters), modules)))


@contextmanager
def _deeper() -> Iterator[None]:
    """Room on the stack for the frames that are ours: what torch can run can be profiled."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPER * limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Compiled modules run their original code; a program that never compiled anything need not know of it."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with _compiler_off(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `torch.compile")  # that our hooks see the wrapper too
        yield


def _compiler_off() -> AbstractContextManager[Any]:
    if hasattr(torch.compiler, "set_stance"):
        off: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return off
    return _compiler_switched_off()


@contextmanager
def _compiler_switched_off() -> Iterator[None]:
    """torch 2.5 has no stances: what a compiled function turns its compiler on with turns it off instead."""
    compiler: Any = importlib.import_module("torch._dynamo.eval_frame")
    switch = compiler._maybe_set_eval_frame
    compiler._maybe_set_eval_frame = lambda _: switch(None)
    try:
        yield
    finally:
        compiler._maybe_set_eval_frame = switch
