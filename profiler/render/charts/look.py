"""How does a chart look? Widths, fonts, and colours, hatches and markers that a grey print still tells apart."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from profiler import errors
from profiler.records import quantities
from profiler.render.charts import style
from profiler.render.tex import escaped

# Inches. IEEE Author Center, "Size Requirements for Graphics": one column is 3.5 inches wide, two are 7.16.
WIDTHS = {"one": 3.5, "two": 7.16}
_LEAST, _MOST = 1.5, 40.0

# Okabe and Ito, "Color Universal Design" (2008, https://jfly.uni-koeln.de/color/): all kinds of colour blindness.
BLUE, ORANGE, GREEN, YELLOW = "#0072B2", "#E69F00", "#009E73", "#F0E442"
VERMILION, SKY, PURPLE, BLACK = "#D55E00", "#56B4E9", "#CC79A7", "#000000"
GREY, LIGHT = "#6E6E6E", "#DDDDDD"

# Hatches are of lines: of dots there are so many that LaTeX takes minutes over a PGF of them.
# Two neighbours differ in lightness, and any two in lightness or hatch: `tests/charts/test_look.py` measures it.
FILLS = (
    (BLUE, ""), (ORANGE, ""), (GREEN, "////"), (YELLOW, ""), (VERMILION, "----"), (SKY, "\\\\\\\\"), (PURPLE, "xxxx"),
)  # fmt: skip
REST = (LIGHT, "||||")  # what is left of all that has no fill of its own
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)

# What differs from matplotlib's defaults, which a user's own settings do not replace: a style file does.
# Fonts are embedded as TrueType in PDF (42), since conferences refuse Type 3; in SVG text is drawn as outlines, so that
# it looks alike where the font is not installed ("svg.fonttype: none" in a style file keeps it text).
SETTINGS: Mapping[str, Any] = {
    "axes.axisbelow": True, "axes.edgecolor": "#333333", "axes.grid": True, "axes.labelpad": 3.0, "axes.labelsize": 8,
    "axes.linewidth": 0.6, "axes.spines.right": False, "axes.spines.top": False, "axes.titlesize": 8,
    "figure.constrained_layout.h_pad": 0.03, "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.03, "figure.titlesize": 8, "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"], "font.size": 8, "grid.color": "#E6E6E6", "grid.linewidth": 0.5,
    "hatch.linewidth": 0.6, "legend.borderaxespad": 0.3, "legend.fontsize": 7, "legend.frameon": False,
    "legend.handlelength": 1.6, "legend.handletextpad": 0.5, "legend.labelspacing": 0.3, "lines.linewidth": 1.2,
    "lines.markersize": 4.5, "pdf.fonttype": 42, "pgf.rcfonts": False, "ps.fonttype": 42, "savefig.dpi": 300,
    "svg.fonttype": "path", "svg.hashsalt": "profile-model", "xtick.color": "#333333", "xtick.labelsize": 7,
    "xtick.major.size": 2.5, "xtick.major.width": 0.6, "xtick.minor.size": 1.5, "xtick.minor.width": 0.4,
    "ytick.color": "#333333", "ytick.labelsize": 7, "ytick.major.size": 2.5, "ytick.major.width": 0.6,
    "ytick.minor.size": 1.5, "ytick.minor.width": 0.4,
}  # fmt: skip
SMALL = 6.5  # points, of labels within the axes
_LONGEST = 32  # characters of a name


@dataclass(frozen=True, slots=True)
class Look:
    """What a user wants of a chart beside its data.

    width: inches. style: settings of matplotlib, as a style file has them. is_tex: the text is read by LaTeX.
    """

    width: float = WIDTHS["one"]
    style: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    is_tex: bool = False

    @property
    def is_wide(self) -> bool:
        return self.width >= 5

    def words(self, text: str) -> str:
        """A text as it is drawn: nothing in it acts on whatever reads the file."""
        return escaped(text) if self.is_tex else errors.shown(text)

    def name(self, text: str, most: int = _LONGEST) -> str:
        """What somebody else called a model or a layer; of a long one, both ends."""
        line = errors.shown(text)
        if len(line) > most:
            line = f"{line[: most * 2 // 3 - 1]}…{line[-(most // 3) :]}"
        return escaped(line) if self.is_tex else line


def read(width: str | float | None, path: str | os.PathLike[str] | None, title: str | None) -> Look:
    """What a user writes; where no width is said, it is that of a style that says one.

    path: a style file. Raises `errors.ProfileError`.
    """
    settings: Mapping[str, Any] = {} if path is None else style.read(os.fspath(path))
    usual = settings.get("figure.figsize", (WIDTHS["one"],))[0]
    inches = usual if width is None else quantities.read("--width", str(width), _inches)
    return Look(inches, settings, title or "")


def _inches(text: str) -> float:
    """`one`, `two` or a number; raises `errors.Malformed`."""
    if text in WIDTHS:
        return WIDTHS[text]
    try:
        inches = float(text)
    except ValueError:
        inches = 0.0
    if not _LEAST <= inches <= _MOST:
        raise errors.Malformed(f"a width is one (3.5 inches), two (7.16), or inches from {_LEAST:g} to {_MOST:g}")
    return inches
