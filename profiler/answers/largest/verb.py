"""How large an input may be."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from profiler import errors
from profiler.answers.common.models import check_runs, varying, wanted
from profiler.answers.common.options import Fed, Model, Result, Ways, option
from profiler.answers.common.outcome import WHAT_IF, Lent, Outcome
from profiler.answers.common.varying import BATCH
from profiler.answers.largest.compute import largest, limit
from profiler.engine.processes.foreign_code import at_work

JOB = WHAT_IF


def run(
    model: Model,
    what: Annotated[str, Parameter(help="batch, or {n} of --input.")] = BATCH,
    /,
    *,
    in_: Annotated[str, option("The memory there is: 8GB.", "SIZE", name="--in")],
    context: Lent,
    fed: Fed = Fed(),
    ways: Ways = Ways(),
    result: Result = Result(),
) -> Outcome:
    """The largest batch whose peak memory fits; it is run, and so is the next, which does not fit.

    Example: profile-model largest resnet34 batch --in 8GB
    """
    check_runs(wanted([model], fed, varies=True), "largest")
    varies = varying("largest", model, what, fed, context, ways.conditions)
    if not varies.is_a_dimension and what != BATCH:
        raise errors.LargestOfWhat(what)
    limit_bytes, words = limit(in_)
    with at_work(varies.label), context.told(f"{varies.label}: {what}") as tell:
        found = largest(varies, limit_bytes, words, tell)
    failure = found.failure()
    return Outcome(found, [] if failure is None else [failure])
