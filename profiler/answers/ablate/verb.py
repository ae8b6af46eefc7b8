"""What does `profile-model ablate` do? It says what a model costs without some of its layers, or with others."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from profiler.answers.ablate.running import Rows, ablated
from profiler.answers.ablate.variants import Asked, asked, replacement
from profiler.answers.common.models import over, single_model
from profiler.answers.common.options import (
    Captions,
    Columns,
    ConventionOption,
    ExecutionOptions,
    InputOptions,
    Limits,
    Model,
    OnDevice,
    Result,
    Strict,
    grouped,
    names,
    option,
)
from profiler.answers.common.outcome import WHAT_IF, Context, Outcome
from profiler.answers.common.shown import anchor
from profiler.answers.models.compute import Layout
from profiler.answers.models.metrics import PUBLISHED
from profiler.answers.models.verb import RowsShown, marked

JOB = WHAT_IF


@grouped("Variants, a row each")
class Changes:
    without: Annotated[
        tuple[str, ...], option("Layers left out together, by path or class: layer4.2, '*.se,*.drop'.", "PATTERN,...")
    ] = ()
    replace: Annotated[
        tuple[str, ...],
        option(
            "Another layer in the place of each: 'bn*=Identity', 'conv1=Conv2d(3, 64, 5)', '*.conv2=FILE.py:CALLABLE'.",
            "PATTERN=LAYER",
        ),
    ] = ()
    each: Annotated[tuple[str, ...], option("Layers left out one by one: 'layer*.*'.", "PATTERN")] = ()

    @property
    def asked(self) -> Asked:
        """Raises `errors.ProfileError`."""
        return asked(self.without, [replacement(text) for text in self.replace], self.each)


def run(
    model: Model,
    /,
    *,
    context: Context,
    changes: Changes = Changes(),
    inputs: InputOptions = InputOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    rows: RowsShown = RowsShown(),
    sort: Annotated[
        str | None, option("Sort the rows by a column, the largest first.", "COLUMN", heading="The table")
    ] = None,
    most: Limits = Limits(),
    strict: Strict = Strict(),
    result: Result = Result(),
) -> Outcome:
    """A model without some of its layers, or with others.

    A row for the model, and one for each variant. An identity takes the place of a layer that is left out and returns
    what it takes, in shape and dtype.

    Example: profile-model ablate resnet34 --each 'layer*.*'
    """
    layout = Layout(
        columns.chosen, rows.relative_to, marked(names(rows.bold) if rows.bold is not None else None),
        captions.caption or "", anchor(captions.tex_label), sort, context.timer,
    )  # fmt: skip
    metrics = [True if path == PUBLISHED else path for path in rows.metrics]
    only = single_model(model, inputs, "ablate")
    answer = ablated(
        only.spec, only.feed, execution.conditions, changes.asked, Rows(layout, rows.label, metrics),
        partial(context.profile, convention=convention.name), context.with_progress,
    )  # fmt: skip
    failures = [*answer.failures, *over(answer.entries, most.limits)]
    uncounted = {str(profile.unknown_ops): profile for profile in reversed(answer.profiles)}  # each once for --strict
    return Outcome(answer, failures, profiles=list(uncounted.values()))
