"""What does `profile-model report` do? It writes a page to look into: one HTML file that needs nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from profiler import errors
from profiler.answers.common.models import lists, named_models
from profiler.answers.common.options import (
    Captions,
    Columns,
    ConventionOption,
    ExecutionOptions,
    InputOptions,
    Limits,
    Models,
    OnDevice,
    OutputOptions,
    Saved,
    Strict,
    TraceCacheOption,
    grouped,
    option,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.models.verb import LayersShown, RowsShown, look, tables
from profiler.answers.report.compute import reported
from profiler.records.files import writing

JOB = LOOK
FORMATS = ("html",)


@grouped("The result")
class PageOptions(OutputOptions):
    """Where the page goes."""

    format: Annotated[str | None, option("html, as which alone it is written.", "NAME")] = None
    title: Annotated[str | None, option("What stands above it. Default: the models' names.", "TEXT")] = None


def run(
    *models: Models,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    no_input: Annotated[
        bool, option("Run nothing: parameters and sizes alone, of a model that says no input.")
    ] = False,
    execution: ExecutionOptions = ExecutionOptions(),
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    rows: RowsShown = RowsShown(),
    strict: Strict = Strict(),
    result: PageOptions = PageOptions(),
) -> Outcome:
    """A page to look into, as one HTML file: the tree of layers, a map of costs, formulas, memory over time, roofline.

    Example: profile-model report resnet34 -o report.html
    """
    stdout = writing.stdout()
    if result.output is None and stdout is not None and stdout.isatty():
        raise _needs_file()
    listed = lists(models)
    shaped = tables(models, listed, Columns(), Captions(caption=result.title), LayersShown(), rows)
    named = named_models(listed, inputs, rows.label, is_run=not no_input)
    outcome = look(context, named, shaped, convention, execution.conditions, Limits(), Saved(), "report")
    return replace(outcome, answer=reported(outcome.answer))


# Error messages -------------------------------------------------------------------------------------------------------


def _needs_file() -> errors.ProfileError:
    return errors.ProfileError(
        "a report is a page for a browser, and a terminal is none; write it to a file: -o report.html"
    )
