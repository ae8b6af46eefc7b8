"""Polynomials through points: found exactly, of the lowest degree, or not at all."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.records.polynomial import HIGHEST, Polynomial, through

COEFFICIENTS = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=HIGHEST + 1)
POINTS = st.lists(st.integers(0, 10**5), min_size=HIGHEST + 3, max_size=12, unique=True)


@given(coefficients=COEFFICIENTS, points=POINTS)
def test_what_is_a_polynomial_is_found(coefficients: list[int], points: list[int]) -> None:
    values = {point: sum(c * point**power for power, c in enumerate(coefficients)) for point in points}
    found = through(values)
    while len(coefficients) > 1 and not coefficients[-1]:
        coefficients.pop()
    assert found is not None
    assert found.coefficients == tuple(map(Fraction, coefficients))
    assert found.confirmations == len(points) - len(coefficients) >= 1
    assert found.points == tuple(sorted(points))


@given(coefficients=COEFFICIENTS, points=POINTS, index=st.integers(0, 20), off=st.integers(1, 10**6))
def test_one_point_that_is_off_leaves_none(coefficients: list[int], points: list[int], index: int, off: int) -> None:
    """A polynomial of so low a degree cannot go through all points once one has moved, for the others fix it."""
    values = {point: sum(c * point**power for power, c in enumerate(coefficients)) for point in points}
    values[points[index % len(points)]] += off
    assert through(values) is None


@given(values=st.dictionaries(st.integers(0, 1000), st.integers(0, 10**15), min_size=1, max_size=12))
def test_whatever_is_found_holds_at_every_point(values: dict[int, int]) -> None:
    found = through(values)
    if found is not None:
        assert all(found(point) == value for point, value in values.items())


def test_fractions_are_exact() -> None:
    found = through({16 * n: n * n + 1 for n in (10, 11, 14, 20, 22)})
    assert found is not None
    assert found.coefficients == (1, 0, Fraction(1, 256))
    assert found.written("size") == "1/256·size² + 1"


def test_no_point_is_left_to_confirm_it() -> None:
    assert through({1: 1, 2: 4, 3: 9}) is None
    assert through({1: 1, 2: 4, 3: 9, 4: 16}) is not None
    assert through({5: 7}) is None
    assert through({5: 7, 6: 7}) == Polynomial((Fraction(7),), (5, 6))
    assert through({n: n**5 for n in range(20)}) is None


@pytest.mark.parametrize(
    ("coefficients", "text"),
    [
        ((0,), "0"),
        ((-5,), "−5"),
        ((0, 1), "n"),
        ((-1, -1, 1), "n² − n − 1"),
        ((0, 0, 0, 0, Fraction(9, 32)), "9/32·n⁴"),
        ((1, Fraction(-1234, 3)), "−1,234/3·n + 1"),
    ],
)
def test_it_is_written_as_in_a_paper(coefficients: tuple[int, ...], text: str) -> None:
    assert Polynomial(tuple(map(Fraction, coefficients)), ()).written("n") == text
