"""A training step: forward and backward pass, gradients, and an optimizer's update and state."""

from __future__ import annotations

from profiler.answers.common.models import lists, wanted
from profiler.answers.common.options import (
    Captions,
    Cast,
    Columns,
    Counted,
    Fed,
    Limits,
    Model,
    Result,
    Saved,
    Step,
    Strict,
)
from profiler.answers.common.outcome import LOOK, Lent, Outcome
from profiler.answers.models.verb import LayersShown, RowsShown, look, tables
from profiler.records import conditions

JOB = LOOK


def run(
    *models: Model,
    context: Lent,
    fed: Fed = Fed(),
    cast: Cast = Cast(),
    step: Step = Step(),
    counted: Counted = Counted(),
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
    under = conditions.conditions(dtype=cast.dtype, train=True, **step.asked)
    listed = lists(models)
    shaped = tables(models, listed, columns, captions, layers, rows)
    return look(context, wanted(listed, fed, rows.label), shaped, counted, under, most, saved, "train")
