"""Which values does a figure show? Profiles in, a chart of raw values out, which `render.charts` draws."""

from __future__ import annotations

from dataclasses import dataclass, field

from profiler.answers.models.compute import Comparison
from profiler.answers.plot.bars import bars
from profiler.answers.plot.depth import depth
from profiler.answers.plot.request import BARS, DEPTH, MEMORY, ROOFLINE, Request
from profiler.answers.plot.roofline import roofline
from profiler.answers.plot.scatter import scatter
from profiler.answers.plot.timeline import timeline
from profiler.render.answer import Answer
from profiler.render.charts.data import Chart
from profiler.render.charts.look import Look


@dataclass(frozen=True)
class Plot(Answer):
    """A figure: `chart` is what it shows, `look` how. As text it is the table of its values."""

    chart: Chart
    look: Look = field(default_factory=Look)


def chart(kind: str, comparison: Comparison, request: Request) -> Chart:
    """A figure of what models cost; raises `errors.ProfileError`."""
    entries, profiles = comparison.entries, comparison.profiles
    if kind == BARS:
        return bars(entries, request)
    if kind == DEPTH:
        return depth(profiles[0], request)
    if kind == MEMORY:
        return timeline(profiles[0])
    if kind == ROOFLINE:
        return roofline(entries)
    return scatter(comparison, request)
