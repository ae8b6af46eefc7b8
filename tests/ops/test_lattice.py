"""Sums over windows in closed form: what a loop finds, and no longer for long axes."""

import sys
from dataclasses import astuple
from types import FrameType
from typing import Any

import pytest
from formula_rows import f, i
from formula_tables import TABLES
from hypothesis import given
from hypothesis import strategies as st

from profiler.ops import cost, is_known
from profiler.ops.lattice import adaptive_taps, clamped_floor_sum, floor_sum, window_taps
from profiler.ops.registry import formula_of
from profiler.records.trace import Signature, Tensor

size, setting = st.integers(0, 40), st.integers(1, 9)


@given(size, size, size, setting)
def test_a_floor_sum_is_the_sum_of_floors(terms, slope, offset, divisor) -> None:
    assert floor_sum(terms, slope, offset, divisor) == sum((slope * i + offset) // divisor for i in range(terms))


@given(size, size, st.integers(-60, 60), setting, size)
def test_a_clamped_sum_is_the_sum_of_clamped_floors(terms, slope, offset, divisor, most) -> None:
    floors = [(slope * i + offset) // divisor for i in range(terms)]
    assert clamped_floor_sum(terms, slope, offset, divisor, most) == sum(max(0, min(x, most)) for x in floors)


@given(size, size, setting, setting, size, setting)
def test_the_taps_of_windows_are_those_inside(length, windows, kernel, stride, padding, dilation) -> None:
    places = [w * stride - padding + t * dilation for w in range(windows) for t in range(kernel)]
    assert window_taps(length, windows, kernel, stride, padding, dilation) == sum(0 <= p < length for p in places)


@given(size, size)
def test_the_taps_of_adaptive_windows_are_their_lengths(length, windows) -> None:
    lengths = [-(-(o + 1) * length // windows) - o * length // windows for o in range(windows)]
    assert adaptive_taps(length, windows) == sum(lengths)


# Axes as long as no loop could walk them: should a formula loop over one, this file does not end.
LONG = 10**12
ON_LONG_AXES = {
    "max_pool1d": ((f(1, 1, 2 * LONG), (2,)), f(1, 1, LONG), {"comparisons": LONG}),
    "max_pool1d with a kernel as long": (
        (f(1, 1, 2 * LONG), (LONG,), (1,)), f(1, 1, LONG + 1), {"comparisons": (LONG + 1) * (LONG - 1)}
    ),
    "avg_pool2d": (
        (f(1, 1, LONG, LONG), (3, 3), (1, 1), (1, 1)), f(1, 1, LONG, LONG),
        {"adds": (3 * LONG - 2) ** 2 - LONG**2, "divs": LONG**2},
    ),
    "max_pool3d_with_indices": (
        (f(1, LONG, 2, LONG), (LONG, 2, 1)), (f(1, 1, 1, LONG), i(1, 1, 1, LONG)), {"comparisons": 2 * LONG**2 - LONG}
    ),
    "adaptive_avg_pool1d": (
        (f(1, 1, LONG), (LONG // 2,)), f(1, 1, LONG // 2), {"adds": LONG // 2, "divs": LONG // 2}
    ),
    "adaptive_max_pool2d": ((f(1, LONG, LONG), (1, 1)), (f(1, 1, 1), i(1, 1, 1)), {"comparisons": LONG**2 - 1}),
    "avg_pool2d_backward": (
        (f(1, 1, LONG), f(1, 2, LONG), (2, 1), (2, 1), (0, 0)), f(1, 2, LONG), {"adds": 2 * LONG, "divs": LONG}
    ),
    "_adaptive_avg_pool2d_backward": ((f(1, 1, 1), f(1, 2, LONG)), f(1, 2, LONG), {"adds": 2 * LONG, "divs": 1}),
    # a filter 2 wide, stretched to 4: at both ends 3 taps are inside
    "_upsample_bilinear2d_aa": (
        (f(1, 1, 1, 2 * LONG), (1, LONG), False), f(1, 1, 1, LONG), {"muls": 4 * LONG - 2, "adds": 3 * LONG - 2}
    ),
    "_upsample_bicubic2d_aa_backward": (
        (f(1, 1, 1, LONG), (1, LONG), (1, 1, 1, 2 * LONG), False), f(1, 1, 1, 2 * LONG),
        {"muls": 8 * LONG - 8, "adds": 8 * LONG - 8},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("args", "out", "counts"), ON_LONG_AXES.values(), ids=ON_LONG_AXES)
def test_no_formula_walks_over_positions(args, out, counts, request) -> None:
    op = request.node.callspec.id.split()[0]
    found = cost(Signature(f"aten.{op}.default", args, (), out))
    assert {name: getattr(found, name) for name in counts} == counts


def long(value: Any) -> Any:
    """The same arguments, every axis of every tensor a million times as long."""
    if isinstance(value, tuple):
        return tuple(map(long, value))
    return Tensor(tuple(size * 10**6 for size in value.shape), value.dtype) if isinstance(value, Tensor) else value


def small(value: Any, size: int) -> Any:
    """The same arguments, every axis of every tensor of one size."""
    if isinstance(value, tuple):
        return tuple(small(item, size) for item in value)
    return Tensor((size,) * value.ndim, value.dtype) if isinstance(value, Tensor) else value


@pytest.mark.parametrize("size", [0, 1])
def test_no_row_of_the_tables_fails_on_axes_of_nothing_or_of_one(size) -> None:
    for row in (row for rows in TABLES.values() for row in rows):
        signature = row.signature
        kwargs = tuple((name, small(value, size)) for name, value in signature.kwargs)
        found = cost(Signature(signature.op, small(signature.args, size), kwargs, small(signature.output, size)))
        assert found is None or min(astuple(found)) >= 0, signature.op


class TooManySteps(Exception):
    pass


def lines_run(function, *args, **kwargs) -> int:
    """How many lines of Python a call runs. A generator runs one for each thing that it yields."""
    lines = 0

    def step(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        if lines > 10_000:
            raise TooManySteps
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        function(*args, **kwargs)
    finally:
        sys.settrace(before)
    return lines


def test_no_row_of_the_tables_takes_longer_with_longer_axes() -> None:
    for row in (row for rows in TABLES.values() for row in rows if is_known(row.signature.op)):
        signature = row.signature
        kwargs = dict(signature.kwargs) | {"out": signature.output}
        short = lines_run(formula_of(signature.op), *signature.args, **kwargs)
        kwargs = {name: long(value) for name, value in kwargs.items()}
        try:
            lines = lines_run(formula_of(signature.op), *long(signature.args), **kwargs)
        except TooManySteps:
            pytest.fail(f"{signature.op} walks over positions")
        assert lines <= short + 300, signature.op


def test_a_walk_would_be_seen() -> None:
    with pytest.raises(TooManySteps):
        lines_run(lambda n: sum(x for x in range(n)), 10**9)
