"""Which rows come first, and which is no other one better than? By the values of columns, and what is best in them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from profiler.render.tables import Better

Point: TypeAlias = tuple[float | Decimal, ...]


def rank(value: Any) -> tuple[bool, Any]:
    """What to sort rows by: the largest first, texts by the alphabet, and what is not known last."""
    if isinstance(value, str):
        return False, value.lower()
    return value is None, -value if isinstance(value, (int, float, Decimal)) else 0


def pareto(points: Sequence[Point], best: Sequence[Better]) -> set[Point]:
    """The points that no other one is better than in one direction without being worse in another."""
    signs = [1 if direction == "min" else -1 for direction in best]
    front: list[Point] = []  # with the signs that make less better
    for point in sorted({tuple(sign * x for sign, x in zip(signs, point, strict=True)) for point in points}):
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in reversed(front)):
            front.append(point)
    return {tuple(sign * x for sign, x in zip(signs, point, strict=True)) for point in front}
