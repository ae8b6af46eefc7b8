"""How is cost along depth drawn? A bar a layer, one panel a figure, with the parts of the model marked below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from profiler.render.charts import parts
from profiler.render.charts.data import Depth, Span
from profiler.render.charts.look import BLUE, COLOURS, GREY, SMALL, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _AROUND = 1.12, 0.65  # inches of height

_MOSTLY = 0.8  # of the layers, whose parts are named across
_LONGEST = 18  # characters of a part's name


def draw(chart: Depth, figure: Figure, look: Look) -> None:
    figure.set_size_inches(look.width, _AROUND + _PANEL * len(chart.panels))
    panels = figure.subplots(len(chart.panels), sharex=True, squeeze=False)[:, 0]
    parts.title(figure, look)
    positions = range(len(chart.layers))
    for axes, panel, colour in zip(panels, chart.panels, [BLUE, *COLOURS[1:]], strict=False):
        step = parts.axis(axes, "y", panel.axis, panel.values, look, _PANEL)
        axes.bar(positions, [value / step for value in panel.values], width=1.0, color=colour, linewidth=0)
        axes.grid(visible=False, axis="x")
        for stage in chart.stages[1:]:
            axes.axvline(stage.first - 0.5, color=GREY, lw=0.4, ls=":", zorder=0)
        axes.set_xlim(-0.5, len(chart.layers) - 0.5)
        axes.tick_params(axis="x", length=0)
    figure.align_ylabels()
    _name_stages(panels[-1], chart.stages, len(chart.layers), look)
    panels[-1].set_xlabel(
        parts.wrapped(f"Layers of {chart.model}, in the order in which they run", look.width, look), parse_math=False
    )


def _name_stages(axes: Axes, stages: Sequence[Span], layers: int, look: Look) -> None:
    """The names of parts below the axis: across where most have room for that, else upright."""
    per_layer = look.width * 0.82 * 72 / max(layers, 1)  # points
    wide = [stage for stage in stages if _length(stage) <= (stage.last - stage.first) * per_layer]
    is_across = sum(stage.last - stage.first for stage in wide) >= _MOSTLY * layers
    named = wide if is_across else [stage for stage in stages if _is_longest_near(stage, stages, per_layer)]
    axes.set_xticks(
        [(stage.first + stage.last - 1) / 2 for stage in named], [look.name(stage.name, _LONGEST) for stage in named],
        parse_math=False, rotation=0 if is_across else 90, fontsize=SMALL,
    )  # fmt: skip


def _length(stage: Span) -> float:
    """About how many points its name is long."""
    return min(len(stage.name), _LONGEST) * SMALL * 0.6


def _is_longest_near(stage: Span, stages: Sequence[Span], per_layer: float) -> bool:
    """Of parts whose upright names would stand in the same line, the one with the most layers has it."""
    middle = stage.first + stage.last
    near = [other for other in stages if abs(other.first + other.last - middle) * per_layer < SMALL * 2.4]
    return stage is max(reversed(near), key=lambda other: other.last - other.first)
