"""What does `profile-model match` do? It says whether a file of weights matches a model."""

from __future__ import annotations

from typing import Annotated

from profiler.answers.common.models import single_model
from profiler.answers.common.options import Argument, InputOptions, Model, Result, Top
from profiler.answers.common.outcome import FILES, Context, Outcome
from profiler.answers.match.compute import match
from profiler.engine.processes.foreign_code import at_work

JOB = FILES


def run(
    model: Model,
    weights: Annotated[str, Argument("FILE.safetensors, FILE.pt, an index or a folder.")],
    /,
    *,
    context: Context,
    inputs: InputOptions = InputOptions(),
    top: Top = Top(),
    result: Result = Result(),
) -> Outcome:
    """Whether a file of weights matches a model: what is missing, unexpected, or of another shape; exit with 1 if not.

    Example: profile-model match resnet34 weights.pt
    """
    built = single_model(model, inputs, "match")
    with at_work(built.label):
        answer = match(built.spec, weights, top.top, built.feed)
    failure = answer.failure()
    return Outcome(answer, [] if failure is None else [failure])
