"""How is a machine calibrated? Operators of the grid are measured twice, half of the time each, and fitted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from profiler.devices.calibration import measure, shapes
from profiler.devices.calibration.fit import fit
from profiler.devices.calibration.measure import Runner, Sample
from profiler.devices.calibration.predict import Fitted
from profiler.devices.calibration.shapes import Case

Tick = Callable[[object], None]  # called after each operator that was measured


def fitted(runner: Runner, dtypes: Sequence[str], seconds: float, tick: Tick, scale: float = 1.0) -> list[Fitted]:
    """What was measured in so many seconds, and fitted. `scale`: see `shapes.grid`."""
    fits = []
    for dtype in dtypes:
        by_family: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples(runner, dtype, seconds / len(dtypes), tick, scale):
            by_family[sample.point.family].append(sample)
        fits += [Fitted(family, dtype, tuple(several), fit(several)) for family, several in by_family.items()]
    return fits


def samples(runner: Runner, dtype: str, seconds: float, tick: Tick, scale: float) -> list[Sample]:
    """Each operator twice, far apart in time, of which the faster counts: what disturbs a machine comes and goes."""
    start = runner.clock()
    cases: list[Case] = []
    first: list[Sample] = []
    for case in shapes.grid(dtype, scale):
        if runner.clock() - start >= seconds / 2 and first:
            break
        cases.append(case)
        first += measure.samples(runner, [case])
        tick(None)
    kept: list[Sample] = []
    for sample, again in zip(first, measure.samples(runner, cases), strict=False):
        kept.append(min(sample, again, key=lambda each: each.seconds))
        tick(None)
        if runner.clock() - start >= seconds:
            break
    return kept + first[len(kept) :]


def call_seconds(runner: Runner, dtype: str) -> float:
    """What an operator takes that does nothing but make a view."""
    times = [measure.seconds(runner, runner.prepare(case)) for case in shapes.views(dtype)]
    return sorted(times)[len(times) // 2]
