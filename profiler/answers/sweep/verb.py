"""What does `profile-model sweep` do? It profiles many models, each by itself, and says which of them fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from typing import Annotated, Any

from profiler import errors
from profiler.answers.common.models import lists, named_models
from profiler.answers.common.options import (
    Cast,
    Columns,
    InputOptions,
    LimitGroup,
    Models,
    Result,
    TraceCacheOption,
    grouped,
    limited,
    names,
    number,
    option,
    reading,
)
from profiler.answers.common.outcome import COMPARE, Context, Outcome
from profiler.answers.models import metrics
from profiler.answers.models.metrics import PUBLISHED, Metrics
from profiler.answers.sweep.asking import FORMATS, of_file, of_models, requested, runs_nothing
from profiler.answers.sweep.choice import Choice, axes
from profiler.answers.sweep.columns import is_ok
from profiler.answers.sweep.compute import DEFAULT_BOUNDS, Execution, Sweep, execution, nothing_fits
from profiler.answers.sweep.reading import is_finished
from profiler.answers.sweep.request import Request
from profiler.counters import conventions
from profiler.records import quantities
from profiler.sources.trace_cache.cache import TraceCache

JOB = COMPARE


@grouped("How it is run")
class SweepExecution:
    jobs: Annotated[int | None, option("Models at once. Default: one a core.", "N", converter=number(1))] = None
    on: Annotated[str | None, option("A cluster: dask://HOST:PORT or ray://HOST:PORT.", "CLUSTER")] = None
    timeout: Annotated[
        float | None,
        option(
            f"Seconds that a model may take. Default: {DEFAULT_BOUNDS.seconds:g}.",
            "SECONDS",
            converter=reading(quantities.seconds),
        ),
    ] = None
    memory: Annotated[
        int | None,
        option(
            "What a model's process may take, libraries included. Default: 8GB.", "SIZE",
            converter=reading(partial(quantities.size, least=1)),
        ),
    ] = None  # fmt: skip
    resume: Annotated[bool, option("Go on where an earlier sweep to the same --output ended.")] = False
    retry: Annotated[bool, option("With --resume: run what failed once more.")] = False

    def of(self, output: str | None, trace_cache: TraceCache | None) -> Execution:
        """Raises `errors.ProfileError`."""
        limits = self.timeout, self.memory
        return execution(output, self.jobs, self.on, *limits, self.resume, self.retry, trace_cache)


@grouped("What a row has")
class RowContent:
    convention: Annotated[
        str | None,
        option(f"Whose FLOPs: one or several of {', '.join(conventions.names())}.", "NAME,..."),
    ] = None
    device: Annotated[
        tuple[str, ...], option("A device of `list --devices`, or FILE.toml: adds its time. Repeatable.", "NAME")
    ] = ()
    metrics: Annotated[
        tuple[str, ...], option("Accuracy columns: a CSV file by model, or `published`. Repeatable.", "FILE.csv")
    ] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the files among the metrics."""
        return tuple(path for path in self.metrics if path != PUBLISHED)

    @property
    def about_a_run(self) -> Iterator[str]:
        """What says how models are run, as it is written."""
        yield from (f"--{name}" for name in ("convention", "device") if getattr(self, name))
        if PUBLISHED in self.metrics:
            yield f"--metrics {PUBLISHED}"


@grouped("Which rows are shown")
class RowChoice:
    where: Annotated[str | None, option("Only rows of which it is true: 'macs < 1G and acc@1 > 75'.", "EXPRESSION")] = (
        None
    )
    pareto: Annotated[str | None, option("Only rows that none is better than: acc@1,macs.", "NAME,...")] = None
    best: Annotated[str | None, option("The best row by a column, and nine runners-up: acc@1.", "NAME")] = None
    sort: Annotated[str | None, option("Sort by a column, the largest first.", "COLUMN")] = None
    top: Annotated[int | None, option("Only the first N rows.", "N", converter=number(1))] = None


@limited(
    "params", "trainable", "size", "macs", "flops", "activations", "peak-memory", "unknown", "time",
    heading="A budget: only rows within it",
)  # fmt: skip
class Budget(LimitGroup):
    """What a model may cost to be shown."""


