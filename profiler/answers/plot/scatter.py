"""Which models are best for what they cost? A point a model, and the front that none is better than."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from profiler import errors
from profiler.answers.common.ordering import pareto
from profiler.answers.common.time_columns import TIME
from profiler.answers.models.compute import Comparison, Entry
from profiler.answers.models.table import TIME_COLUMNS, available_columns
from profiler.answers.plot.axes import axis
from profiler.answers.plot.request import Request
from profiler.records.times import LOWER_BOUND, Timer
from profiler.render.charts.data import Dot, Scatter
from profiler.render.tables import Column, Unit, chosen_columns

_NO_NUMBERS = (Unit.TEXT, Unit.SHAPE)


def scatter(comparison: Comparison, request: Request) -> Scatter:
    """Raises `errors.ProfileError` where an axis is unknown, or no model has both values."""
    x, y = columns(request, comparison.metric_names, comparison.entries, comparison.layout.timer)
    points = [_point(entry, comparison, x, y) for entry in comparison.entries]
    known = [point for point in points if point is not None]
    if not known:
        raise _no_values(x.name, y.name)
    best = None if x.better is None or y.better is None else (x.better, y.better)
    front = pareto(known, best) if best else set()
    return Scatter(
        axis(x, comparison.profiles, request.is_log("x", [a for a, _ in known], usual=True)),
        axis(y, comparison.profiles, request.is_log("y", [b for _, b in known], usual=False)),
        tuple(
            Dot(entry.label, *point, point in front, _interval(entry, x))
            for entry, point in zip(comparison.entries, points, strict=True)
            if point is not None
        ),
        best,
        tuple(entry.label for entry, point in zip(comparison.entries, points, strict=True) if point is None),
    )


def columns(
    request: Request, named: Sequence[str], entries: Sequence[Entry] = (), timer: Timer | None = None
) -> tuple[Column, Column]:
    """Those of x and y, where metrics have these names; raises `errors.ProfileError`."""
    if len(request.y) > 1:
        raise _one_axis(request.y)
    x = request.x or (TIME if request.device is not None else "macs")
    y = request.y[0] if request.y else next(iter(named), "params")
    for option, name in (("--x", x), ("--y", y)):
        if name in TIME_COLUMNS and name not in named and request.device is None:
            raise errors.only_with(f"{option} {name}", "--device")
    first, second = chosen_columns([x, y], available_columns(named, entries, timer))
    for column in (first, second):
        if column.name not in named and column.unit in _NO_NUMBERS:
            raise _no_numbers(column.name)
    return first, second


def _point(entry: Entry, comparison: Comparison, *axes: Column) -> tuple[float | Decimal, float | Decimal] | None:
    """None where one of its values is not known, or is a text."""
    if entry.profile is None:
        return None
    x, y = (column.get(entry, comparison.reference) for column in axes)
    return None if isinstance(x, str) or isinstance(y, str) or x is None or y is None else (x, y)


def _interval(entry: Entry, column: Column) -> tuple[float, float] | None:
    """Of a time that was measured or predicted: that of a lower bound is no interval that it is in."""
    times = entry.times if column.name == TIME else None
    if times is None or times.word == LOWER_BOUND:
        return None
    return times.whole.low, times.whole.high


# Error messages -------------------------------------------------------------------------------------------------------


def _no_values(x: str, y: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"no model has both {x} and {y}; choose others with --x and --y, or give --metrics that know these models"
    )


def _one_axis(names: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(f"--y {','.join(names)}: a scatter has one; choose {names[0]}, or --kind kinds")


def _no_numbers(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"{name} is no number, and an axis has numbers; choose another column for it")
