"""How long does a model take? Measured here, predicted, or a lower bound."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from profiler import errors
from profiler.answers.check.compute import failures, verdicts
from profiler.answers.common.again import loaded
from profiler.answers.common.models import NamedModel, check_runs, single_model
from profiler.answers.common.options import (
    Captions,
    Columns,
    ExecutionOptions,
    InputOptions,
    Model,
    Result,
    Strict,
    TimeLimit,
    TraceCacheOption,
    grouped,
    names,
    number,
    option,
    reading,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.common.shown import anchor
from profiler.answers.layers.compute import View
from profiler.answers.models.verb import LayersShown
from profiler.answers.time.batches import BATCH_COLUMNS, BatchPoint, BatchTimes
from profiler.answers.time.compute import TimeReport, Timing
from profiler.answers.time.table import TIME_COLUMNS
from profiler.devices.measuring.effort import SECONDS, Effort
from profiler.engine.processes.foreign_code import at_work
from profiler.records import quantities
from profiler.records.conditions import Conditions
from profiler.render.tables import chosen_columns

JOB = LOOK


@grouped("What it is fed")
class BatchesInput(InputOptions):
    """Several batch sizes make a row each."""

    batch: Annotated[str | None, option("How many samples; or several, a row each: 1,8,32.", "N,...")] = None  # type: ignore[assignment]

    @property
    def each(self) -> list[InputOptions]:
        """The input at each batch size; raises `errors.ProfileError`."""
        read = partial(quantities.whole, least=1)
        sizes: list[int | None] = [quantities.read("--batch", text, read) for text in names(self.batch)]
        return [
            InputOptions(input=self.input, batch=size, seq=self.seq, trust_remote_code=self.trust_remote_code)
            for size in dict.fromkeys(sizes or [None])
        ]


@grouped("Measuring")
class MeasuringOptions:
    seconds: Annotated[
        float | None,
        option(
            f"How long it may take. Default: {SECONDS:g}.", "N", converter=reading(partial(quantities.seconds, least=0))
        ),
    ] = None
    threads: Annotated[int | None, option("Threads of the CPU.", "N", converter=number(1))] = None
    compile: Annotated[bool, option("By torch.compile first; then layers are not told apart.")] = False
    flush_cache: Annotated[bool, option("Before each run, empty the caches of what the last one left.")] = False

    @property
    def effort(self) -> Effort:
        return Effort(SECONDS if self.seconds is None else self.seconds, self.threads, self.compile, self.flush_cache)


def run(
    model: Model,
    /,
    *,
    context: Context,
    device: Annotated[
        str, option("cpu, cuda or mps: run it here. Else a device of `list --devices`, or FILE.toml.", "NAME")
    ] = "cpu",
    inputs: BatchesInput = BatchesInput(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    execution: ExecutionOptions = ExecutionOptions(),
    measuring: MeasuringOptions = MeasuringOptions(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    layers: LayersShown = LayersShown(),
    most: TimeLimit = TimeLimit(),
    strict: Strict = Strict(),
    result: Result = Result(),
) -> Outcome:
    """How long a run takes, layer by layer: measured here, predicted of a calibrated device, or a lower bound of any.

    Example: profile-model time resnet34 --device h100-sxm
    """
    under, timing = execution.conditions, Timing(device, measuring.effort)
    view = View(
        columns.chosen, layers.depth, layers.sort, layers.top, layers.filter, captions.caption or "",
        anchor(captions.tex_label),
    )  # fmt: skip
    models = [single_model(model, fed, "time") for fed in inputs.each]
    check_runs(models, "time")
    _check(timing, measuring, view, several=len(models) > 1)
    timing.check()
    if len(models) == 1:
        report = _report(context, models[0], timing, under, view)
        return Outcome(report, _over(report, models[0], most), profiles=[report.profile])
    points: list[BatchPoint] = []
    reasons: list[errors.ProfileError] = []
    for fed in context.with_progress(models, [f"{model}, batch {fed.feed.batch}" for fed in models]):
        try:
            report = _report(context, fed, timing, under, view)
            points.append(BatchPoint(fed.feed.batch or 0, report))
            reasons += _over(report, fed, most)
        except errors.ProfileError as error:
            reasons.append(error)
            points.append(BatchPoint(fed.feed.batch or 0, None, str(error)))
    answer = BatchTimes(tuple(points), columns.chosen, captions.caption or "", anchor(captions.tex_label))
    return Outcome(answer if answer.reports else None, reasons, profiles=[r.profile for r in answer.reports])


def _over(report: TimeReport, model: NamedModel, most: TimeLimit) -> list[errors.ProfileError]:
    return list(failures(verdicts(report.profile, model.label, most.limits)))


def _report(context: Context, model: NamedModel, timing: Timing, under: Conditions, view: View) -> TimeReport:
    seconds = timing.effort.seconds if timing.is_here else None
    with at_work(model.label), context.progress_line(f"{model.label}: runs", seconds) as ended:
        profile = context.run(model.spec, model.feed, "flops", under)
        on = replace(timing, ended=ended).on(profile, partial(loaded, model.spec, model.feed), under)
    return TimeReport(on, view)


def _check(timing: Timing, measuring: MeasuringOptions, view: View, several: bool) -> None:
    """Raises for options that do not go together."""
    set_ones = {
        "--seconds": measuring.seconds is not None,
        "--threads": measuring.threads is not None,
        "--compile": measuring.compile,
        "--flush-cache": measuring.flush_cache,
    }
    for name, is_set in set_ones.items():
        if is_set and not timing.is_here:
            raise errors.only_with(name, "a measurement, --device cpu or cuda,")
    shown = {"--depth": view.depth, "--sort": view.sort, "--top": view.top, "--filter": view.filter}
    for name, value in shown.items():
        if several and value is not None:
            raise errors.only_with(name, "one batch size, whose layers are shown,")
    chosen_columns(view.columns, BATCH_COLUMNS if several else TIME_COLUMNS)
    chosen_columns([view.sort] if view.sort else [], TIME_COLUMNS)
