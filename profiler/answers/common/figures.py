"""Which options do verbs share whose answer is a figure? How it looks, and the formats that figures are written in."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from profiler.answers.common.options import OutputOptions, Result, grouped, option
from profiler.render import CHARTS
from profiler.render import FORMATS as OF_TABLES
from profiler.render.charts.look import Look
from profiler.render.charts.look import read as read_look
from profiler.render.charts.style import SUFFIX

FORMATS = (*OF_TABLES, *CHARTS)


@grouped("Its look")
class LookOptions:
    width: Annotated[str | None, option("one column (3.5 inches, the default), two (7.16), or inches.", "WIDTH")] = None
    style: Annotated[str | None, option("Settings of matplotlib that go before ours.", f"FILE{SUFFIX}")] = None
    title: Annotated[str | None, option("What stands above it. A paper's caption stands in the paper.", "TEXT")] = None

    @property
    def look(self) -> Look:
        """Raises `errors.ProfileError`."""
        return read_look(self.width, self.style, self.title)


_Format: TypeAlias = Annotated[
    str | None,
    option(
        f"{', '.join(CHARTS)}; or the table of its values: {', '.join(OF_TABLES)}. Default: by the suffix of "
        "--output, else text.",
        "NAME",
    ),
]


@grouped("The result")
class ChartResult(OutputOptions):
    """How figures are written."""

    format: _Format = None


@grouped("The result")
class TableOrChart(Result):
    """How tables are written that have a figure."""

    format: _Format = None
