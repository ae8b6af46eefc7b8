"""How long does a model take here, and where? Whole runs and runs that are looked into, until the median is known."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import torch
from torch import nn

from profiler.devices import here
from profiler.devices.amounts import amounts
from profiler.devices.layers import samples
from profiler.devices.measuring.clock import Clock, clock
from profiler.devices.measuring.effort import USUAL, Effort
from profiler.devices.measuring.intervals import TOO_WIDE, has_enough, of_blocks, width
from profiler.devices.measuring.limits import Limits, limits
from profiler.devices.measuring.modules import Marks, Overhead, Spent, overhead
from profiler.devices.measuring.runs import Run, running
from profiler.devices.measuring.sampling import Samples, collect
from profiler.devices.roofline import works_of
from profiler.devices.work import Work
from profiler.engine.record.structure import Structure
from profiler.engine.run.subject import Subject
from profiler.figures import memory
from profiler.figures.layers import parent_rows, summed
from profiler.records.conditions import Conditions
from profiler.records.times import ARITHMETIC, MEASURED, MEMORY, NO_TIME, OVERHEAD, Duration, Times
from profiler.records.trace import Trace
from profiler.render import numbers
from profiler.render.tables import Caution

_LEAST_SAMPLE = 200e-6  # seconds: so many runs are one sample that reading the clock takes no part of it
_TINY = 0.01  # of both limits: what reaches less is bound by neither (docs/time.md)
_FLUSHED_BYTES = 256 * 2**20  # read and written between runs: more than caches hold


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times that were measured here, as a `Timer`. quartiles: of the whole runs, in seconds; runs: how many.

    has_interval: whether there were blocks enough for an interval of 95 %, and it is not a guess from few.
    has_layers: whether modules were looked into.
    """

    times_here: Times
    quartiles: tuple[float, float]
    runs: int
    limits: Limits
    has_layers: bool
    has_interval: bool = True

    @property
    def name(self) -> str:
        return self.times_here.device

    def times(self, trace: Trace) -> Times:
        return self.times_here


def measured(
    subject: Subject,
    trace: Trace,
    under: Conditions,
    kind: str,
    effort: Effort = USUAL,
    ended: Callable[[int], None] = lambda runs: None,
    on: Clock | None = None,
) -> Measurement:
    """Time a model on a device of this machine; `trace` is what its run records. The model comes back untouched.

    ended: is told the number of runs, now and then. on: the clock, where it is another than the device's own.
    Raises `errors.ProfileError`.
    """
    at, works = on or clock(kind), works_of(trace)
    needed = _needed_bytes(trace)
    with running(subject, under, kind, needed, effort.threads, effort.compiles) as (run, model):
        title = here.title(kind)
        taken, phases = _sampled(_Sampler(run, model, trace, at, kind, effort), ended)
        del run, model  # nobody holds what stood in for the model's weights when it comes back
        reached = limits(kind, _dtype(works), at)
    times = _times(trace, works, kind, title, taken, phases, reached)
    spread = [sample for block in taken.whole for sample in block]
    quartiles = quantiles(spread, n=4) if len(spread) > 1 else spread * 3
    return Measurement(
        times, (quartiles[0], quartiles[2]), taken.runs, reached, bool(taken.inside), has_enough(taken.whole)
    )


def _sampled(sampler: _Sampler, ended: Callable[[int], None]) -> tuple[Samples[Spent], dict[str, list[float]]]:
    """All samples, and seconds of the phases of whole runs."""
    effort, here = sampler.effort, sampler.clock
    if effort.compiles:
        return collect(sampler.whole, None, here.now, effort.seconds, ended), sampler.phases
    marking = overhead(here)
    return collect(sampler.whole, lambda: sampler.inside(marking), here.now, effort.seconds, ended), sampler.phases


