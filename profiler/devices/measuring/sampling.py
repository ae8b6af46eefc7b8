"""How often is a model run? Until its time has settled, then until that is known, or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

from profiler.devices.measuring.intervals import of_blocks, width

T = TypeVar("T")

_PRECISE = 0.04  # of the median: an interval of +-2 %
_BLOCKS = 24  # that the budget is spread over
_LEAST_BLOCKS = 12
_AT_LEAST = 0.6  # of the budget, whatever the interval is: what is over soon sees no drift
_FEWEST = 2  # blocks, whatever the budget is
_WARM_UP = 0.2  # of the budget, at most
_ALIKE = 0.05  # how far runs differ that have settled
_IN_A_ROW = 3


@dataclass(slots=True)
class Samples(Generic[T]):
    """Seconds of each whole run, and what was sampled inside of others, by blocks that are spread over the time."""

    whole: list[list[float]] = field(default_factory=list)
    inside: list[list[T]] = field(default_factory=list)

    @property
    def runs(self) -> int:
        return sum(map(len, self.whole))


def warmed_up(whole: Callable[[], float], now: Callable[[], float], budget: float) -> None:
    """Run until three runs in a row are alike, or a part of the budget is spent."""
    end, runs = now() + budget * _WARM_UP, [whole()]
    while now() < end and not _has_settled(runs):
        runs.append(whole())


def _has_settled(runs: Sequence[float]) -> bool:
    last = runs[-_IN_A_ROW:]
    return len(runs) > _IN_A_ROW and max(last) - min(last) <= _ALIKE * median(last)


def collect(
    whole: Callable[[], float],
    inside: Callable[[], T] | None,
    now: Callable[[], float],
    budget: float,
    ended: Callable[[int], None] = lambda runs: None,
) -> Samples[T]:
    """Blocks of whole runs and of runs that are looked into, in turn, so that both meet the same drift.

    budget: seconds; what is under way is ended. ended: is told the number of runs after each block.
    """
    begin = now()
    warmed_up(whole, now, budget)
    size = _block_size(whole, inside, now, budget - (now() - begin))
    samples: Samples[T] = Samples()
    while True:
        samples.whole.append([whole() for _ in range(size)])
        if inside is not None:
            samples.inside.append([inside() for _ in range(size)])
        ended(samples.runs)
        blocks = len(samples.whole)
        if blocks >= _FEWEST and now() - begin >= budget:
            return samples
        is_long = now() - begin >= budget * _AT_LEAST
        if is_long and blocks >= _LEAST_BLOCKS and width(of_blocks(samples.whole)) <= _PRECISE:
            return samples
        if blocks >= 4 * _BLOCKS:  # of runs that take no time
            return samples


def _block_size(
    whole: Callable[[], float], inside: Callable[[], object] | None, now: Callable[[], float], budget: float
) -> int:
    """How many runs of each kind a block has, where the blocks share a budget; what is done around a run counts too."""
    begin = now()
    whole()
    if inside is not None:
        inside()
    spent = now() - begin
    return max(1, int(budget / (_BLOCKS * spent))) if spent > 0 else 1
