"""How are a figure's values shown as a table? A row a point, with the units that its axes have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeAlias

from profiler.answers.plot.compute import Plot
from profiler.render import numbers
from profiler.render.answer import Shown, show
from profiler.render.charts.data import Axis, Bars, Chart, Curves, Depth, Roofline, Scatter, Timeline
from profiler.render.tables import Column, Quantity, Row, Table, Unit


def plot_table(plot: Plot) -> Table:
    columns, rows = _TABLES[type(plot.chart)](plot.chart)
    notes = tuple(_equations(plot.chart))
    return Table(tuple(columns), tuple(rows), (), notes, caption=plot.look.title, chosen=True)


def _column(name: str, heading: str, unit: Unit = Unit.TEXT, kind: str = "") -> Column:
    return Column(name, heading, unit, kind=kind)


def _of(axis: Axis) -> Column:
    heading = f"{axis.heading}, {axis.remark}" if axis.remark else axis.heading
    return _column(axis.name, heading, axis.unit, axis.kind)


_Rows: TypeAlias = tuple[Sequence[Column], Iterable[Row]]
_LAYER, _MODEL = _column("layer", "Layer"), _column("model", "Model")


def _scatter(chart: Scatter) -> _Rows:
    """A model that has no point has no values."""
    columns = [_MODEL, _of(chart.x), _of(chart.y), _column("front", "On the front")]
    rows = [Row((dot.name, dot.x, dot.y, "yes" if dot.is_on_front else "no")) for dot in chart.dots]
    return columns, [*rows, *(Row((name, None, None, None)) for name in chart.left_out)]


def _bars(chart: Bars) -> _Rows:
    """A row a part; what a whole bar comes to has no kind."""
    columns = [
        _column("bar", "Bar"),
        _column("kind", "Kind"),
        _column("amount", chart.axis.heading, Unit.MIXED),
        _column("share", "%", Unit.SHARE),
    ]
    rows = [
        Row((bar.name, kind, Quantity(part, bar.unit), part / bar.whole if bar.whole else None))
        for bar in chart.bars
        for kind, part in zip(chart.kinds, bar.parts, strict=True)
    ]
    return columns, rows


def _depth(chart: Depth) -> _Rows:
    columns = [_LAYER, _column("kind", "Kind"), *(_of(panel.axis) for panel in chart.panels)]
    values = [panel.values for panel in chart.panels]
    return columns, [Row(row) for row in zip(chart.layers, chart.kinds, *values, strict=True)]


def _timeline(chart: Timeline) -> _Rows:
    """The first call is 1, as in the table of `memory`."""
    bands = [_column(band.role, band.role.capitalize(), Unit.BYTES) for band in chart.bands]
    columns = [_column("call", "Call", Unit.EXACT), _LAYER, *bands]
    rows = zip(range(1, len(chart.layers) + 1), chart.layers, *(band.values for band in chart.bands), strict=True)
    return columns, [Row(row) for row in rows]


def _curves(chart: Curves) -> _Rows:
    """A row a point that was run."""
    columns = [_MODEL, _column(chart.x.name, chart.x.heading, Unit.NUMBER), *(_of(axis) for axis, _ in chart.panels)]
    rows: dict[tuple[str, float], list[float | None]] = {}
    for number, (_, lines) in enumerate(chart.panels):
        for curve in lines:
            for x, y in curve.points:
                rows.setdefault((curve.name, x), [None] * len(chart.panels))[number] = y
    return columns, [Row((name, Decimal(f"{x:.15g}"), *values)) for (name, x), values in rows.items()]


def _equations(chart: Chart) -> Iterator[str]:
    for axis, lines in chart.panels if isinstance(chart, Curves) else ():
        yield from (f"{curve.name}: {axis.heading} = {curve.equation}." for curve in lines if curve.equation)


def _roofline(chart: Roofline) -> _Rows:
    columns = [
        _column("layer", "Layer or model"), _column("intensity", "FLOP/byte", Unit.RATIO), _of(chart.y),
        _column("time", "Time", Unit.SECONDS, chart.y.kind), _column("share", "Time %", Unit.SHARE),
    ]  # fmt: skip
    rows = [Row((load.name, load.intensity, load.flops_per_second, load.seconds, load.share)) for load in chart.loads]
    return columns, rows


_TABLES: Mapping[type, Any] = {
    Bars: _bars, Curves: _curves, Depth: _depth, Roofline: _roofline, Scatter: _scatter, Timeline: _timeline,
}  # fmt: skip


def _raw(plot: Plot) -> Table:
    """As programs want it: what bars come to as numbers, whose unit stands beside them."""
    table = plot_table(plot)
    if not isinstance(plot.chart, Bars):
        return table
    bar, kind, amount, share = table.columns
    columns = (bar, kind, _column(amount.name, amount.heading, Unit.NUMBER), _column("unit", "Unit"), share)
    rows = tuple(
        Row((name, of, quantity.value, numbers.RAW.get(quantity.unit, ""), part))
        for name, of, quantity, part in (row.values for row in table.rows)
    )
    return replace(table, columns=columns, rows=rows)


show(Plot, Shown(lambda plot: [plot_table(plot)], _raw))
