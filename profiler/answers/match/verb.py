"""Whether a file of weights matches a model."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from profiler.answers.common.models import wanted_one
from profiler.answers.common.options import Fed, Model, Result, Top
from profiler.answers.common.outcome import FILES, Lent, Outcome
from profiler.answers.match.compute import match
from profiler.engine.processes.foreign_code import at_work

JOB = FILES


def run(
    model: Model,
    weights: Annotated[str, Parameter(help="FILE.safetensors, FILE.pt, an index or a folder.")],
    /,
    *,
    context: Lent,
    fed: Fed = Fed(),
    top: Top = Top(),
    result: Result = Result(),
) -> Outcome:
    """Whether a file of weights matches a model: what is missing, unexpected, or of another shape; exit with 1 if not.

    Example: profile-model match resnet34 weights.pt
    """
    built = wanted_one(model, fed, "match")
    with at_work(built.label):
        answer = match(built.spec, weights, top.top, built.feed)
    failure = answer.failure()
    return Outcome(answer, [] if failure is None else [failure])