def _needed_bytes(trace: Trace) -> int:
    """Weights, inputs, and the most that is alive in a run."""
    weights = sum(weight.tensor.size_bytes for weight in (*trace.parameters, *trace.buffers))
    return weights + memory.input_bytes(trace) + memory.peak_bytes(trace) + memory.state_bytes(trace)


@dataclass(slots=True)
class _Sampler:
    """Runs a model once, or several times where it is quick, and says how long that took."""

    run: Run
    model: nn.Module
    trace: Trace
    clock: Clock
    kind: str
    effort: Effort
    phases: dict[str, list[float]] = field(default_factory=dict)
    _times: int = 1
    _rows: dict[int, int] = field(default_factory=dict)
    _flushed: torch.Tensor | None = None

    def __post_init__(self) -> None:
        structure = Structure(self.model)
        by_path = {module.path: row for row, module in enumerate(self.trace.modules)}
        for row, module in structure.firsts():
            if (path := structure.modules[row].path) in by_path:
                self._rows[id(module)] = by_path[path]
        if self.effort.flushes_cache:
            self._flushed = torch.zeros(_FLUSHED_BYTES // 4, device=self.kind)
        elif not self.run.phases:
            quickest = min(self._once() for _ in range(3))
            self._times = max(1, min(1000, int(_LEAST_SAMPLE / quickest))) if quickest > 0 else 1

    def whole(self) -> float:
        return self._once() / self._times

    def inside(self, marking: Overhead) -> Spent:
        marks = Marks(self._rows, self.clock)
        with marks.marking():
            self._prepare()
            self.run()
        self.clock.synchronize()
        return marks.spent(len(self.trace.modules), marking)

    def _once(self) -> float:
        run, mark, between = self.run, self.clock.mark, self.clock.between
        self._prepare()
        marks: list[Any] = []
        begin = mark()
        for _ in range(self._times):
            run(lambda: marks.append(mark()))
        end = mark()
        self.clock.synchronize()
        for phase, first, second in zip(run.phases, marks, marks[1:], strict=False):
            self.phases.setdefault(phase, []).append(between(first, second))
        return between(begin, end)

    def _prepare(self) -> None:
        gc.collect(0)
        self.run.prepare()
        if self._flushed is not None:
            self._flushed.add_(1)
        self.clock.synchronize()


# From samples to times ------------------------------------------------------------------------------------------------


def _times(
    trace: Trace,
    works: Sequence[Work | None],
    kind: str,
    title: str,
    taken: Samples[Spent],
    phases: dict[str, list[float]],
    reached: Limits,
) -> Times:
    whole = of_blocks(taken.whole)
    own, total, strained = [NO_TIME] * len(trace.modules), [NO_TIME] * len(trace.modules), list[str]()
    if taken.inside:
        own, total, strained = _layers(trace, taken.inside, whole, sum(phases_before(phases)))
    total[0] = whole
    return Times(
        word=MEASURED,
        device=kind,
        title=title,
        own=tuple(own),
        total=tuple(total),
        bounds=tuple(_bounds(trace, works, reached, total)),
        phases={phase: of_blocks([[sample] for sample in several]) for phase, several in phases.items()},
        unknown_calls=sum(work is None for work in works),
        samples=samples(trace),
        notes=tuple(_noise(whole, taken)),
        layer_notes=tuple(strained),
    )


def phases_before(phases: dict[str, list[float]]) -> Iterator[float]:
    """Medians of the phases that no module is at work in."""
    yield from (median(several) for phase, several in phases.items() if phase != "forward")


def _layers(
    trace: Trace, inside: Sequence[Sequence[Spent]], whole: Duration, after: float
) -> tuple[list[Duration], list[Duration], list[str]]:
    """Each module's own time and that with the modules in it, in proportion so that they add up to the whole.

    after: seconds of the whole in which no module is at work; they are the model's own.
    """
    rows = range(len(trace.modules))
    own = [of_blocks([[max(0.0, spent.own[row]) for spent in block] for block in inside]) for row in rows]
    total = [of_blocks([[max(0.0, spent.total[row]) for spent in block] for block in inside]) for row in rows]
    seen, forward = sum(duration.seconds for duration in own), max(0.0, whole.seconds - after)
    factor = forward / seen if seen else 1.0
    strain = abs(factor - 1)
    own = [_scaled(duration, factor, strain) for duration in own]
    own[0] = Duration(own[0].seconds + after, own[0].low + after, own[0].high + after)
    sums = summed(trace.modules, [duration.seconds for duration in own])
    scaled = [_scaled(duration, factor, strain) for duration in total]
    total = [Duration(sums[row], min(sums[row], scaled[row].low), max(sums[row], scaled[row].high)) for row in rows]
    _mark_unseen(trace, inside, own, total)
    notes = [_looking_costs(factor)] if strain > max(width(whole), 0.02) else []
    return own, total, notes


def _scaled(duration: Duration, factor: float, strain: float) -> Duration:
    """In proportion; what looking into a run changes is part of what is not known."""
    seconds = factor * duration.seconds
    slack = strain * seconds
    return Duration(seconds, max(0.0, factor * duration.low - slack), factor * duration.high + slack)


def _mark_unseen(trace: Trace, inside: Sequence[Sequence[Spent]], own: list[Duration], total: list[Duration]) -> None:
    """A module that ran and that nobody saw takes some of its parent's time, and how much is not known."""
    ran = {call.module for call in trace.module_calls}
    calls = inside[0][0].calls
    parents = parent_rows(trace.modules)
    for row in range(1, len(calls)):
        if row in ran and not calls[row] and trace.modules[row].same_as is None:
            total[row] = own[row] = Duration(0.0, 0.0, total[parents[row]].high)


def _bounds(
    trace: Trace, works: Sequence[Work | None], reached: Limits, total: Sequence[Duration]
) -> Iterator[str | None]:
    """What each module would wait for, if it were as fast as this machine can be; overhead where it is far from that.

    What calls without a formula ask for is not known, nor what a machine without a product or a copy can do; of a layer
    in a training step the forward pass alone was timed.
    """
    unknown = [0] * len(trace.modules)
    for call, work in zip(trace.calls, works, strict=True):
        unknown[call.module] += work is None
    is_known = [
        not calls and reached.is_complete and not (trace.phases and row)
        for row, calls in enumerate(summed(trace.modules, unknown))
    ]
    for known, (flops, moved), duration in zip(is_known, amounts(trace, works), total, strict=True):
        computing, moving = reached.seconds(flops, moved)
        if known and max(computing, moving) < _TINY * duration.low:
            yield OVERHEAD
        else:
            yield None if not computing and not moving else ARITHMETIC if computing > moving else MEMORY


def _dtype(works: Sequence[Work | None]) -> str:
    """The dtype that most is multiplied in."""
    by_dtype: dict[str, int] = {}
    for work in works:
        if work is not None and work.matrix_flops:
            by_dtype[work.matrix_dtype] = by_dtype.get(work.matrix_dtype, 0) + work.matrix_flops
    most = max(by_dtype, key=lambda dtype: by_dtype[dtype], default="float32")
    return most if hasattr(torch, most) else "float32"


# What is said ---------------------------------------------------------------------------------------------------------


def _noise(whole: Duration, taken: Samples[Spent]) -> Iterator[str]:
    if width(whole) > TOO_WIDE:
        share = "" if whole.seconds <= 0 else f", {numbers.share(width(whole))} % of it"
        yield Caution(
            f"TOO NOISY to tell: after {taken.runs} runs the interval of the median is still wide{share}; close what "
            "else runs here, or give it more --seconds"
        )


def _looking_costs(factor: float) -> str:
    return Caution(
        f"Looking at every module changes the time to {numbers.ratio(1 / factor)} times what it is; the layers are "
        "scaled to the whole, and their intervals are wider by as much"
    )
