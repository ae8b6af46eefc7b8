"""By how much may a total grow? How limits are read, and when one is exceeded."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import errors
from profiler.answers.diff.compute import _grew_too_much
from profiler.answers.diff.increase import GrowthLimits, growth_limits, growths
from profiler.render import numbers

FIGURES = ("params", "macs", "peak")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2%", GrowthLimits(Decimal(2))),
        ("0", GrowthLimits(Decimal(0))),
        ("0%", GrowthLimits(Decimal(0))),
        ("2 %", GrowthLimits(Decimal(2))),
        ("0.5%", GrowthLimits(Decimal("0.5"))),
        ("150%", GrowthLimits(Decimal(150))),
        ("params=0,macs=5%", GrowthLimits(None, {"params": Decimal(0), "macs": Decimal(5)})),
        (" 2% , params=0 ", GrowthLimits(Decimal(2), {"params": Decimal(0)})),
    ],
)
def test_limits(text: str, expected: GrowthLimits) -> None:
    assert growth_limits(text, FIGURES) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is not a percentage"),
        ("2", "'2' is not a percentage"),
        ("params=3", "'3' is not a percentage"),
        ("-2%", "'-2%' is not a percentage"),
        ("+2%", "is not a percentage"),
        ("1e3%", "is not a percentage"),
        (".5%", "is not a percentage"),
        ("5.%", "is not a percentage"),
        ("2%%", "is not a percentage"),
        ("٢%", "is not a percentage"),
        ("nan%", "is not a percentage"),
        ("2%,", "'' is not a percentage"),
        ("params=", "is not a percentage"),
        ("=2%", "no figure is called ''"),
        ("params", "is not a percentage"),
        ("weights=2%", "no figure is called 'weights'; choose from params, macs, peak"),
        ("2%,3%", "all figures are given twice"),
        ("params=1%,params=1%", "params is given twice"),
    ],
)
def test_other_texts_are_refused(text: str, says: str) -> None:
    with pytest.raises(errors.ProfileError) as refused:
        growth_limits(text, FIGURES)
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"--max-increase {text}: ")


@pytest.mark.parametrize(
    ("text", "before", "after", "fails"),
    [
        ("0", 100, 100, False),
        ("0", 100, 101, True),
        ("0", 100, 99, False),
        ("0", 0, 0, False),
        ("0", 0, 1, True),
        ("999%", 0, 1, True),  # no part of nothing is something
        ("2%", 100, 102, False),
        ("2%", 10**30, 10**30 + 2 * 10**28, False),
        ("2%", 10**30, 10**30 + 2 * 10**28 + 1, True),  # where a float could not tell
        ("0.1%", 1000, 1001, False),
        ("macs=0", 100, 200, False),
        ("params=50%,0", 100, 150, False),
        ("params=50%,0", 100, 151, True),
    ],
)
def test_growth(text: str, before: int, after: int, fails: bool) -> None:
    assert bool(list(growths(growth_limits(text, FIGURES), {"params": (before, after)}))) == fails


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.decimals(0, 10**6, places=3))
def test_a_limit_is_exact(before: int, after: int, percent: Decimal) -> None:
    allowed = before + before * Fraction(percent) / 100
    failed = list(growths(GrowthLimits(percent), {"params": (before, after)}))
    assert bool(failed) == (after > allowed and after > before)


@given(st.integers(1, 10**12), st.decimals("0.001", 100, places=3))
def test_the_sentence_shows_that_it_is_more(before: int, allowed: Decimal) -> None:
    """However little more it is, as long as it is not lost in fifteen decimals."""
    after = int(before + before * Fraction(allowed) / 100) + 1
    by, percent = numbers.grown(before, after, allowed).removesuffix(" %").rsplit(", ", maxsplit=1)
    assert by == f"{after - before:,}"
    written = Decimal(percent)
    assert written > allowed
    assert written == pytest.approx(Decimal(100 * (after - before)) / before, abs=Decimal("0.005"))
    words = str(_grew_too_much("net", "MACs", by, f"{before:,}", f"{after:,}", allowed, ()))
    assert f"MACs grew by {by}, from {before:,} to {after:,}, and {allowed} % is allowed" in words
