"""How does a chart become a file? By matplotlib, which is imported when one is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from profiler.render.charts import style
from profiler.render.charts.data import Chart
from profiler.render.charts.look import Look


class Drawn(Protocol):
    """An answer that is a chart."""

    @property
    def chart(self) -> Chart: ...

    @property
    def look(self) -> Look: ...


def writer(name: str) -> Callable[[Drawn], bytes]:
    """What writes a format."""

    def write(answer: Drawn) -> bytes:
        from profiler.render.charts.paper import PGF, figure

        return figure(answer.chart, answer.look, is_pgf=name == PGF).written(name)

    return write


def check() -> None:
    """Raise `errors.MissingPackage`, before anything is run, where what draws is not installed."""
    style.needed()
