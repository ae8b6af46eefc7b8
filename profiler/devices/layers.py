"""Which layer does each call's time belong to? From calls to the tree of modules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

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
    bound: list[dict[str, float]] = [defaultdict(float) for _ in trace.modules]
    for call, duration, by in zip(trace.calls, durations, bounds, strict=True):
        own[call.module] = added(own[call.module], duration)
        if by is not None:
            bound[call.module][by] += duration.seconds
    return Times(
        word=word,
        device=device,
        title=title,
        own=tuple(own),
        total=tuple(summed(trace, own)),
        bounds=tuple(_most(seconds) for seconds in _summed_bounds(trace, bound)),
        calls=tuple(duration.seconds for duration in durations),
        phases=by_phase(trace, durations),
        unknown_calls=unknown_calls,
        samples=samples(trace),
        notes=notes,
    )


def added(first: Duration, second: Duration) -> Duration:
    return Duration(first.seconds + second.seconds, first.low + second.low, first.high + second.high)


def summed(trace: Trace, own: Sequence[Duration]) -> list[Duration]:
    """Each module's time with that of the modules in it. Modules are in preorder."""
    total, parents = list(own), parent_rows(trace)
    for row in range(len(total) - 1, 0, -1):
        total[parents[row]] = added(total[parents[row]], total[row])
    return total


def parent_rows(trace: Trace) -> list[int]:
    """For each of `trace.modules`, the row of the module that it stands in; the model's own row stands for itself."""
    rows = {module.path: row for row, module in enumerate(trace.modules)}
    return [0, *(rows[module.path.rpartition(".")[0]] for module in trace.modules[1:])]


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


def _summed_bounds(trace: Trace, own: list[dict[str, float]]) -> list[dict[str, float]]:
    total, parents = own, parent_rows(trace)
    for row in range(len(total) - 1, 0, -1):
        for by, seconds in total[row].items():
            total[parents[row]][by] += seconds
    return total


def _most(seconds: Mapping[str, float]) -> str | None:
    return max(seconds, key=lambda by: seconds[by]) if seconds else None
