"""Where a layer's counts come from."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from profiler.answers.common.models import entries, profiles, wanted
from profiler.answers.common.options import Cast, Counted, Fed, Model, Strict, Written
from profiler.answers.common.outcome import LOOK, Lent, Outcome
from profiler.answers.explain.compute import explain

JOB = LOOK
FORMATS = ("text",)


def run(
    model: Model,
    pattern: Annotated[str, Parameter(help="Layers whose path or class matches: 'layer1.*', Conv2d.")] = "*",
    /,
    *,
    context: Lent,
    fed: Fed = Fed(),
    cast: Cast = Cast(),
    counted: Counted = Counted(),
    strict: Strict = Strict(),
    result: Written = Written(),
) -> Outcome:
    """Each layer's counts as formula = numbers = result.

    Example: profile-model explain resnet34 'layer1.*'
    """
    found, failures = entries(wanted([model], fed), context, counted.name, cast.conditions)
    ran = profiles(found)
    return Outcome("\n\n".join(explain(profile, pattern) for profile in ran) or None, failures, (), ran)
