"""What does `profile-model weights` do? It says how large weights are in other formats."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from profiler import errors
from profiler.answers.common.models import entries, named_models, over, profiles
from profiler.answers.common.options import (
    Cast,
    InputOptions,
    Labels,
    Model,
    Result,
    SizeLimit,
    Top,
    TraceCacheOption,
    names,
    option,
)
from profiler.answers.common.outcome import WHAT_IF, Context, Outcome
from profiler.answers.weights.compute import overview, quantised, size_in
from profiler.answers.weights.table import OVERVIEW_COLUMNS
from profiler.counters.conventions import DEFAULT
from profiler.records.schemes import SCHEMES, named
from profiler.render.answer import Answer
from profiler.render.tables import chosen_columns

JOB = WHAT_IF


def run(
    *models: Model,
    context: Context,
    as_: Annotated[
        str | None, option(f"Formats: {', '.join(SCHEMES)}. Default: all of them.", "NAME,...", name="--as")
    ] = None,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    cast: Cast = Cast(),
    labels: Labels = Labels(),
    sort: Annotated[
        str | None,
        option("Sort the rows of several by a column, the largest first.", "COLUMN", heading="The table"),
    ] = None,
    top: Top = Top(),
    most: SizeLimit = SizeLimit(),
    result: Result = Result(),
) -> Outcome:
    """How large the weights are in other formats: one format of one model layer by layer, else a row for each.

    Example: profile-model weights resnet34 --as int8,nf4
    """
    schemes = tuple(SCHEMES) if as_ is None else tuple(named(name).name for name in names(as_) or ("",))
    limits = [replace(limit, figure=size_in(scheme)) for limit in most.limits for scheme in schemes]
    listed = named_models(models, inputs, labels.label)
    is_single = len(schemes) == len(listed) == 1
    if sort is not None and is_single:
        raise errors.only_with("--sort", "several models or formats")
    chosen_columns([] if sort is None else [sort], {column.name: column for column in OVERVIEW_COLUMNS})
    rows, failures = entries(listed, context, DEFAULT, cast.conditions)
    ran = profiles(rows)
    answer: Answer | None = None
    if ran and is_single:
        answer = quantised(ran[0], schemes[0], top.top)
    elif ran:
        answer = overview(ran, [entry.label for entry in rows if entry.profile is not None], schemes, sort, top.top)
    return Outcome(answer, [*failures, *over(rows, limits)])
