"""How is accuracy against cost drawn? A labelled point a model, and the front that no model is better than."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from profiler.render.charts import parts
from profiler.render.charts.data import Scatter
from profiler.render.charts.labels import Point
from profiler.render.charts.look import BLACK, BLUE, GREY, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FRONT = "Pareto front"


def draw(chart: Scatter, figure: Figure, look: Look) -> None:
    """Models on the front are filled, the others are hollow."""
    crowd = min(len(chart.dots) / (40 if look.is_wide else 20), 1.0)  # many labels need room
    figure.set_size_inches(look.width, min(look.width, 3.6) * (0.72 + 0.4 * crowd))
    axes = figure.add_subplot()
    parts.title(figure, look)
    x_step = parts.axis(axes, "x", chart.x, [float(dot.x) for dot in chart.dots], look, look.width * 0.85)
    y_step = parts.axis(axes, "y", chart.y, [float(dot.y) for dot in chart.dots], look, look.width * 0.6)
    points = {dot: (float(dot.x) / x_step, float(dot.y) / y_step) for dot in chart.dots}
    corners = _draw_front(axes, chart, [points[dot] for dot in chart.front], look)
    for dot, (x, y) in points.items():
        if dot.interval is not None:
            low, high = (end / x_step for end in dot.interval)
            axes.plot([low, high], [y, y], color=GREY, lw=0.8, zorder=2)
        axes.plot(
            x, y, marker="o", markerfacecolor=BLUE if dot.is_on_front else "white", markeredgecolor=BLUE,
            markeredgewidth=0.9, zorder=3, clip_on=False,
        )  # fmt: skip
    axes.margins(0.08)
    ordered = sorted(points, key=lambda dot: (not dot.is_on_front, dot.x, dot.name))
    texts = [
        parts.label(axes, *points[dot], look.name(dot.name, 24), color=BLACK if dot.is_on_front else GREY, va="bottom")
        for dot in ordered
    ]
    parts.place(axes, texts, [points[dot] for dot in ordered], corners)


def _draw_front(axes: Axes, chart: Scatter, front: Sequence[Point], look: Look) -> list[Point]:
    """The steps of what is reached: who wants more of one has to take less of the other. Returns their corners."""
    if len(front) < 2 or chart.best is None:
        return list(front)
    corners = [front[0]]
    for (x, y), (next_x, next_y) in pairwise(front):
        corners += [(next_x, y) if chart.best[0] == "min" else (x, next_y), (next_x, next_y)]
    (line,) = axes.plot(*zip(*corners, strict=True), color=BLUE, lw=0.9, ls="--", zorder=1)
    parts.legend(axes, [line], [look.words(_FRONT)], loc="lower left", bbox_to_anchor=(0, 1))
    return corners
