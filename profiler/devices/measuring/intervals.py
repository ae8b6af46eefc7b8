"""Within which interval is the median of what was measured? Order statistics, which assume no distribution."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb
from statistics import median

from profiler.records.times import Duration

CONFIDENCE = Fraction(95, 100)
_BATCHES = 6  # as few as have an interval of 95 %
TOO_WIDE = 0.2  # of the median: an interval wider than that tells little


def ranks(number: int, confidence: Fraction = CONFIDENCE) -> tuple[int, int] | None:
    """Positions, from 0, of the two sorted samples that the median is between; None of too few samples.

    The number of samples below the median is binomial with p = 1/2. The largest k with P(fewer than k) at most
    (1 - confidence) / 2 gives the k-th smallest and the k-th largest (Conover, "Practical Nonparametric Statistics").
    """
    rest, below, position = (1 - confidence) / 2 * 2**number, 0, 0
    while below + comb(number, position) <= rest:
        below += comb(number, position)
        position += 1
    return (position - 1, number - position) if position else None


def interval(samples: Sequence[float]) -> Duration:
    """The median and its interval. Of too few samples: theirs, made longer by its length on both sides."""
    ordered, between = sorted(samples), ranks(len(samples))
    if between is not None:
        return Duration(median(ordered), ordered[between[0]], ordered[between[1]])
    length = ordered[-1] - ordered[0]
    if len(ordered) == 1:
        return Duration(ordered[0], 0.0, 2 * ordered[0])
    return Duration(median(ordered), max(0.0, ordered[0] - length), ordered[-1] + length)


def of_blocks(blocks: Sequence[Sequence[float]]) -> Duration:
    """The median of all samples, and the interval that the medians of batches of consecutive blocks tell.

    Samples that follow each other are alike, and so do not tell how much a machine drifts; nor do blocks that follow
    each other. Few long batches are nearly independent ("batch means": Law, "Simulation Modeling and Analysis", 9.5.3).
    """
    middle = median(sample for block in blocks for sample in block)
    ends = [at * len(blocks) // min(_BATCHES, len(blocks)) for at in range(min(_BATCHES, len(blocks)) + 1)]
    batches = [[sample for block in blocks[first:last] for sample in block] for first, last in pairwise(ends)]
    drift = interval([median(batch) for batch in batches])
    return Duration(middle, min(middle, drift.low), max(middle, drift.high))


def has_enough(blocks: Sequence[Sequence[float]]) -> bool:
    """Whether so many blocks have an interval of 95 %; of fewer it is their range, made longer on both sides."""
    return len(blocks) >= _BATCHES


def width(duration: Duration) -> float:
    """Of an interval, as a share of the median; infinite where that is nothing."""
    return (duration.high - duration.low) / duration.seconds if duration.seconds > 0 else float("inf")