@grouped("Checks: exit with 1 above a limit")
class SweepStrict:
    strict: Annotated[bool, option("Exit with 1 when a model fails, or an operator has no formula.")] = False


@grouped("The result")
class SweepResult(Result):
    """How the rows are written."""

    format: Annotated[
        str | None, option(f"{', '.join(FORMATS)}. Default: by the suffix of --output, else text.", "NAME")
    ] = None


def run(
    *models: Models,
    context: Context,
    inputs: InputOptions = InputOptions(),
    cast: Cast = Cast(),
    content: RowContent = RowContent(),
    running: SweepExecution = SweepExecution(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    choice: RowChoice = RowChoice(),
    budget: Budget = Budget(),
    columns: Columns = Columns(),
    strict: SweepStrict = SweepStrict(),
    result: SweepResult = SweepResult(),
) -> Outcome:
    """A row for each model of zoos, and which of them fit.

    Example: profile-model sweep 'torchvision:resnet*' -o zoo.parquet

    The rows of a finished sweep are asked without running anything: profile-model sweep zoo.parquet --best acc@1
    --max-macs 1G
    """
    wanted = Choice(choice.where, budget.limits, axes(choice.pareto), choice.best, choice.sort, choice.top)
    finished = next(filter(is_finished, models), None)
    if finished is not None:
        given = [*_given(inputs), *_given(cast), *_given(running), *content.about_a_run]
        if given:
            raise runs_nothing(finished, given)
        answer = of_file(models, partial(metrics.sources, content.paths), wanted, columns.chosen)
    else:
        request, sources = _request(models, inputs, cast, content)
        execution = running.of(result.output, context.trace_cache)
        answer = of_models(request, sources, execution, wanted, columns.chosen, context.progress_bar)
    return _outcome(answer, strict.strict, is_run=finished is None)


def _given(options: Any) -> Iterator[str]:
    """The options of a group that are not as they are by themselves."""
    for field in fields(options):
        if getattr(options, field.name) != field.default:
            yield f"--{field.name.replace('_', '-')}"


def _outcome(answer: Sweep, is_strict: bool, is_run: bool) -> Outcome:
    """A complete sweep is one in which every model has its row: what failed is told, and is no failure of the sweep."""
    failures: list[errors.ProfileError] = []
    if answer.failed and answer.failed == sum(answer.counts.values()):
        failures.append(_nothing_works(answer))
    elif is_strict:
        failures += _checks(answer)
    if answer.choice.best is not None and not answer.rows:
        failures.append(nothing_fits(answer.choice))
    return Outcome(answer, failures, remarks=(answer.summary,) if is_run else ())


def _request(
    models: Sequence[str], inputs: InputOptions, cast: Cast, content: RowContent
) -> tuple[Request, tuple[Metrics, ...]]:
    listed = lists(models)
    named = named_models(listed, inputs)
    paths = content.metrics or next((m.settings["metrics"] for m in listed if "metrics" in m.settings), ())
    files = [path for path in paths if path != PUBLISHED]
    sources = metrics.sources(files, [(model.spec, model.label) for model in named])
    several, is_published = names(content.convention), PUBLISHED in paths
    return requested(models, named, several, content.device, cast.conditions, is_published), sources


def _checks(answer: Sweep) -> list[errors.ProfileError]:
    """What --strict is about: of all rows that are there, whether they are shown or not."""
    checks: list[errors.ProfileError] = []
    if answer.failed:
        checks.append(errors.CheckFailed(f"--strict: {answer.summary}; see the column reason"))
    if answer.uncounted:
        checks.append(_unknown_operators(answer.uncounted))
    return checks


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_works(answer: Sweep) -> errors.ProfileError:
    first = next((row for row in answer.rows if not is_ok(row)), None)
    why = f"; the first: {first['reason']}" if first is not None else ""
    return errors.ProfileError(f"none of the models could be profiled ({answer.summary}){why}")


def _unknown_operators(models: Sequence[str]) -> errors.CheckFailed:
    return errors.CheckFailed(
        f"--strict: {errors.some(models)}: operators without a formula are not counted; register them "
        "(docs/extending.md)"
    )
