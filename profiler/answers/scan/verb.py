"""What does `profile-model scan` do? It says what a model costs at several sizes."""

from __future__ import annotations

from typing import Annotated

from profiler.answers.common.models import check_runs, single_model, varying
from profiler.answers.common.options import (
    Argument,
    Captions,
    Columns,
    ConventionOption,
    ExecutionOptions,
    Generating,
    InputOptions,
    Model,
    OnDevice,
    Result,
    Strict,
    TraceCacheOption,
)
from profiler.answers.common.outcome import WHAT_IF, Context, Outcome
from profiler.answers.scan.compute import read
from profiler.answers.scan.scanning import scanned
from profiler.engine.processes.foreign_code import at_work

JOB = WHAT_IF


def run(
    model: Model,
    values: Annotated[
        str,
        Argument("NAME=1,8..32: batch, size, seq, {n} of --input, or a keyword of the builder.", metavar="NAME=VALUES"),
    ],
    /,
    *,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    execution: ExecutionOptions = ExecutionOptions(),
    language: Generating = Generating(),
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    strict: Strict = Strict(),
    result: Result = Result(),
) -> Outcome:
    """A row for each value of what varies; exact polynomials of it.

    Example: profile-model scan resnet34 size=160..320:32
    """
    name, several = read(values)
    only = single_model(model, inputs, "scan", varies=True)
    check_runs([only], "scan")
    varies = varying("scan", only, name, context, execution.conditions, convention.name)
    with at_work(varies.label):
        scan = scanned(
            varies, several, language.request(context.profile), columns.chosen, captions.caption, captions.tex_label,
            context.with_progress, context.timer,
        )  # fmt: skip
    uncounted = {str(profile.unknown_ops): profile for profile in reversed(scan.profiles)}  # each once for --strict
    return Outcome(scan, scan.failures, profiles=list(uncounted.values()))
