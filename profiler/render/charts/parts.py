"""What do charts of several kinds have in common? Axes with their labels and ticks, legends, and labels of points."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.render import numbers
from profiler.render.charts import labels
from profiler.render.charts.data import Axis
from profiler.render.charts.labels import Box, Point
from profiler.render.charts.look import GREY, SMALL, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_POINTS = 72  # to an inch
RADIUS = 2.8  # points, of what is drawn for a point
_EM = 0.6  # of the size of type, which a character is wide on average


def axis(axes: Axes, side: str, of: Axis, values: Sequence[float], look: Look, room: float | None = None) -> float:
    """Label the axis at a side, "x" or "y", with its unit; returns what its values are to be divided by.

    room: inches that a label may be long.
    """
    step, label = of.scale(values)
    written = look.words(label) if room is None else wrapped(label, room, look)
    (axes.set_xlabel if side == "x" else axes.set_ylabel)(written, parse_math=False)
    ticks(axes, side, look, [value / step for value in values] if of.is_log else None)
    return step


def ticks(axes: Axes, side: str, look: Look, logarithmic: Sequence[float] | None = None) -> None:
    """Numbers as this package writes them. logarithmic: the values of an axis that is so."""
    from matplotlib import ticker

    line = axes.xaxis if side == "x" else axes.yaxis
    formatter = ticker.FuncFormatter(lambda value, _: look.words(numbers.tick(value)))
    if logarithmic is not None:
        (axes.set_xscale if side == "x" else axes.set_yscale)("log")
        decades = log10(max(logarithmic) / min(logarithmic)) if logarithmic else 1
        subs = (1.0, 2.0, 5.0) if decades <= 2 else (1.0,)
        line.set_major_locator(ticker.LogLocator(subs=subs, numticks=12))
        line.set_minor_formatter(ticker.NullFormatter())
    else:
        line.set_major_locator(
            ticker.MaxNLocator(nbins=8 if side == "x" and look.is_wide else 6, steps=[1, 2, 2.5, 5, 10])
        )
    line.set_major_formatter(formatter)


def wrapped(text: str, inches: float, look: Look, size: float = 8) -> str:
    """A text in as many lines as it takes."""
    import textwrap

    most = max(12, int(inches * _POINTS / (size * _EM)))
    return "\n".join(look.words(line) for line in textwrap.wrap(errors.shown(text), most))


def title(figure: Any, look: Look) -> None:
    if look.title:
        figure.suptitle(wrapped(look.title, look.width, look), parse_math=False)


def legend_above(figure: Any, handles: Sequence[Any], names: Sequence[str], columns: int, look: Look) -> None:
    """Above the axes, with the title, in so many columns at most."""
    drawn = legend(
        figure, handles, names, loc="outside upper left", ncols=min(columns, len(names)), columnspacing=1.0,
        borderaxespad=0.1, alignment="left", title="-" if look.title else None, title_fontsize=8,
    )  # fmt: skip
    if look.title:
        drawn.get_title().set(text=wrapped(look.title, look.width, look), parse_math=False)


def legend(where: Any, handles: Sequence[Any], names: Sequence[str], **options: Any) -> Any:
    """A legend of names as they are drawn; matplotlib would leave out those that begin with "_"."""
    drawn = where.legend(handles, ["-"] * len(names), **options)
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set_text(name)
        text.set_parse_math(False)
    return drawn


def label(axes: Axes, x: float, y: float, text: str, **options: Any) -> Text:
    """A label within the axes, as it is drawn."""
    return axes.text(x, y, text, **{"fontsize": SMALL, "parse_math": False, **options})


# Labels of points -----------------------------------------------------------------------------------------------------


def place(
    axes: Axes,
    texts: Sequence[Text],
    points: Sequence[Point],
    line: Sequence[Point] = (),
    radii: Sequence[float] = (),
    others: Sequence[Text] = (),
) -> None:
    """Put the labels of points where they cover nothing; one that finds no room is not shown, the last ones first.

    Everything else has to be drawn before. line: the corners of one that they should not cover. radii: of what is drawn
    for each point, in points of type. others: labels that stay where they are.
    """
    if not texts:
        return
    figure: Any = axes.get_figure()
    for text in texts:
        text.set_in_layout(False)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is placed stays where it is
    unit = figure.dpi / _POINTS
    extents = [text.get_window_extent() for text in texts]
    sizes = [(extent.width + unit, extent.height) for extent in extents]
    inside = Box(*axes.get_window_extent().extents)
    places = labels.places(
        sizes, _displayed(axes, points), inside, [radius * unit for radius in radii or [RADIUS] * len(points)],
        _displayed(axes, line), [Box(*other.get_window_extent().extents) for other in others],
    )  # fmt: skip
    for text, chosen in zip(texts, places, strict=True):
        if chosen is None:
            text.remove()
            continue
        box, leader = chosen
        text.set(
            ha="center", va="center", position=_back(axes, ((box.left + box.right) / 2, (box.bottom + box.top) / 2))
        )
        if leader is not None:
            axes.plot(*zip(*(_back(axes, end) for end in leader), strict=True), color=GREY, lw=0.4, zorder=1.5)


def _displayed(axes: Axes, points: Sequence[Point]) -> list[Point]:
    """In pixels, as they are drawn."""
    return [(float(x), float(y)) for x, y in axes.transData.transform(points)] if points else []


def _back(axes: Axes, pixel: Point) -> Point:
    x, y = axes.transData.inverted().transform(pixel)
    return float(x), float(y)
