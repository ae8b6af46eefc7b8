"""Which layer does each call's time belong to? From calls to the tree of modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from profiler.figures.layers import summed
from profiler.records.times import NO_TIME, Duration, Times
from profiler.records.trace import Trace


def times(
    trace: Trace,
    word: str,
    device: str,
    title: str,
    durations: Sequence[Duration],
    bounds: Sequence[str | None],
    unknown_calls: int,
    notes: tuple[str, ...] = (),
) -> Times:
    """The times of a run from those of its calls; a call's `bounds` is what it is bound by.

    Intervals add up: what is too low in one call is taken to be too low in all.
    """
    own = [NO_TIME] * len(trace.modules)
    bound: list[Mapping[str, float]] = [{} for _ in trace.modules]
    for call, duration, by in zip(trace.calls, durations, bounds, strict=True):
        own[call.module] = added(own[call.module], duration)
        if by is not None:
            bound[call.module] = _together(bound[call.module], {by: duration.seconds})
    return Times(
        word=word,
        device=device,
        title=title,
        own=tuple(own),
        total=tuple(summed(trace.modules, own, added)),
        bounds=tuple(_most(seconds) for seconds in summed(trace.modules, bound, _together)),
        calls=tuple(duration.seconds for duration in durations),
        phases=by_phase(trace, durations),
        unknown_calls=unknown_calls,
        samples=samples(trace),
        notes=notes,
    )


def added(first: Duration, second: Duration) -> Duration:
    return Duration(first.seconds + second.seconds, first.low + second.low, first.high + second.high)


def by_phase(trace: Trace, durations: Sequence[Duration]) -> Mapping[str, Duration]:
    """The time of each phase of a training step; none in inference."""
    phases: dict[str, Duration] = {}
    for phase in trace.phases:
        for duration in durations[phase.first : phase.last]:
            phases[phase.kind] = added(phases.get(phase.kind, NO_TIME), duration)
    return phases


def samples(trace: Trace) -> int | None:
    """The batch: the first dimension of the inputs that have two or more, where they agree."""
    sizes = {item.shape[0] for item in trace.inputs if len(item.shape) > 1}
    return sizes.pop() if len(sizes) == 1 else None


def _together(first: Mapping[str, float], second: Mapping[str, float]) -> Mapping[str, float]:
    return {by: first.get(by, 0.0) + second.get(by, 0.0) for by in dict.fromkeys((*first, *second))}


def _most(seconds: Mapping[str, float]) -> str | None:
    return max(seconds, key=lambda by: seconds[by]) if seconds else None
