"""What does `profile-model diff` do? It says what changed between two models, or in one since it was saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from profiler.answers.common.models import NamedModel, entries, over, profiles, single_model
from profiler.answers.common.options import (
    Columns,
    ConventionOption,
    ExecutionOptions,
    InputOptions,
    Limits,
    Model,
    OnDevice,
    Result,
    Saved,
    Strict,
    Top,
    TraceCacheOption,
    option,
)
from profiler.answers.common.outcome import COMPARE, Context, Outcome
from profiler.answers.common.time_columns import check_device
from profiler.answers.diff.compute import FIGURES, TIME, TOP, Diff, check_growth_limits
from profiler.answers.diff.increase import growth_limits
from profiler.answers.diff.table import CHANGE_COLUMNS, warnings
from profiler.records import archive
from profiler.records.spec import Feed
from profiler.render.tables import chosen_columns
from profiler.sources import holds_weights_alone

JOB = COMPARE


def run(
    before: Model,
    after: Model,
    /,
    *,
    context: Context,
    max_increase: Annotated[
        str | None, option("Exit with 1 when a total grew by more: 2%, 0, or params=0,macs=5%.", "LIMIT")
    ] = None,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    execution: ExecutionOptions = ExecutionOptions(),
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    columns: Columns = Columns(),
    top: Top = Top(),
    most: Limits = Limits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """What changed between two models: totals, and layer by layer; or since one was saved.

    Example: profile-model diff resnet18 resnet34 --max-increase macs=5%
    """
    limits = most.limits
    allowed = None if max_increase is None else growth_limits(max_increase, FIGURES)
    if allowed is not None:
        check_growth_limits(allowed, context.timer)
    chosen_columns(columns.chosen, CHANGE_COLUMNS)
    check_device(columns.chosen, [TIME], context.timer)
    models = _before_and_after([single_model(model, inputs, "diff") for model in (before, after)])
    rows, failures = entries(models, context, convention.name, execution.conditions)
    if failures:
        return Outcome(None, failures)
    first, second = profiles(rows)
    diff = Diff(first, second, TOP if top.top is None else top.top, columns.chosen)
    if allowed is not None:
        failures += diff.failures(allowed)
    failures += over(rows[1:], limits)
    return Outcome(diff, failures, list(warnings(diff)), [diff.after], None if failures else diff.after)


def _before_and_after(models: Sequence[NamedModel]) -> tuple[NamedModel, ...]:
    """What is fed is for the one that is run, where the other was saved."""
    saved = [model.spec.endswith(archive.SUFFIXES) or holds_weights_alone(model.spec) for model in models]
    if all(saved):
        return tuple(models)
    return tuple(
        replace(model, feed=Feed(), is_saved=True) if was else model for model, was in zip(models, saved, strict=True)
    )
