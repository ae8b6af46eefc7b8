"""What is a figure that is drawn for a paper? One of matplotlib's that keeps the settings that it was drawn with.

This file imports matplotlib, and is imported where a chart is drawn, and nowhere else.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pgf import FigureCanvasPgf
from matplotlib.figure import Figure

from profiler import errors
from profiler.render.charts import bars, curves, depth, pictures, roofline, scatter, timeline, tradeoff
from profiler.render.charts.data import Bars, Chart, Curves, Depth, Pictures, Roofline, Scatter, Timeline, Tradeoff
from profiler.render.charts.look import COLOURS, SETTINGS, Look

PGF = "pgf"
_DRAW: Mapping[type, Any] = {
    Bars: bars.draw, Curves: curves.draw, Depth: depth.draw, Pictures: pictures.draw, Roofline: roofline.draw,
    Scatter: scatter.draw, Timeline: timeline.draw, Tradeoff: tradeoff.draw,
}  # fmt: skip
# Without the time of writing and the version, so that the same chart is the same file.
_METADATA: Mapping[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
_TEX_SYSTEMS = ("pdflatex", "lualatex", "xelatex")


class PaperFigure(Figure):
    """A figure of matplotlib; it is saved and shown with the settings that it was drawn with, whatever others hold."""

    def __init__(self, settings: Mapping[str, Any], width: float) -> None:
        super().__init__(figsize=(width, width))
        self._settings = settings

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        with _settings(self._settings):
            super().savefig(*args, **kwargs)

    def _repr_png_(self) -> bytes:
        return self.written("png")

    def written(self, name: str) -> bytes:
        """The file of a format: pdf, svg, png or pgf."""
        file = io.BytesIO()
        with _drawn_by_tex(name == PGF or self._settings["text.usetex"]):
            self.savefig(file, format=name, **({"metadata": _METADATA[name]} if name in _METADATA else {}))
        return file.getvalue()


def figure(chart: Chart, look: Look, is_pgf: bool = False) -> PaperFigure:
    """A chart, drawn. is_pgf: it will be written as PGF, in which all text is LaTeX."""
    from cycler import cycler

    own = {**SETTINGS, "axes.prop_cycle": cycler(color=COLOURS)}
    settings = {**_defaults(), **own, **look.style, "pgf.texsystem": _tex_system() if is_pgf else "pdflatex"}
    if is_pgf:  # the document's own type, unless a style says which
        settings |= {"font.family": ["serif"]} if "font.family" not in look.style else {}
    is_tex = is_pgf or settings["text.usetex"]
    with _settings(settings), _drawn_by_tex(is_tex):
        page = PaperFigure(settings, look.width)
        (FigureCanvasPgf if is_pgf else FigureCanvasAgg)(page)
        _DRAW[type(chart)](chart, page, Look(look.width, look.style, look.title, is_tex))
    return page


def _defaults() -> dict[str, Any]:
    """Of matplotlib itself, whatever a user's matplotlibrc says; without what is about windows."""
    about_windows = (
        "backend",
        "interactive",
        "toolbar",
        "webagg",
        "figure.raise",
        "tk.",
        "keymap",
        "docstring",
        "date.",
    )
    return {
        name: value
        for name, value in matplotlib.rcParamsDefault.items()
        if not name.startswith(about_windows) and name not in ("timezone", "savefig.directory")
    }


@contextmanager
def _settings(settings: Mapping[str, Any]) -> Iterator[None]:
    with matplotlib.rc_context(dict(settings)):  # type: ignore[arg-type]
        yield


@contextmanager
def _drawn_by_tex(is_tex: bool) -> Iterator[None]:
    """What LaTeX says where it fails, in one line."""
    try:
        yield
    except Exception as error:  # matplotlib has no class of its own for a LaTeX that is missing or fails
        if not is_tex or isinstance(error, errors.ProfileError):
            raise
        raise _tex_failed(error) from error


def _tex_system() -> str:
    """What measures text that is LaTeX."""
    found = next((name for name in _TEX_SYSTEMS if shutil.which(name)), None)
    if found is None:
        raise _no_tex()
    return found


# Error messages -------------------------------------------------------------------------------------------------------


def _no_tex() -> errors.ProfileError:
    return errors.ProfileError(
        f"pgf is LaTeX, which none of {', '.join(_TEX_SYSTEMS)} is here to measure; install one with the package "
        "pgf, or write .pdf"
    )


def _tex_failed(error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"LaTeX cannot typeset the figure ({type(error).__name__}: {errors.said(error)}); mend it, write .pdf, or "
        "leave text.usetex out of the style"
    )
