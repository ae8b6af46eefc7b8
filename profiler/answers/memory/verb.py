"""What is alive when most memory is in use."""

from __future__ import annotations

from dataclasses import replace

from profiler import errors
from profiler.answers.common.models import Wanted, check_runs, entries, over, profiles, wanted
from profiler.answers.common.options import Counted, Fed, Generating, Limits, Model, Result, Saved, Strict, Top, Ways
from profiler.answers.common.outcome import LOOK, Context, Lent, Outcome
from profiler.answers.generate.generating import generated, wished
from profiler.answers.generate.phases import BOTH
from profiler.answers.memory.compute import memory_report
from profiler.answers.models.compute import Entry
from profiler.engine.processes.foreign_code import at_work

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
    given, models = most.limits, wanted([model], fed)
    check_runs(models, "memory")
    if language.phase is None and language.cache is None:
        found, failures = entries(models, context, counted.name, ways.conditions)
    else:
        found, failures = [_of_phase(models[0], context, language, counted.name, ways)], []
    ran = profiles(found)
    failures += over(found, given)
    answer = memory_report(ran[0], top.top) if ran else None
    return Outcome(answer, failures, (), ran, ran[0] if ran else None)


def _of_phase(model: Wanted, context: Context, language: Generating, convention: str, ways: Ways) -> Entry:
    """One phase of a language model."""
    ways.check_forward("--phase or --cache")
    if language.phase in (None, BOTH):
        raise _one_phase()
    wish = wished(phase=language.phase, cache=language.cache, dtype=ways.dtype, convention=convention)
    with at_work(model.label):
        found = generated(model.spec, model.feed, replace(wish, profile=context.profile))
    return Entry(model.spec, model.label, found.first)


def _one_phase() -> errors.ProfileError:
    return errors.ProfileError("the memory of a language model is that of one phase; say --phase prefill or decode")
