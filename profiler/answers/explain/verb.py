"""What does `profile-model explain` do? It says where a layer's counts come from."""

from __future__ import annotations

from typing import Annotated

from profiler.answers.common.models import entries, named_models, profiles
from profiler.answers.common.options import (
    Argument,
    Cast,
    ConventionOption,
    InputOptions,
    Model,
    Strict,
    TextOptions,
    TraceCacheOption,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.explain.compute import explain

JOB = LOOK
FORMATS = ("text",)


def run(
    model: Model,
    pattern: Annotated[str, Argument("Layers whose path or class matches: 'layer1.*', Conv2d.")] = "*",
    /,
    *,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    cast: Cast = Cast(),
    convention: ConventionOption = ConventionOption(),
    strict: Strict = Strict(),
    result: TextOptions = TextOptions(),
) -> Outcome:
    """Each layer's counts as formula = numbers = result.

    Example: profile-model explain resnet34 'layer1.*'
    """
    rows, failures = entries(named_models([model], inputs), context, convention.name, cast.conditions)
    ran = profiles(rows)
    return Outcome("\n\n".join(explain(profile, pattern) for profile in ran) or None, failures, (), ran)
