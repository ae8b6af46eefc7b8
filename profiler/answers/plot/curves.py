"""How does a cost grow with the batch, the image, the width? What was run, and the exact polynomial through it."""

from __future__ import annotations

from collections.abc import Sequence

from profiler import errors
from profiler.answers.common.varying import BATCH, SEQ, SIZE
from profiler.answers.plot.axes import axis
from profiler.answers.plot.request import Request
from profiler.answers.scan.compute import Scan
from profiler.answers.scan.table import SCAN_COLUMNS, TIME_COLUMNS
from profiler.render.charts.data import Axis, Curve, Curves
from profiler.render.tables import Column, Unit, chosen_columns

_STEPS = 100  # of a curve
# Whose exact polynomials a scan knows, by the names of their columns.
_POLYNOMIALS = {
    "params": "params", "macs": "macs", "flops": "flops", "activations": "activation_bytes",
    "memory": "peak_memory_bytes",
}  # fmt: skip
_WORDS = {BATCH: "Batch size", SIZE: "Image size", SEQ: "Tokens"}
_NO_NUMBERS = (Unit.TEXT, Unit.SHAPE)


def check(request: Request) -> None:
    """Raise `errors.ProfileError`, before anything runs, where a figure is not known."""
    for column in chosen_columns(request.y, SCAN_COLUMNS):
        if column.unit in _NO_NUMBERS:
            raise _no_number(column.name)
        if column.name in TIME_COLUMNS and request.device is None:
            raise errors.only_with(f"--y {column.name}", "--device")


def curves(scans: Sequence[tuple[str, Scan]], request: Request) -> Curves:
    """Of each model, by its label; raises `errors.ProfileError` where no value is a number."""
    columns = chosen_columns(request.y or ("time" if request.device is not None else "macs",), SCAN_COLUMNS)
    scan = scans[0][1]
    values = [value for _, each in scans for value in _numbers(each)]
    if not values:
        raise _no_values(scan.varying.name)
    x = Axis(
        scan.varying.name,
        _WORDS.get(scan.varying.name, scan.varying.name),
        Unit.RATIO,
        is_log=request.is_log("x", values, usual=False),
    )
    return Curves(x, tuple(_panel(column, scans, request) for column in columns))


def _panel(column: Column, scans: Sequence[tuple[str, Scan]], request: Request) -> tuple[Axis, tuple[Curve, ...]]:
    profiles = [profile for _, scan in scans for profile in scan.profiles]
    drawn = tuple(_curve(label, scan, column) for label, scan in scans)
    heights = [y for curve in drawn for _, y in curve.points]
    return axis(column, profiles, request.is_log("y", heights, usual=False)), drawn


def _curve(label: str, scan: Scan, column: Column) -> Curve:
    points = [
        (float(point.value), column.get(point, None))
        for point in scan.points
        if _is_number(point.value) and point.result
    ]
    known = tuple((x, float(y)) for x, y in points if y is not None)
    polynomial = scan.polynomials.get(_POLYNOMIALS.get(column.name, ""))
    if polynomial is None or not known:
        return Curve(label, known, (), None)
    least, most = int(min(known)[0]), int(max(known)[0])
    steps = range(least, most + 1, max(1, (most - least) // _STEPS))
    through = tuple((float(value), float(polynomial(value))) for value in dict.fromkeys((*steps, most)))
    return Curve(label, known, through, polynomial.written(scan.varying.name) + " bytes" * (column.unit is Unit.BYTES))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(scan: Scan) -> Sequence[float]:
    return [float(point.value) for point in scan.points if _is_number(point.value) and point.result is not None]


# Error messages -------------------------------------------------------------------------------------------------------


def _no_number(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"--y {name} is no number, and an axis has numbers; choose another column")


def _no_values(name: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--scan {name}: its values are no numbers, which an axis has; `profile-model scan` lists them"
    )
