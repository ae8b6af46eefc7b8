"""How is it drawn which pixels matter? Each image beside the map of them; a map's darkest pixel is its own largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler.render.charts import parts
from profiler.render.charts.data import Picture, Pictures
from profiler.render.charts.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAIRS = 2  # images in a row, each with its map; of a wide figure twice as many
_MAP = "Blues"  # from light to dark, so that a grey print has the same order


def draw(chart: Pictures, figure: Figure, look: Look) -> None:
    """Images and maps in turn."""
    across = min(len(chart.pictures), _PAIRS * (2 if look.is_wide else 1))
    down = -(-len(chart.pictures) // across)
    first = chart.pictures[0]
    side = look.width / (2 * across)
    figure.set_size_inches(look.width, down * (side * len(first.pixels) / max(1, len(first.pixels[0])) + 0.22) + 0.25)
    figure.suptitle(parts.wrapped(look.title or chart.heading, look.width, look), parse_math=False)
    axes = figure.subplots(down, 2 * across, squeeze=False).flatten()
    for place in axes:
        place.axis("off")
    for i, picture in enumerate(chart.pictures):
        _draw(picture, axes[2 * i], axes[2 * i + 1], look)


def _draw(picture: Picture, image: Axes, weights: Axes, look: Look) -> None:
    is_grey = len(picture.pixels[0][0]) == 1
    pixels = [[pixel[0] for pixel in row] for row in picture.pixels] if is_grey else picture.pixels
    image.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    weights.imshow(picture.weights, cmap=_MAP, vmin=0, interpolation="nearest")
    image.set_title(look.name(picture.name), parse_math=False)
