"""How is a device's roof drawn, and which layers stand how far below it? Arithmetic against bytes, as text.

FLOP a second are drawn over FLOP a byte, both by their logarithms, as Williams, Waterman and Patterson, "Roofline",
CACM 52(4), 2009. The roof rises with the memory's bandwidth up to the ridge, and is flat from there on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from string import ascii_uppercase
from typing import Any, NamedTuple

from profiler.answers.time.compute import TOP, TimeReport
from profiler.figures.layers import Layer
from profiler.render.numbers import rate, share, with_unit
from profiler.render.tables import Column, Row, Table, Unit

_WIDTH, _HEIGHT = 60, 14  # characters
_BLANK, _ROOF = "\u00a0", "·"


class Roof(NamedTuple):
    """FLOP and bytes a second."""

    flops_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """FLOPs for each byte, from which on arithmetic is the limit."""
        return self.flops_per_second / self.bytes_per_second

    def at(self, intensity: float) -> float:
        return min(self.flops_per_second, intensity * self.bytes_per_second)


def roof(report: TimeReport) -> Roof | None:
    """Of the dtype that the model multiplies most in; None where that is not known of the device."""
    if report.measurement is not None:
        limits = report.measurement.limits
        if limits.flops_per_second and limits.bytes_per_second:
            return Roof(limits.flops_per_second, limits.bytes_per_second)
        return None
    if report.roofline is None:
        return None
    seconds = flops = 0.0
    for work in report.works:
        if work is not None and work.matrix_flops:
            flops += work.matrix_flops
            seconds += report.roofline.products(work)
    return Roof(flops / seconds, report.roofline.device.memory_bandwidth) if seconds else None


def roof_facts(report: TimeReport) -> Iterator[tuple[str, Any, Unit, str]]:
    """What the time is bound by, and how many FLOPs there are for each byte."""
    for by, seconds in _by_bound(report).items():
        words = f"{share(seconds / report.times.whole.seconds)} % of the time, with elementwise operators fused"
        yield f"Bound by {by}", seconds, Unit.SECONDS, words
    over, flops = roof(report), report.amounts[0].flops
    least, most = report.moved_bytes(is_fused=True), report.moved_bytes(is_fused=False)
    if least and most:
        words = f"{flops / least:.2f} with elementwise operators fused"
        ridge = "" if over is None else f"; the device's ridge is at {over.ridge:.2f}"
        yield "FLOP/byte", flops / most, Unit.RATIO, words + ridge
        yield "Moved", most, Unit.BYTES, f"at least {with_unit(least)}, with elementwise operators fused"


def _by_bound(report: TimeReport) -> dict[str, float]:
    """Seconds of the lower bound by what they wait for; none of other times."""
    roofline, trace = report.roofline, report.profile.trace
    seconds: dict[str, float] = defaultdict(float)
    if roofline is not None:
        for bound in roofline.bounds(trace, report.works, report.fused):
            if bound.by is not None:
                seconds[bound.by] += bound.seconds
    return dict(sorted(seconds.items(), key=lambda pair: -pair[1]))


# The drawing ----------------------------------------------------------------------------------------------------------


class _Point(NamedTuple):
    letter: str
    layer: Layer
    intensity: float
    flops_per_second: float
    seconds: float


def roof_tables(report: TimeReport) -> Iterator[Table]:
    """The drawing, and what its letters stand for; nothing where no layer has FLOPs and a time."""
    over, points = roof(report), list(_points(report))
    if over is None or not points:
        return
    words = f"Roof: {rate(over.flops_per_second)} FLOP/s, {rate(over.bytes_per_second)} bytes/s"
    columns = (_column("flops_per_second", "FLOP/s"), _column("drawing", ""))
    yield Table(columns, tuple(Row(row) for row in _drawing(over, points)), caption=words, chosen=True)
    yield Table(
        (
            _column("letter", ""), _column("layer", "Layer", most=40), _column("time", "Time", Unit.SECONDS),
            _column("rate", "FLOP/s", Unit.RATE), _column("intensity", "FLOP/byte", Unit.RATIO),
            _column("roof", "Roof %", Unit.SHARE),
        ),
        tuple(
            Row((p.letter, p.layer.path or report.profile.model, p.seconds, p.flops_per_second, p.intensity,
                 p.flops_per_second / over.at(p.intensity)))
            for p in points
        ),
        caption=f"The layers that take longest, {report.times.word}",
        chosen=True,
    )  # fmt: skip


def _column(name: str, heading: str, unit: Unit = Unit.TEXT, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, 0, most)


def _points(report: TimeReport) -> Iterator[_Point]:
    """The layers without layers inside them that take longest, and compute."""
    if not report.has_layers:
        return
    layers = report.profile.layers
    parents = {layer.path.rpartition(".")[0] for layer in layers if layer.path}
    leaves = [layer for layer in layers if layer.path not in parents or len(layers) == 1]
    timed = [(seconds, layer) for layer in leaves if (seconds := report.seconds(layer))]
    timed = [(seconds, layer) for seconds, layer in timed if all(report.amounts[layer.index])]
    timed.sort(key=lambda pair: -pair[0])
    for letter, (seconds, layer) in zip(ascii_uppercase[:TOP], timed, strict=False):
        amount = report.amounts[layer.index]
        yield _Point(letter, layer, amount.flops / amount.moved_bytes, amount.flops / seconds, seconds)


def _drawing(over: Roof, points: Sequence[_Point]) -> list[tuple[str, str]]:
    """Rows from the top: a label of the scale, and what is drawn."""
    xs = [log10(point.intensity) for point in points] + [log10(over.ridge)]
    left, right = floor(min(xs)), max(ceil(max(xs)), floor(min(xs)) + 1)
    top = log10(over.flops_per_second)
    bottom = min(log10(point.flops_per_second) for point in points)
    top, bottom = top + 0.1, min(bottom - 0.1, top - 1)
    grid = [[_BLANK] * _WIDTH for _ in range(_HEIGHT)]

    def place(x: float, y: float, letter: str) -> None:
        column = round((x - left) / (right - left) * (_WIDTH - 1))
        row = round((top - y) / (top - bottom) * (_HEIGHT - 1))
        if 0 <= row < _HEIGHT and 0 <= column < _WIDTH:
            grid[row][column] = letter

    for column in range(_WIDTH):
        x = left + column / (_WIDTH - 1) * (right - left)
        place(x, log10(over.at(10**x)), _ROOF)
    for point in reversed(points):  # the heaviest last, so that it is seen
        place(log10(point.intensity), log10(point.flops_per_second), point.letter)
    labels = [rate(10 ** (top - row / (_HEIGHT - 1) * (top - bottom))) for row in range(_HEIGHT)]
    rows = [(label, "".join(cells).rstrip(_BLANK)) for label, cells in zip(labels, grid, strict=True)]
    return [*rows, ("FLOP/byte", _scale(left, right))]


def _scale(left: int, right: int) -> str:
    """Powers of ten below the drawing."""
    cells = [_BLANK] * (_WIDTH + 8)
    for power in range(left, right + 1):
        column = round((power - left) / (right - left) * (_WIDTH - 1))
        for offset, character in enumerate(f"{10.0**power:g}"):
            cells[column + offset] = character
    return "".join(cells).rstrip(_BLANK)
