"""Where do the labels of points stand? Beside their points, so that none covers another label, a point or a line.

Each label is tried all around its point, near it first, and takes the first place that is free; where that is not
beside its point, a line leads there. One that finds no place is left out. It is a matter of rectangles alone: no
randomness, no clock, and so the same figure every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import hypot
from typing import NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]

# From the point to the label's middle, in halves of the label: to the right first, as in a text, then above, ...
_DIRECTIONS = (
    (1, 0.6), (1, -0.6), (-1, 0.6), (-1, -0.6), (0, 1), (0, -1), (1, 0), (-1, 0),
    (0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1), (1, 1), (-1, 1), (1, -1), (-1, -1),
)  # fmt: skip
_DISTANCES = (1.3, 2.5, 4, 6, 8.5, 12, 16, 22, 29)  # in radii of a point
_BESIDE = 2.5  # up to where no line has to lead to a label


class Box(NamedTuple):
    """A rectangle."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def is_within(self, other: Box) -> bool:
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.bottom <= self.bottom
            and self.top <= other.top
        )


class Place(NamedTuple):
    """Where a label stands, and the line that leads there: from the point to the label; None where it is beside."""

    box: Box
    leader: tuple[Point, Point] | None


def places(
    sizes: Sequence[tuple[float, float]],
    points: Sequence[Point],
    within: Box,
    radii: Sequence[float],
    line: Sequence[Point] = (),
    blocked: Iterable[Box] = (),
) -> list[Place | None]:
    """A place for each label of a width and height; the first ones choose first.

    radii: of what is drawn for each point. line: corners of one that is drawn, which a label may cover where nothing
    else is free. blocked: what no label may cover.
    """
    thin = min(radii, default=1.0) / 4
    dots = [_square(point, radius) for point, radius in zip(points, radii, strict=True)]
    on_line = list(_squares(line, 2 * thin))
    taken = list(blocked)
    chosen: list[Place | None] = []
    for number, (size, point) in enumerate(zip(sizes, points, strict=True)):
        radius = radii[number]
        others = [dot for dot in dots if dot != dots[number]]
        proposals = [place for place in _around(point, size, radius) if place.box.is_within(within)]
        clear = [place for place in proposals if _is_clear(place, [*taken, *others], thin)]
        free = [place for place in clear if not place.box.overlaps(dots[number]) and _is_nearest(place, point, others)]
        best = next((place for place in free if not any(place.box.overlaps(piece) for piece in on_line)), None)
        best = best or next(iter(free), None)
        chosen.append(best)
        if best is not None:
            taken += [best.box, *_squares(best.leader or (), thin)]
    return chosen


def _around(point: Point, size: tuple[float, float], radius: float) -> Iterator[Place]:
    (x, y), (width, height) = point, size
    for distance in (radius * times for times in _DISTANCES):
        for right, up in _DIRECTIONS:
            middle_x = x + right * (distance + width / 2)
            middle_y = y + up * (distance + height / 2)
            box = Box(middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2)
            nearest = (min(max(x, box.left), box.right), min(max(y, box.bottom), box.top))
            yield Place(box, (point, nearest) if distance > _BESIDE * radius else None)


def _is_clear(place: Place, obstacles: Sequence[Box], thin: float) -> bool:
    """Whether neither the label nor the line to it covers anything."""
    pieces = [place.box, *_squares(place.leader or (), thin)]
    return not any(piece.overlaps(other) for piece in pieces for other in obstacles)


def _is_nearest(place: Place, point: Point, others: Iterable[Box]) -> bool:
    """Whether a label without a line is nearer to its own point than to any other."""
    if place.leader is not None:
        return True
    own = _distance(place.box, point)
    return all(
        own < _distance(place.box, ((other.left + other.right) / 2, (other.bottom + other.top) / 2)) for other in others
    )


def _distance(box: Box, point: Point) -> float:
    x, y = point
    return hypot(max(box.left - x, 0, x - box.right), max(box.bottom - y, 0, y - box.top))


def _square(middle: Point, radius: float) -> Box:
    x, y = middle
    return Box(x - radius, y - radius, x + radius, y + radius)


def _squares(corners: Sequence[Point], radius: float) -> Iterator[Box]:
    """A line as squares that touch."""
    for (x, y), (to_x, to_y) in pairwise(corners):
        pieces = max(1, int(max(abs(to_x - x), abs(to_y - y)) / (2 * radius)))
        for i in range(pieces + 1):
            yield _square((x + (to_x - x) * i / pieces, y + (to_y - y) * i / pieces), radius)
