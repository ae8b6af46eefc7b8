"""What does `profile-model train` do? It says what a training step costs.

A step is a forward and a backward pass, with gradients, and an optimizer's update and state.
"""

from __future__ import annotations

from profiler.answers.common.models import lists, named_models
from profiler.answers.common.options import (
    Captions,
    Cast,
    Columns,
    ConventionOption,
    InputOptions,
    Limits,
    Model,
    OnDevice,
    Result,
    Saved,
    Strict,
    TraceCacheOption,
    TrainingOptions,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.models.verb import LayersShown, RowsShown, look, tables
from profiler.records import conditions

JOB = LOOK


def run(
    *models: Model,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    cast: Cast = Cast(),
    step: TrainingOptions = TrainingOptions(),
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    layers: LayersShown = LayersShown(),
    rows: RowsShown = RowsShown(),
    most: Limits = Limits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """A training step: forward and backward pass, gradients, the optimizer's state, and the peak.

    Example: profile-model train resnet34 --batch 32 --optimizer adamw
    """
    under = conditions.conditions(dtype=cast.dtype, train=True, **step.settings)
    listed = lists(models)
    shaped = tables(models, listed, columns, captions, layers, rows)
    return look(context, named_models(listed, inputs, rows.label), shaped, convention, under, most, saved, "train")
