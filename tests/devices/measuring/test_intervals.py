"""Intervals of the median against the binomial distribution."""

from __future__ import annotations

from math import comb
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.devices.measuring.intervals import interval, of_blocks, ranks, width
from profiler.records.times import Duration

# Positions from 0. Tables of the sign test have, for n = 6, 9, 12, 20, the smallest and largest ranks 1, 2, 3, 6.
RANKS = {1: None, 5: None, 6: (0, 5), 8: (0, 7), 9: (1, 7), 12: (2, 9), 20: (5, 14)}


@pytest.mark.parametrize(("number", "positions"), RANKS.items())
def test_ranks_are_those_of_the_sign_test(number: int, positions: tuple[int, int] | None) -> None:
    assert ranks(number) == positions


@given(st.integers(6, 200))
def test_ranks_cover_the_median_as_often_as_they_say(number: int) -> None:
    low, high = ranks(number) or (0, 0)
    covered = sum(comb(number, k) for k in range(low + 1, high + 1)) / 2**number
    narrower = sum(comb(number, k) for k in range(low + 2, high)) / 2**number
    assert covered >= 0.95 > narrower


@given(st.lists(st.floats(1e-6, 1e3), min_size=2))
def test_the_median_is_inside(samples: list[float]) -> None:
    duration = interval(samples)
    assert duration.seconds == median(samples)
    assert duration.low <= duration.seconds <= duration.high


def test_one_sample_tells_little() -> None:
    assert interval([3.0]) == Duration(3.0, 0.0, 6.0)
    assert interval([3.0, 5.0]) == Duration(4.0, 3.0 - 2.0, 5.0 + 2.0)


def test_blocks_that_differ_widen_the_interval() -> None:
    alike = of_blocks([[1.0, 1.1, 0.9]] * 10)
    drifting = of_blocks([[1.0, 1.1, 0.9]] * 5 + [[2.0, 2.1, 1.9]] * 5)
    assert width(alike) == 0
    assert (drifting.low, drifting.high) == (1.0, 2.0)


def test_a_slow_drift_is_inside_of_the_interval() -> None:
    """24 blocks that grow from 1 to 2: six batches of four, whose medians are those of their middles."""
    rising = of_blocks([[1 + at / 23] for at in range(24)])
    assert rising == Duration(1.5, pytest.approx(1 + 1.5 / 23), pytest.approx(1 + 21.5 / 23))
