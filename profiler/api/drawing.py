"""How does a paper show it, in Python? `plot`: a figure of matplotlib."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from profiler.answers.common.drawing import drawn
from profiler.answers.common.run_options import RunOptions, feed_and_conditions
from profiler.answers.common.varying import Varying
from profiler.answers.models.metrics import MetricSources
from profiler.api.comparing import compare
from profiler.api.profiling import Profile, profile, run
from profiler.counters.conventions import DEFAULT
from profiler.figures import profile as figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn


def plot(
    models: nn.Module | figures.Profile | str | Sequence[nn.Module | figures.Profile | str],
    kind: str | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    log: str | None = None,
    scan: str | None = None,
    labels: Sequence[str] = (),
    metrics: MetricSources = None,
    device: str | None = None,
    inputs: Any = None,
    convention: str = DEFAULT,
    width: str | float | None = None,
    style: str | os.PathLike[str] | None = None,
    title: str = "",
    output: str | os.PathLike[str] | None = None,
    **options: Unpack[RunOptions],
) -> Figure:
    """A figure for a paper, of matplotlib: its `savefig` embeds fonts, and no setting of matplotlib is changed.

    models: profiles, specs or live models, one or several.
    kind: "scatter", "kinds", "depth", "memory", "scan" or "roofline"; by default what suits the models.
    x, y: what stands along the axes, such as "macs" and "acc@1".
    log: which axes are logarithmic: "x", "y", "x,y" or "none".
    scan: what varies: "batch=1,8,32".
    labels, metrics: as `compare` takes them.
    device: adds times there; "cpu" and "cuda" are this machine, where the models are run and timed.
    inputs, convention, options: as `profile` takes them, of models that are no profiles yet.
    width, style: "one" column, "two", or inches; a style file of matplotlib.
    title, output: what stands above it, and the file that it is also written to: .pdf, .svg, .png or .pgf.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.plot import request, running
    from profiler.render.charts import files, look

    files.check()
    feed, under = feed_and_conditions(options)
    answer = running.plotted(
        _several(models),
        request.requested(kind, x, y, log, scan, device),
        look.read(width, style, title),
        lambda model: model if isinstance(model, Profile) else profile(model, inputs, convention=convention, **options),
        lambda model, name: Varying(run, model, name, inputs, {}, feed, convention, under),
        partial(compare, metrics=metrics),
        labels,
        has_metrics=metrics is not None and metrics is not False,
    )
    return drawn(answer, output)


def _several(models: Any) -> list[Any]:
    return [models] if isinstance(models, str) or not isinstance(models, Sequence) else list(models)
