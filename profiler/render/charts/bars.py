"""How are stacked bars drawn? One bar below the other, since names are long; each kind has a colour and a hatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler.render import numbers
from profiler.render.charts import parts
from profiler.render.charts.data import OTHERS, Bars
from profiler.render.charts.look import FILLS, REST, SMALL, Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT, _AROUND = 0.2, 0.62  # inches of a bar with the gap below it, and of the axis
_LEGEND_ROW = 0.15


def draw(chart: Bars, figure: Figure, look: Look) -> None:
    """What a bar comes to stands behind it. The most important kinds begin at the axis."""
    columns = 5 if look.is_wide else 3
    rows = -(-len(chart.kinds) // columns)
    title = 0.2 if look.title else 0
    figure.set_size_inches(look.width, _AROUND + title + _LEGEND_ROW * rows + _HEIGHT * len(chart.bars))
    axes = figure.add_subplot()
    lengths = [1.0 if chart.is_share else bar.whole for bar in chart.bars]
    step = parts.axis(axes, "x", chart.axis, lengths, look, look.width * 0.75)
    left = [0.0] * len(chart.bars)
    handles = []
    for number, kind in enumerate(chart.kinds):
        values = [
            (bar.parts[number] / (bar.whole or 1) if chart.is_share else bar.parts[number]) / step for bar in chart.bars
        ]
        colour, hatch = REST if kind == OTHERS else FILLS[number]
        handles.append(
            axes.barh(
                range(len(values)), values, left=left, height=0.72, color=colour, hatch=hatch, edgecolor="white",
                linewidth=0.4,
            )
        )  # fmt: skip
        left = [start + value for start, value in zip(left, values, strict=True)]
    for row, (bar, end) in enumerate(zip(chart.bars, left, strict=True)):
        words = look.words(numbers.quantity((bar.whole, bar.unit)))
        axes.annotate(
            words, (end, row), (3, 0), textcoords="offset points", va="center", fontsize=SMALL, parse_math=False
        )
    axes.set_yticks(range(len(chart.bars)), [look.name(bar.name, 30) for bar in chart.bars], parse_math=False)
    axes.set_ylim(len(chart.bars) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    names = [look.name(kind, 20) for kind in chart.kinds]
    parts.legend_above(figure, handles, names, columns, look)
