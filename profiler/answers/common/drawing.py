"""How is an answer that is a chart drawn from Python? As a figure of matplotlib, and as a file where one is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from profiler.records.files import writing
from profiler.render import CHARTS, format_of
from profiler.render.charts import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawn(answer: files.Drawn, path: str | os.PathLike[str] | None = None) -> Figure:
    """The figure of matplotlib, which is also written to a file where one is named; raises `errors.ProfileError`."""
    files.check()
    from profiler.render.charts.paper import PGF, figure

    name = None if path is None else format_of(os.fspath(path), CHARTS)
    page = figure(answer.chart, answer.look, is_pgf=name == PGF)
    if path is not None and name is not None:
        with writing.result(os.fspath(path)) as file:
            file.put(page.written(name))
    return page
