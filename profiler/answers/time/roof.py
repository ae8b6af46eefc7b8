"""How is a device's roof drawn, and which layers stand how far below it? Arithmetic against bytes, as text.

FLOP a second are drawn over FLOP a byte, both by their logarithms, as Williams, Waterman and Patterson, "Roofline",
CACM 52(4), 2009. The roof rises with the memory's bandwidth up to the ridge, and is flat from there on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import ceil, floor, log10
from string import ascii_uppercase
from typing import Any, NamedTuple

from profiler import errors
from profiler.answers.time.compute import TOP, TimeReport
from profiler.figures.layers import Layer, summed
from profiler.render.numbers import duration, rate, ratio, share, with_unit
from profiler.render.tables import Column, Row, Table, Unit

_WIDTH, _HEIGHT = 60, 14  # characters
_BLANK, _ROOF = "\u00a0", "·"


class Roof(NamedTuple):
    """What a device can do: FLOP a second in each dtype that a model multiplies in, most of it in the first; bytes."""

    peaks: Mapping[str, float]
    bytes_per_second: float

    @property
    def highest(self) -> float:
        return max(self.peaks.values())

    @property
    def ridge(self) -> float:
        """FLOPs for each byte, from which on arithmetic is the limit, in the first dtype."""
        return next(iter(self.peaks.values())) / self.bytes_per_second

    def at(self, intensity: float, flops_per_second: float | None = None) -> float:
        """FLOP a second at so many FLOP a byte, with arithmetic so fast; by default as fast as it can be."""
        return min(flops_per_second or self.highest, intensity * self.bytes_per_second)


def roof(report: TimeReport) -> Roof | None:
    """None where it is not known."""
    if report.measurement is not None:
        limits = report.measurement.limits
        if limits.flops_per_second and limits.bytes_per_second:
            return Roof({limits.dtype: limits.flops_per_second}, limits.bytes_per_second)
        return None
    if report.roofline is None:
        return None
    device, flops = report.roofline.device, Counter[str]()
    for work in report.works:
        if work is not None and work.matrix_flops:
            flops[report.roofline.matrix_dtype(work)] += work.matrix_flops
    peaks = {dtype: device.needed_peak(dtype) for dtype, _ in flops.most_common()}
    return Roof(peaks, device.memory_bandwidth) if peaks else None


def peaks(report: TimeReport, over: Roof) -> list[float]:
    """For each layer how fast its own arithmetic can be: products in several dtypes, and biases beside them."""
    roofline, trace = report.roofline, report.profile.trace
    if roofline is None:
        return [over.highest] * len(trace.modules)
    own = [0.0] * len(trace.modules)
    for call, work in zip(trace.calls, report.works, strict=True):
        if work is not None:
            own[call.module] += roofline.products(work)
    least = summed(trace.modules, own)
    return [
        amount.flops / seconds if seconds else over.highest
        for amount, seconds in zip(report.timed_amounts, least, strict=True)
    ]


def roof_facts(report: TimeReport) -> Iterator[tuple[str, Any, Unit, str]]:
    """What the time is bound by, and how many FLOPs there are for each byte."""
    for by, seconds in _by_bound(report).items():
        words = f"{share(seconds / report.times.whole.seconds)} % of the time, with elementwise operators fused"
        yield f"Bound by {by}", seconds, Unit.SECONDS, words
    over, separate, fused = roof(report), report.amounts[0], report.fused_amounts[0]
    if separate.intensity is not None and fused.intensity is not None:
        words = f"{ratio(fused.intensity)} with elementwise operators fused"
        ridge = "" if over is None else f"; the device's ridge is at {ratio(over.ridge)}"
        yield "FLOP/byte", separate.intensity, Unit.RATIO, words + ridge
        fewer = f"{with_unit(fused.moved_bytes)} with elementwise operators fused"
        yield "Moved", separate.moved_bytes, Unit.BYTES, fewer


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


class LayerPoint(NamedTuple):
    """Where a layer stands: FLOP a byte, FLOP a second, and how long it takes."""

    layer: Layer
    intensity: float
    flops_per_second: float
    seconds: float


def roof_tables(report: TimeReport) -> Iterator[Table]:
    """The drawing, and what its letters stand for; nothing where no layer has FLOPs and a time."""
    over, timed = roof(report), timed_layers(report)
    points = list(islice(layer_points(report, timed), TOP))
    if over is None or not points:
        return
    of_layers = peaks(report, over)
    fused, of_fused = ", fused" * report.is_of_fused, ", operators fused" * report.is_of_fused
    speeds = ", ".join(f"{rate(peak)} {dtype}" for dtype, peak in over.peaks.items())
    words = f"Roof in FLOP/s: {speeds}; {rate(over.bytes_per_second)} bytes/s{of_fused}"
    columns = (_column("flops_per_second", "FLOP/s"), _column("drawing", ""))
    yield Table(columns, tuple(Row(row) for row in _drawing(over, points)), caption=words, chosen=True)
    yield Table(
        (
            _column("letter", ""), _column("layer", "Layer", most=40), _column("time", "Time", Unit.SECONDS),
            _column("rate", "FLOP/s", Unit.RATE), _column("intensity", f"FLOP/byte{fused}", Unit.RATIO),
            _column("roof", "Roof %", Unit.SHARE),
        ),
        tuple(
            Row((letter, p.layer.path or report.profile.model, p.seconds, p.flops_per_second, p.intensity,
                 p.flops_per_second / over.at(p.intensity, of_layers[p.layer.index])))
            for letter, p in zip(ascii_uppercase, points, strict=False)
        ),
        notes=tuple(_left_out(report, timed, points)),
        caption=f"The layers that take longest, {report.times.word}",
        chosen=True,
    )  # fmt: skip


def _column(name: str, heading: str, unit: Unit = Unit.TEXT, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, 0, most)


def timed_layers(report: TimeReport) -> list[tuple[float, Layer]]:
    """The layers without layers inside them, those that take longest first."""
    if not report.has_layers:
        return []
    layers = report.profile.layers
    parents = {layer.path.rpartition(".")[0] for layer in layers if layer.path}
    leaves = [layer for layer in layers if layer.path not in parents or len(layers) == 1]
    timed = [(seconds, layer) for layer in leaves if (seconds := report.seconds(layer))]
    return sorted(timed, key=lambda pair: -pair[0])


def layer_points(report: TimeReport, timed: Sequence[tuple[float, Layer]]) -> Iterator[LayerPoint]:
    """Logarithms have no place for a layer that computes nothing, or moves nothing."""
    for seconds, layer in timed:
        amount = report.timed_amounts[layer.index]
        if all(amount):
            yield LayerPoint(layer, amount.flops / amount.moved_bytes, amount.flops / seconds, seconds)


def _left_out(report: TimeReport, timed: Sequence[tuple[float, Layer]], points: Sequence[LayerPoint]) -> Iterator[str]:
    """Which layers are not drawn, and take longer than one that is."""
    left = [
        f"{layer.path or report.profile.model} ({duration(seconds)})"
        for seconds, layer in timed
        if not all(report.timed_amounts[layer.index]) and seconds > points[-1].seconds
    ]
    if left:
        yield f"Not drawn, without FLOPs or bytes: {errors.some(left, 3)}"


def _drawing(over: Roof, points: Sequence[LayerPoint]) -> list[tuple[str, str]]:
    """Rows from the top: a label of the scale, and what is drawn."""
    xs = [log10(point.intensity) for point in points] + [log10(over.ridge)]
    left, right = floor(min(xs)), max(ceil(max(xs)), floor(min(xs)) + 1)
    top = log10(over.highest)
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
        for peak in over.peaks.values():
            place(x, log10(over.at(10**x, peak)), _ROOF)
    lettered = list(zip(ascii_uppercase, points, strict=False))
    for letter, point in reversed(lettered):  # the heaviest last, so that it is seen
        place(log10(point.intensity), log10(point.flops_per_second), letter)
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
