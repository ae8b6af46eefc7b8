"""What does `profile-model largest` do? It says how large an input may be."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from profiler.answers.common.models import check_runs, single_model, varying
from profiler.answers.common.options import (
    Argument,
    ExecutionOptions,
    Generating,
    InputOptions,
    Model,
    OnDevice,
    Result,
    TraceCacheOption,
    option,
)
from profiler.answers.common.outcome import WHAT_IF, Context, Outcome
from profiler.answers.common.varying import BATCH
from profiler.answers.largest.compute import largest, most, stepped
from profiler.engine.processes.foreign_code import at_work
from profiler.records import quantities, schemes

JOB = WHAT_IF


def run(
    model: Model,
    what: Annotated[
        str, Argument("batch, seq, {n} of --input, size, or size:32 for multiples of 32.", metavar="NAME[:STEP]")
    ] = BATCH,
    /,
    *,
    in_: Annotated[str | None, option("The memory there is: 8GB. Default: that of --device.", "SIZE", name="--in")] = (
        None
    ),
    max_time: Annotated[str | None, option("How long a run may take on --device: 20ms.", "TIME")] = None,
    as_: Annotated[
        str | None,
        option(f"The format that the weights are stored in: {', '.join(schemes.SCHEMES)}.", "NAME", name="--as"),
    ] = None,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    execution: ExecutionOptions = ExecutionOptions(),
    language: Generating = Generating(),
    device: OnDevice = OnDevice(),
    result: Result = Result(),
) -> Outcome:
    """The largest batch, or prompt, whose peak memory fits; it is run, and so is the next, which does not fit.

    Example: profile-model largest resnet34 batch --in 8GB
    """
    name, step = stepped(what)
    if in_ is not None:
        quantities.read("--in", in_, partial(quantities.size, least=1))
    limits = most(in_, max_time, context.timer)
    scheme = None if as_ is None else schemes.named(as_)
    only = single_model(model, inputs, "largest", varies=True)
    check_runs([only], "largest")
    varies = varying("largest", only, name, context, execution.conditions)
    with at_work(varies.label), context.progress_line(f"{varies.label}: {name}") as tell:
        answer = largest(varies, limits, step, scheme, language.request(context.profile), tell)
    failure = answer.failure()
    return Outcome(answer, [] if failure is None else [failure])
