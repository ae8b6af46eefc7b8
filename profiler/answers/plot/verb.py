"""What does `profile-model plot` do? It draws a figure for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from profiler import errors
from profiler.answers.common.again import loaded
from profiler.answers.common.figures import FORMATS, ChartResult, LookOptions  # noqa: F401  formats of the verb
from profiler.answers.common.models import (
    NamedModel,
    check_runs,
    entries,
    lists,
    named_models,
    profiles,
    varying,
)
from profiler.answers.common.options import (
    ConventionOption,
    ExecutionOptions,
    InputOptions,
    Models,
    Strict,
    TraceCacheOption,
    grouped,
    option,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.models import metrics
from profiler.answers.models.compute import Entry, Layout, comparison
from profiler.answers.models.metrics import PUBLISHED
from profiler.answers.plot.compute import Plot, chart
from profiler.answers.plot.curves import curves
from profiler.answers.plot.request import KINDS, MEMORY, ROOFLINE, SCAN, SCATTER, Request, requested
from profiler.answers.plot.running import scans
from profiler.answers.plot.scatter import columns
from profiler.answers.scan.compute import read
from profiler.answers.time.compute import Timing
from profiler.figures.profile import Profile
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.spec import Feed
from profiler.render.charts.look import Look

JOB = LOOK


@grouped("The figure")
class FigureOptions:
    kind: Annotated[str | None, option(f"{', '.join(KINDS)}. Default: what suits the models.", "KIND")] = None
    x: Annotated[
        str | None, option("Of a scatter: a column of several models, or a metric. Default: macs.", "NAME")
    ] = None
    y: Annotated[str | None, option("What stands along the other axis: a figure, or a metric.", "NAME,...")] = None
    log: Annotated[str | None, option("Which axes are logarithmic: x, y, x,y or none.", "AXES")] = None
    scan: Annotated[str | None, option("What varies, as `profile-model scan` has it: batch=1,8,32.", "NAME=VALUES")] = (
        None
    )
    device: Annotated[
        str | None,
        option("Add times: of a device of `list --devices` or FILE.toml; cpu or cuda: measured here.", "NAME"),
    ] = None
    label: Annotated[tuple[str, ...], option("A model's name. Once for each model, in order.", "TEXT")] = ()
    metrics: Annotated[
        tuple[str, ...], option("How good models are: a CSV file by model, predictions, or `published`.", "FILE")
    ] = ()

    @property
    def request(self) -> Request:
        """Raises `errors.ProfileError`."""
        return requested(self.kind, self.x, self.y, self.log, self.scan, self.device)


def run(
    *models: Models,
    context: Context,
    figure: FigureOptions = FigureOptions(),
    shown: LookOptions = LookOptions(),
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    execution: ExecutionOptions = ExecutionOptions(),
    convention: ConventionOption = ConventionOption(),
    strict: Strict = Strict(),
    result: ChartResult = ChartResult(),
) -> Outcome:
    """A figure for a paper: accuracy against cost, bars by layer kind, depth, memory, a scan or a roofline.

    Example: profile-model plot resnet18 resnet34 mobilenet_v2 --metrics published -o figure.pdf
    """
    request, drawn = figure.request, shown.look
    listed = lists(models)
    named = named_models(listed, inputs, figure.label, varies=request.scan is not None)
    paths = figure.metrics or next((m.settings["metrics"] for m in listed if "metrics" in m.settings), ())
    sources = metrics.sources([path for path in paths if path != PUBLISHED], [(m.spec, m.label) for m in named])
    known, is_published = metrics.names(sources, [model.metrics for model in named]), PUBLISHED in paths
    kind = request.of(len(named), bool(known) or is_published)
    if kind in (MEMORY, SCAN, ROOFLINE) or execution.conditions != AS_IT_IS or convention != ConventionOption():
        check_runs(named, f"a figure of kind {kind}")
    if kind == SCAN:
        return _scanned(named, request, drawn, context, execution.conditions, convention.name)
    if kind == SCATTER and not is_published:
        columns(request, known)
    rows, failures = _rows(named, context, execution.conditions, convention.name, figure.device)
    ran = profiles(rows)
    sources = (*([metrics.published(ran)] if is_published else ()), *sources)
    compared = comparison(rows, Layout(timer=next((profile.timer for profile in ran), None)), sources)
    return Outcome(Plot(chart(kind, compared, request), drawn) if ran else None, failures, profiles=ran)


def _rows(
    models: Sequence[NamedModel], context: Context, under: Conditions, convention: str, device: str | None
) -> tuple[list[Entry], list[errors.ProfileError]]:
    """Every model that can be profiled, on the device where one is named, and why the others cannot."""
    timing = None if device is None else Timing(device)
    if timing is None:
        return entries(models, context, convention, under)
    timing.check()

    def there(spec: Any, feed: Feed, convention: str, under: Conditions) -> Profile:
        return timing.on(context.run(spec, feed, convention, under), partial(loaded, spec, feed), under)

    return entries(models, replace(context, run=there), convention, under)


def _scanned(
    models: Sequence[NamedModel],
    request: Request,
    drawn: Look,
    context: Context,
    under: Conditions,
    convention: str,
) -> Outcome:
    name, _ = read(request.scan or "")
    varies = [(model.label, varying("plot --scan", model, name, context, under, convention)) for model in models]
    ran = scans(varies, request, context.with_progress)
    failures = [failure for _, scan in ran for failure in scan.failures]
    return Outcome(
        Plot(curves(ran, request), drawn), failures, profiles=[profile for _, scan in ran for profile in scan.profiles]
    )
