"""So many decode steps one after the other: a few are run, and the rest follows exactly from them, or all are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from profiler.answers.generate.phases import SUMMED, Phase, Steps, Stretch
from profiler.figures.profile import Profile
from profiler.records.polynomial import Polynomial, through
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from profiler.engine.run.phases import Phases

_FEW = 8  # decode steps, from which on not each one is run
_STEPS = 4  # decode steps that are run before a prompt of another length is


class Runs:
    """Decode steps at any context from that of the prompt on, each run once."""

    def __init__(self, phases: Phases, profile: Callable[[Trace], Profile]) -> None:
        self._phases = self._latest = phases
        self._profile = profile
        self._found: dict[int, Phase] = {}

    def at(self, context: int) -> Phase:
        if context not in self._found:
            self._go_to(context)
            self._found[context] = Phase(self._profile(self._latest.decode()))
        return self._found[context]

    def _go_to(self, context: int) -> None:
        """Step by step where it is near; else with a prompt of that length."""
        if not 0 <= context - self._latest.context <= _STEPS:
            self._latest = self._phases.at(context)
            self._latest.prefill()
        while self._latest.context < context:
            self._latest.decode()


# Sums -----------------------------------------------------------------------------------------------------------------


def summed(runs: Runs, first: int, last: int) -> Steps:
    return Steps(tuple(_stretches(runs, first, last)))


def _stretches(runs: Runs, first: int, last: int) -> list[Stretch]:
    """Where the figures are no polynomials of the context, the stretch is cut in two, down to a few steps."""
    if last - first < _FEW:
        return [Stretch(first, last, {context: runs.at(context) for context in range(first, last + 1)}, None)]
    some = {context: runs.at(context) for context in _some(first, last)}
    polynomials = {figure: through({c: getattr(p, figure) for c, p in some.items()}) for figure in SUMMED}
    confirmed = {figure: p for figure, p in polynomials.items() if p is not None}
    if len(confirmed) == len(SUMMED):
        return [Stretch(first, last, some, confirmed)]
    cut = _bend(some, first, last)
    return [*_stretches(runs, first, cut), *_stretches(runs, cut + 1, last)]


def _some(first: int, last: int) -> tuple[int, ...]:
    """Both ends with their neighbours, and two between at no regular distance."""
    span = last - first
    return tuple(sorted({first, first + 1, first + span * 3 // 7, first + span * 5 // 8, last - 1, last}))


def _bend(some: Mapping[int, Phase], first: int, last: int) -> int:
    """Where the lines through both ends meet, as they do where a window has been filled; else the middle."""
    left = _line(some, first, first + 1)
    right = _line(some, last - 1, last)
    slope = left.coefficients[1] - right.coefficients[1]
    if slope:
        cut = int((right.coefficients[0] - left.coefficients[0]) // slope)
        if first < cut < last:
            return cut
    return (first + last) // 2


def _line(some: Mapping[int, Phase], a: int, b: int) -> Polynomial:
    """Through two neighbours."""
    rise = Fraction(some[b].macs - some[a].macs)
    return Polynomial((some[a].macs - rise * a, rise), (a, b))
