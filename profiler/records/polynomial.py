"""Is a figure a polynomial of what varies? Exactly, through every point that was run, or not at all.

Newton's divided differences in fractions: a polynomial of degree d through more than d + 1 points has no differences of
a higher order. So each point beyond d + 1 is one that the polynomial did not need, and that confirms it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

HIGHEST = 4  # of degrees: with a higher one, anything goes through few points
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Polynomial:
    """`coefficients` from the constant up. It holds at `points`, all of which were run."""

    coefficients: tuple[Fraction, ...]
    points: tuple[int, ...]

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    @property
    def confirmations(self) -> int:
        """How many points there are beyond those that it takes to find it."""
        return len(self.points) - len(self.coefficients)

    def __call__(self, value: int) -> Fraction:
        result = Fraction(0)
        for coefficient in reversed(self.coefficients):
            result = result * value + coefficient
        return result

    def written(self, name: str) -> str:
        """`18,432·n² + 768·n − 5`, the highest power first."""
        terms = [(c, power) for power, c in enumerate(self.coefficients) if c][::-1]
        if not terms:
            return "0"
        text = ""
        for coefficient, power in terms:
            sign = "−" if coefficient < 0 else "+"
            term = _term(abs(coefficient), power, name)
            text += f" {sign} {term}" if text else ("−" * (coefficient < 0) + term)
        return text

    def data(self, name: str) -> dict[str, Any]:
        """For programs: whole coefficients as numbers, others as text ("1/256")."""
        return {
            "text": self.written(name),
            "degree": self.degree,
            "coefficients": [c.numerator if c.denominator == 1 else str(c) for c in self.coefficients],
            "points": list(self.points),
            "confirmations": self.confirmations,
        }


def through(values: Mapping[int, int], highest: int = HIGHEST) -> Polynomial | None:
    """The polynomial of the lowest degree through all points; None where no point is left to confirm it."""
    points = tuple(sorted(values))
    differences = _divided_differences(points, [Fraction(values[point]) for point in points])
    while differences and not differences[-1]:
        differences.pop()
    degree = max(len(differences) - 1, 0)
    if degree > highest or len(points) < degree + 2:
        return None
    polynomial = Polynomial(_expanded(points, differences), points)
    assert all(polynomial(point) == values[point] for point in points)
    return polynomial


def _divided_differences(points: Sequence[int], values: list[Fraction]) -> list[Fraction]:
    differences = values[:1]
    for order in range(1, len(points)):
        values = [(values[i + 1] - values[i]) / (points[i + order] - points[i]) for i in range(len(values) - 1)]
        differences.append(values[0])
    return differences


def _expanded(points: Sequence[int], differences: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Newton's form as coefficients of powers, by Horner's rule."""
    coefficients = [Fraction(0)]
    for point, difference in reversed(list(zip(points, differences, strict=False))):
        shifted = [Fraction(0), *coefficients]
        coefficients = [a - point * b for a, b in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
        coefficients[0] += difference
    while len(coefficients) > 1 and not coefficients[-1]:
        coefficients.pop()
    return tuple(coefficients)


def _term(coefficient: Fraction, power: int, name: str) -> str:
    number = f"{coefficient.numerator:,}" + (f"/{coefficient.denominator:,}" if coefficient.denominator > 1 else "")
    if not power:
        return number
    variable = name + (str(power).translate(_SUPERSCRIPTS) if power > 1 else "")
    return variable if coefficient == 1 else f"{number}·{variable}"
