"""How is a roofline drawn? FLOP a second over FLOP a byte, both by their logarithms, below the device's roof.

As Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from profiler.render import numbers
from profiler.render.charts import parts
from profiler.render.charts.data import Roof, Roofline
from profiler.render.charts.labels import Point
from profiler.render.charts.look import BLACK, GREY, LINES, SKY, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_LARGEST = 60  # square points, of the radius of what takes all of the time


def draw(chart: Roofline, figure: Figure, look: Look) -> None:
    """The larger a point, the more of the time it takes."""
    figure.set_size_inches(look.width, min(look.width * 0.78, 3.6))
    axes = figure.add_subplot()
    parts.title(figure, look)
    roof, xs = chart.roof, [load.intensity for load in chart.loads]
    ridge = roof.highest / roof.bytes_per_second
    left, right = min(*xs, ridge) / 3, max(*xs, ridge) * 4
    y_step = parts.axis(axes, "y", chart.y, [roof.highest, *(load.flops_per_second for load in chart.loads)], look, 2.2)
    parts.axis(axes, "x", chart.x, [left, right], look)
    corners = [(left, left * roof.bytes_per_second / y_step), (ridge, roof.highest / y_step)]
    corners.append((right, roof.highest / y_step))
    limits = _draw_roof(axes, roof, corners, y_step, look)
    axes.set_title(parts.wrapped(roof.name, look.width * 0.8, look, 7), loc="left", fontsize=7, parse_math=False)
    points = [(load.intensity, load.flops_per_second / y_step) for load in chart.loads]
    radii = [max(parts.RADIUS, sqrt(_LARGEST * load.share)) if load.share < 1 else parts.RADIUS for load in chart.loads]
    for (x, y), radius in zip(points, radii, strict=True):
        axes.plot([x], [y], marker="o", markersize=2 * radius, color=SKY, mec=BLACK, mew=0.5, alpha=0.9, zorder=3)
    axes.set_xlim(left, right)
    flat = corners[-1][1]
    axes.set_ylim(min(*(y for _, y in points), flat / 10) / 2, flat * 2.5)
    order = sorted(range(len(points)), key=lambda i: -chart.loads[i].seconds)
    texts = [parts.label(axes, *points[i], look.name(chart.loads[i].name, 24)) for i in order]
    parts.place(axes, texts, [points[i] for i in order], corners, [radii[i] for i in order], limits)


def _draw_roof(axes: Axes, roof: Roof, corners: Sequence[Point], step: float, look: Look) -> list[Text]:
    """The memory's slope, and a flat part for each dtype. Returns the labels of what they say."""
    (left, _), (ridge, flat), (right, _) = corners
    axes.plot(*zip(*corners[:2], strict=True), color=BLACK, lw=1.2, zorder=2)
    axes.axvline(roof.peaks[0][1] / roof.bytes_per_second, color=GREY, lw=0.5, ls=":", zorder=0)
    at, texts = sqrt(left * ridge), []
    for number, (dtype, peak) in enumerate(roof.peaks):
        height, line = peak / step, LINES[number % len(LINES)]
        axes.plot([peak / roof.bytes_per_second, right], [height] * 2, color=BLACK, lw=1.2, ls=line, zorder=2)
        words = look.words(f"{numbers.rate(peak)}FLOP/s {dtype}".strip())
        texts.append(parts.label(axes, right, height * 1.1, words, ha="right", va="bottom", color=GREY))
    moved = look.words(f"{numbers.rate(roof.bytes_per_second)}B/s")
    return [*texts, parts.label(axes, at, flat * at / ridge * 1.6, moved, ha="right", va="bottom", color=GREY)]
