"""How is precision against recall drawn? A curve a model with its best F1 marked, over lines of equal F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler.render import numbers
from profiler.render.charts import parts
from profiler.render.charts.data import Tradeoff, TradeoffCurve
from profiler.render.charts.look import BLACK, COLOURS, GREY, LIGHT, LINES, MARKERS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EQUAL_F1 = (0.2, 0.4, 0.6, 0.8)
_STEPS = 60  # of a line of equal F1
_LARGEST_TICK = 7  # points, of a mark


def draw(chart: Tradeoff, figure: Figure, look: Look) -> None:
    figure.set_size_inches(look.width, min(look.width, 3.6) * 0.9 + 0.15 * len(chart.curves))
    axes = figure.add_subplot()
    parts.title(figure, look)
    parts.axis(axes, "x", chart.x, [1.0], look)
    parts.axis(axes, "y", chart.y, [1.0], look)
    for f1 in _EQUAL_F1:
        _draw_equal(axes, f1, look)
    handles, names = [], []
    for number, curve in enumerate(chart.curves):
        colour, line, marker = (of[number % len(of)] for of in (COLOURS, LINES, MARKERS))
        axes.plot(*zip(*curve.points, strict=True), color=colour, ls=line, drawstyle="steps-post", clip_on=False)
        axes.plot(
            *curve.best, color=colour, marker=marker, mec=BLACK, markersize=_LARGEST_TICK, zorder=4, clip_on=False
        )
        handles += axes.plot([], [], color=colour, ls=line, marker=marker, mec=BLACK)
        names.append(_named(curve, look))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    parts.legend(axes, handles, names, loc="lower left", bbox_to_anchor=(0, 1), handlelength=2.4)


def _named(curve: TradeoffCurve, look: Look) -> str:
    at = "" if curve.threshold is None else f" from {numbers.tick(float(f'{curve.threshold:.3g}'))} on"
    words = look.words(f"best F1 {numbers.score(curve.f1)}{at}")
    return f"{look.name(curve.name, 20)}: {words}"


def _draw_equal(axes: Axes, f1: float, look: Look) -> None:
    """The harmonic mean of precision and recall is F1: of a recall r that takes a precision of F1 r / (2 r - F1)."""
    least = f1 / (2 - f1)  # the recall that takes a precision of 1
    recalls = [least ** (1 - step / _STEPS) for step in range(_STEPS + 1)]
    axes.plot(recalls, [f1 * recall / (2 * recall - f1) for recall in recalls], color=LIGHT, lw=0.6, zorder=0)
    parts.label(axes, 0.99, f1 / (2 - f1), look.words(f"F1 {f1:g}"), ha="right", va="top", color=GREY)
