"""What does `profile-model memory` do? It says what is alive when most memory is in use."""

from __future__ import annotations

from profiler import errors
from profiler.answers.common.models import NamedModel, check_runs, entries, over, profiles, single_model
from profiler.answers.common.options import (
    ConventionOption,
    ExecutionOptions,
    Generating,
    InputOptions,
    Limits,
    Model,
    OnDevice,
    Result,
    Saved,
    Strict,
    Top,
    TraceCacheOption,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.generate.generating import Request
from profiler.answers.memory.compute import memory_report
from profiler.answers.models.compute import Entry
from profiler.engine.processes.foreign_code import at_work
from profiler.records.conditions import BOTH

JOB = LOOK


def run(
    model: Model,
    /,
    *,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    execution: ExecutionOptions = ExecutionOptions(),
    language: Generating = Generating(),
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    top: Top = Top(),
    most: Limits = Limits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """What is alive when most memory is in use: who made it, and how it got there.

    Example: profile-model memory resnet34 --batch 8 --training --optimizer adamw
    """
    limits, models = most.limits, [single_model(model, inputs, "memory")]
    check_runs(models, "memory")
    request = language.request(context.profile)
    if request is None:
        rows, failures = entries(models, context, convention.name, execution.conditions)
    else:
        with context.progress_line(f"at work on {models[0].label}"):
            rows, failures = [_of_phase(models[0], request, convention.name, execution)], []
    ran = profiles(rows)
    failures += over(rows, limits)
    answer = memory_report(ran[0], top.top) if ran else None
    return Outcome(answer, failures, (), ran, ran[0] if ran else None)


def _of_phase(model: NamedModel, request: Request, convention: str, execution: ExecutionOptions) -> Entry:
    """One phase of a language model."""
    if request.phase == BOTH:
        raise _needs_phase()
    with at_work(model.label):
        generation = request.run(model.spec, model.feed, convention, execution.conditions)
    return Entry(model.spec, model.label, generation.first)


def _needs_phase() -> errors.ProfileError:
    return errors.ProfileError("the memory of a language model is that of one phase; say --phase prefill or decode")
