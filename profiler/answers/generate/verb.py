"""What does `profile-model generate` do? It says what a language model costs where it generates text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from profiler import errors
from profiler.answers.check.compute import Limit
from profiler.answers.check.figures import CACHE, PEAK_MEMORY
from profiler.answers.common.models import NamedModel, check_runs, over, single_model
from profiler.answers.common.options import (
    Cast,
    Columns,
    ConventionOption,
    Generating,
    InputOptions,
    Model,
    PhaseLimits,
    Result,
    Saved,
    Strict,
    number,
    option,
)
from profiler.answers.common.outcome import LOOK, ContextParameter, Outcome
from profiler.answers.generate.generating import Request
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.table import PHASE_COLUMNS, words
from profiler.answers.models.compute import Entry
from profiler.engine.processes.foreign_code import at_work
from profiler.records.conditions import BOTH
from profiler.records.trace import known
from profiler.render.tables import chosen_columns

JOB = LOOK


def run(
    model: Model,
    /,
    *,
    context: ContextParameter,
    inputs: InputOptions = InputOptions(),
    language: Generating = Generating(),
    new_tokens: Annotated[
        int | None, option("Sum up so many decode steps, from --seq on.", "N", converter=number(1))
    ] = None,
    cast: Cast = Cast(),
    convention: ConventionOption = ConventionOption(),
    columns: Columns = Columns(),
    most: PhaseLimits = PhaseLimits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """A language model's prefill of a prompt, its decode steps, and the cache between them.

    Example: profile-model generate 'hf:LlamaConfig(num_hidden_layers=2)' --seq 512 --new-tokens 128
    """
    limits, only = most.limits, single_model(model, inputs, "generate")
    check_runs([only], "generate")
    chosen_columns(columns.chosen, PHASE_COLUMNS)
    request = Request(language.phase or BOTH, new_tokens, language.cache, context.profile)
    if saved.save is not None and request.phase == BOTH:
        raise errors.only_with("--save", "one phase, --phase prefill or decode")
    with at_work(only.label):
        generation = request.run(only.spec, only.feed, convention.name, cast.conditions)
    ran = [phase.profile for phase in generation.phases]
    saved_profile = None if request.phase == BOTH else generation.first
    answer = replace(generation, columns=columns.chosen)
    return Outcome(answer, list(_over(generation, only, limits)), (), ran, saved_profile)


def _over(generation: Generation, model: NamedModel, limits: Sequence[Limit]) -> Iterator[errors.ProfileError]:
    """Which phases are over a limit; of decode steps that are summed up, the one that takes most memory."""
    rows = [Entry(model.spec, f"{model.label}, {words(phase)}", phase.profile) for phase in generation.phases]
    yield from over(rows, limits)
    if generation.new is None:
        return
    steps = [phase.profile for phase in generation.new.ran.values()]
    for limit in limits:
        if limit.figure.name in (CACHE, PEAK_MEMORY):
            most = max(steps, key=lambda profile: known(limit.figure.of(profile)))
            yield from over([Entry(model.spec, f"{model.label}, {words(generation.new)}", most)], [limit])
