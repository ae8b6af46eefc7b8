"""What is alive when most memory is in use."""

from __future__ import annotations

from profiler import errors
from profiler.answers.common.models import Wanted, check_runs, entries, over, profiles, wanted_one
from profiler.answers.common.options import Counted, Fed, Generating, Limits, Model, Result, Saved, Strict, Top, Ways
from profiler.answers.common.outcome import LOOK, Lent, Outcome
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
    context: Lent,
    fed: Fed = Fed(),
    ways: Ways = Ways(),
    language: Generating = Generating(),
    counted: Counted = Counted(),
    top: Top = Top(),
    most: Limits = Limits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """What is alive when most memory is in use, who made it, and how it got there.

    Example: profile-model memory resnet34 --batch 8 --training --optimizer adamw
    """
    given, models = most.limits, [wanted_one(model, fed, "memory")]
    check_runs(models, "memory")
    request = language.request(context.profile)
    if request is None:
        found, failures = entries(models, context, counted.name, ways.conditions)
    else:
        found, failures = [_of_phase(models[0], request, counted.name, ways)], []
    ran = profiles(found)
    failures += over(found, given)
    answer = memory_report(ran[0], top.top) if ran else None
    return Outcome(answer, failures, (), ran, ran[0] if ran else None)


def _of_phase(model: Wanted, request: Request, convention: str, ways: Ways) -> Entry:
    """One phase of a language model."""
    if request.phase == BOTH:
        raise _one_phase()
    with at_work(model.label):
        generation = request.run(model.spec, model.feed, convention, ways.conditions)
    return Entry(model.spec, model.label, generation.first)


def _one_phase() -> errors.ProfileError:
    return errors.ProfileError("the memory of a language model is that of one phase; say --phase prefill or decode")
