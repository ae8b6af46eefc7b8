"""Labels of points cover nothing, whatever points there are."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from profiler.render.charts.labels import Box, places

WITHIN = Box(0, 0, 400, 300)
RADIUS = 4.0
POINTS = st.lists(st.tuples(st.floats(5, 395), st.floats(5, 295)), min_size=1, max_size=30)
WIDTHS = st.lists(st.floats(5, 120), min_size=30, max_size=30)


@given(POINTS, WIDTHS)
def test_no_label_covers_another_or_a_point(points: list[tuple[float, float]], widths: list[float]) -> None:
    sizes = [(width, 9.0) for width in widths[: len(points)]]
    chosen = [place for place in places(sizes, points, WITHIN, [RADIUS] * len(points)) if place is not None]
    dots = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    assert not any(one.box.overlaps(other.box) for one, other in combinations(chosen, 2))
    assert not any(place.box.overlaps(dot) for place in chosen for dot in dots)
    assert all(place.box.is_within(WITHIN) for place in chosen)


@given(POINTS)
def test_the_first_label_has_a_place_where_there_is_one(points: list[tuple[float, float]]) -> None:
    alone = points[:1]
    assert places([(60.0, 9.0)], alone, WITHIN, [RADIUS])[0] is not None


def test_a_label_without_a_line_is_nearest_to_its_own_point() -> None:
    first, second = places([(40.0, 9.0)] * 2, [(100, 100), (112, 104)], WITHIN, [RADIUS] * 2)
    assert first is not None
    assert second is not None
    assert first.box.right < 100 or first.leader is not None


def test_a_label_keeps_off_a_line_where_it_can() -> None:
    (place,) = places([(40.0, 9.0)], [(100, 100)], WITHIN, [RADIUS], line=[(100, 100), (400, 100), (400, 300)])
    assert place is not None
    assert not place.box.overlaps(Box(100, 99, 400, 101))


def test_what_finds_no_room_is_left_out() -> None:
    assert places([(1000.0, 9.0)], [(100, 100)], WITHIN, [RADIUS]) == [None]
