"""How is memory over a run drawn? Stacked areas, one a role, with the peak and the phases of a step marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler.render import numbers
from profiler.render.charts import parts
from profiler.render.charts.data import Timeline
from profiler.render.charts.look import BLACK, FILLS, GREY, SMALL, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each has a fill of its own, in every figure the same.
_TINY = 5.5  # points, of the names of phases
ROLES = ("parameters", "inputs", "activations", "inside operators", "gradients", "optimizer state", "cache")


def draw(chart: Timeline, figure: Figure, look: Look) -> None:
    figure.set_size_inches(look.width, min(look.width * 0.66, 3.0))
    axes = figure.add_subplot()
    calls = range(len(chart.layers) + 1)
    step = parts.axis(axes, "y", chart.axis, [chart.peak_bytes], look)
    handles, below = [], [0.0] * len(calls)
    for band in chart.bands:
        colour, hatch = FILLS[ROLES.index(band.role)]
        values = [value / step for value in (*band.values, band.values[-1])]
        above = [low + value for low, value in zip(below, values, strict=True)]
        handles.append(
            axes.fill_between(
                calls, below, above, step="post", facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0
            )
        )
        below = above
    axes.set_xlim(0, len(chart.layers))
    axes.set_ylim(0, chart.peak_bytes / step * 1.22)
    axes.set_xlabel(parts.wrapped(f"Operator calls of {chart.model}", look.width, look), parse_math=False)
    parts.ticks(axes, "x", look)
    _mark_phases(axes, chart, look)
    _mark_peak(axes, chart, step, look)
    names = [look.words(band.role) for band in chart.bands]
    parts.legend_above(figure, handles[::-1], names[::-1], len(names) if look.is_wide else 3, look)


def _mark_peak(axes: Axes, chart: Timeline, step: float, look: Look) -> None:
    height = chart.peak_bytes / step
    words = f"peak {numbers.with_unit(chart.peak_bytes)}, {chart.place}"
    is_right = chart.peak > len(chart.layers) / 2
    axes.plot([chart.peak + 0.5], [height], marker="v", color=BLACK, markersize=4, zorder=4, clip_on=False)
    axes.annotate(
        look.name(words, 46), (chart.peak + 0.5, height), (-4 if is_right else 4, 5), textcoords="offset points",
        ha="right" if is_right else "left", va="bottom", fontsize=SMALL, parse_math=False,
    )  # fmt: skip


def _mark_phases(axes: Axes, chart: Timeline, look: Look) -> None:
    """Their names above; of those that are too short for one there is a line alone."""
    top = axes.get_ylim()[1]
    for phase in chart.phases:
        axes.axvline(phase.first, color=GREY, lw=0.5, ls=":")
        if (phase.last - phase.first) * look.width * 72 * 0.8 / len(chart.layers) > len(phase.name) * _TINY * 0.55:
            parts.label(
                axes,
                (phase.first + phase.last) / 2,
                top,
                look.words(phase.name),
                ha="center",
                va="bottom",
                color=GREY,
                fontsize=_TINY,
            )
