"""How long do operators take here? Case after case is run as a model runs it, and timed call by call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import quantiles
from typing import NamedTuple, Protocol

from profiler.devices.calibration import families
from profiler.devices.calibration.families import Point
from profiler.devices.calibration.shapes import Case
from profiler.records.trace import Signature

_LEAST, _MOST = 5, 15  # repetitions of a case
_SECONDS = 0.08  # that the repetitions of a case take, if they are not fewer than the least


class Sample(NamedTuple):
    """The seconds that a call of an operator took."""

    point: Point
    seconds: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case that can be run.

    signature: with the output that it has. before: what has to happen before each timed call. call: runs the operator
    `calls` times, and waits for it.
    """

    signature: Signature
    before: Callable[[], None]
    call: Callable[[], object]
    calls: int = 1


class Runner(Protocol):
    """What runs operators: this machine, or in tests one whose times follow a known law."""

    def prepare(self, case: Case) -> Prepared: ...

    def clock(self) -> float:
        """Seconds, from any beginning."""
        ...


def samples(runner: Runner, cases: Iterable[Case]) -> Iterator[Sample]:
    """Measure case after case."""
    for case in cases:
        prepared = runner.prepare(case)
        point = families.point(prepared.signature)
        assert point is not None, "the grid has operators with formulas alone"
        yield Sample(point, seconds(runner, prepared))


def seconds(runner: Runner, prepared: Prepared) -> float:
    """What a call takes: the lower quartile of some repetitions, as disturbances only add.

    Each result lives until the next is there, as in a model.
    """
    times: list[float] = []
    end = runner.clock() + _SECONDS
    results: list[object] = [None]
    while len(times) < _LEAST or (runner.clock() < end and len(times) < _MOST):
        prepared.before()
        start = runner.clock()
        results[0] = prepared.call()
        times.append((runner.clock() - start) / prepared.calls)
    return quantiles(times, n=4)[0]
