"""What does `profile-model check` do? It holds models to the limits of a budget file."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from profiler import errors
from profiler.answers.check import file as budget_file
from profiler.answers.check import init as budget_init
from profiler.answers.check import run as budget_run
from profiler.answers.check.file import Budgeted
from profiler.answers.common.models import named_models
from profiler.answers.common.options import (
    Argument,
    ConventionOption,
    InputOptions,
    Labels,
    Result,
    TraceCacheOption,
    option,
)
from profiler.answers.common.outcome import CHECK, Context, Outcome
from profiler.records import quantities

JOB = CHECK
HEAD_ROOM = "10%"


def run(
    *names: Annotated[
        str,
        Argument(
            f"The budget file. Default: the nearest {budget_file.NAME}, or {budget_file.PROJECT} that has a "
            "table tool.profile-model. With --init: models.",
        ),
    ],
    context: Context,
    init: Annotated[
        bool, option("Measure the models named, or those of the file, and write limits for them into it.")
    ] = False,
    head_room: Annotated[str | None, option("What --init adds to what it measures; 10% by default.", "PERCENT")] = None,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    convention: ConventionOption = ConventionOption(),
    labels: Labels = Labels(),
    result: Result = Result(),
) -> Outcome:
    """Hold all models of a budget file to their limits.

    Example: profile-model check --init resnet34
    """
    if not init:
        return _check(names, context, head_room, inputs, convention, labels)
    models = named_models(names, inputs, labels.label) if names else ()
    named = [Budgeted(model.spec, model.label, model.feed, convention.name, (), 0) for model in models]
    written = budget_init.write(budget_init.plan(named, _head_room(head_room)), context.run, context.with_progress)
    return Outcome(written, list(written.failures()))


def _check(
    names: tuple[str, ...],
    context: Context,
    head_room: str | None,
    inputs: InputOptions,
    convention: ConventionOption,
    labels: Labels,
) -> Outcome:
    for name, value in (("--head-room", head_room), ("--label", labels.label), *_input_values(inputs, convention)):
        if value:
            raise errors.only_with(name, "--init")
    if len(names) > 1:
        raise _check_takes_none(names[1])
    checked = budget_run.check(budget_file.limited(names[0] if names else ""), context.run, context.with_progress)
    return Outcome(checked, list(checked.failures()))


def _input_values(inputs: InputOptions, convention: ConventionOption) -> list[tuple[str, object]]:
    is_chosen = convention != ConventionOption()
    return [
        ("--input", inputs.input),
        ("--batch", inputs.batch),
        ("--seq", inputs.seq),
        ("--trust-remote-code", inputs.trust_remote_code),
        ("--convention", is_chosen),
    ]


def _head_room(text: str | None) -> Decimal:
    return quantities.read("--head-room", HEAD_ROOM if text is None else text, quantities.percent) / 100


# Error messages -------------------------------------------------------------------------------------------------------


def _check_takes_none(spec: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"check takes its models from a budget file, FILE.toml, and {spec!r} is named as well; leave it out"
    )
