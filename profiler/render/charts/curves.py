"""How is a scan drawn? What was run as points, and the exact polynomial through them as a line with its equation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from profiler.render.charts import parts
from profiler.render.charts.data import Curve, Curves
from profiler.render.charts.look import COLOURS, LINES, MARKERS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(chart: Curves, figure: Figure, look: Look) -> None:
    each = min(look.width * 0.5, 2.4)
    lines = sum(len(curves) for _, curves in chart.panels)
    figure.set_size_inches(look.width, 0.45 + each * len(chart.panels) + 0.15 * lines)
    panels = figure.subplots(len(chart.panels), sharex=True, squeeze=False)[:, 0]
    parts.title(figure, look)
    for axes, (of, curves) in zip(panels, chart.panels, strict=True):
        step = parts.axis(axes, "y", of, [y for curve in curves for _, y in curve.points], look, each)
        _panel(axes, curves, step, look)
    xs = [x for _, curves in chart.panels for curve in curves for x, _ in curve.points]
    parts.axis(panels[-1], "x", chart.x, xs, look)


def _panel(axes: Axes, curves: Sequence[Curve], step: float, look: Look) -> None:
    handles, names = [], []
    for number, curve in enumerate(curves):
        colour, line, marker = (of[number % len(of)] for of in (COLOURS, LINES, MARKERS))
        through = curve.curve or curve.points
        width = 1.2 if curve.curve else 0.6
        axes.plot(*_scaled(through, step), color=colour, ls=line if curve.curve else ":", lw=width)
        axes.plot(*_scaled(curve.points, step), color=colour, marker=marker, ls="none", mec="white", mew=0.4, zorder=3)
        handles += axes.plot(
            [], [], color=colour, ls=line if curve.curve else ":", lw=width, marker=marker, mec="white", mew=0.4
        )
        names.append(_named(curve, look, len(curves) > 1))
    parts.legend(axes, handles, names, loc="lower left", bbox_to_anchor=(0, 1), handlelength=2.4)


def _scaled(points: Sequence[tuple[float, float]], step: float) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y / step for _, y in points]


def _named(curve: Curve, look: Look, is_one_of_several: bool) -> str:
    name = look.name(curve.name, 20)
    if curve.equation is None:
        return name
    equation = look.words(curve.equation)
    return f"{name}: {equation}" if is_one_of_several else equation
