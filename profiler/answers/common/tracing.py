"""What happened when a model ran? The trace of what a spec names, or of a model that is there, under conditions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from profiler import errors, sources
from profiler.counters import conventions
from profiler.figures.profile import derivable
from profiler.ops import registrations
from profiler.records.archive import SUFFIXES
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.spec import Feed
from profiler.records.trace import GRAPHS, Trace
from profiler.sources.trace_cache.cache import TraceCache
from profiler.sources.trace_cache.key import key

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.run.subject import Subject


def traced(
    model: nn.Module | str,
    feed: Feed,
    under: Conditions = AS_IT_IS,
    or_held: bool = False,
    trace_cache: TraceCache | None = None,
) -> Trace:
    """Raises `errors.ProfileError`.

    or_held: of a model that cannot be run for want of inputs, the record of what it holds.
    trace_cache: where a trace is looked up before, and kept after; None: the model is run.
    """
    run = partial(_traced, model, feed, under, or_held)
    if trace_cache is None or not isinstance(model, str) or not sources.is_built(model):
        return run()
    place = key(model, feed, under, or_held)
    return run() if place is None else trace_cache.traced(place, run, _registered)


def _registered() -> tuple[int, ...]:
    """How much there is of formulas, kinds of layers and conventions: a model's code may bring some of its own."""
    return (*registrations(), len(conventions.names()))


def _traced(model: nn.Module | str, feed: Feed, under: Conditions, or_held: bool) -> Trace:
    subject = _subject_or_record(model, feed, under) if or_held else _subject(model, feed)
    if under.training is not None and subject.source in GRAPHS:
        raise _graph_is_fixed(_name(subject), "as a training step")
    if isinstance(subject, Trace):
        _check_as_it_was(subject, under)
        return subject
    if under.zeros and subject.source in sources.PREFIXES:
        raise errors.zeros_need_weights(subject.name, "its weights are not fetched")
    from profiler.engine.run.running import trace

    return trace(subject, under)


def runnable(model: nn.Module | str, feed: Feed, is_record: Callable[[str], errors.ProfileError]) -> Subject:
    """What is to be run; raises what `is_record` says where a spec names what was recorded, or read from a header."""
    if not isinstance(model, str):
        return sources.subject_of(model, feed)
    subject = sources.load(model, feed)
    if isinstance(subject, Trace):
        raise is_record(model)
    return subject


def _subject_or_record(model: nn.Module | str, feed: Feed, under: Conditions) -> Any:
    """What is run; where it cannot be for want of inputs, the record of what the model holds."""
    try:
        return _subject(model, feed)
    except errors.InputsNeeded as needed:
        if needed.held is None or under != AS_IT_IS:
            raise
        return needed.held()


def _subject(model: nn.Module | str, feed: Feed) -> Any:
    """A model with its inputs, or a trace that a spec names."""
    if not isinstance(model, str):
        return sources.subject_of(model, feed)
    subject = sources.load(model, feed)
    return derivable(subject, model) if isinstance(subject, Trace) and model.endswith(SUFFIXES) else subject


def _check_as_it_was(recorded: Trace, under: Conditions) -> None:
    """Raise where what ran already, or never does, is to be run otherwise."""
    if under == AS_IT_IS:
        return
    if not recorded.was_run:
        raise errors.nothing_ran(recorded.model, "another dtype or a training step has no effect")
    if recorded.is_graph:
        raise _graph_is_fixed(recorded.model, "in another dtype")
    raise errors.saved_is_fixed(recorded.model, "another dtype, a training step or a count of zeros")


def _name(subject: Any) -> str:
    return str(subject.model if isinstance(subject, Trace) else subject.name)


# Error messages -------------------------------------------------------------------------------------------------------


def _graph_is_fixed(path: str, what: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} is an exported graph, which cannot be run {what}; name the model itself")
