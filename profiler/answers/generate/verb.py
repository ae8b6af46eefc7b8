"""What does `profile-model generate` do? It says what a language model costs where it generates text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from profiler import errors
from profiler.answers.check.compute import Limit, failures
from profiler.answers.common.limitable import CACHE, PEAK_MEMORY
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
    grouped,
    number,
    option,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.generate.generating import Request
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.limits import phase_verdicts, split
from profiler.answers.generate.on_devices import OnDevices, on_devices
from profiler.answers.generate.serving import EFFICIENCY
from profiler.answers.generate.table import PHASE_COLUMNS, words
from profiler.answers.models.compute import Entry
from profiler.engine.processes.foreign_code import at_work
from profiler.records.conditions import BOTH
from profiler.records.schemes import SCHEMES
from profiler.records.trace import known
from profiler.render.tables import chosen_columns

JOB = LOOK


@grouped("On devices: how fast at best, and does it fit")
class Placement:
    device: Annotated[str | None, option("Which: h100-sxm, ... `list --devices` lists them.", "NAME")] = None
    devices: Annotated[
        int | None, option("How many; without --device, at most, of any that hold it.", "N", converter=number(1))
    ] = None
    tensor_parallel: Annotated[int | None, option("Divide each layer among N.", "N", converter=number(1))] = None
    pipeline_parallel: Annotated[int | None, option("Divide layers into N stages.", "N", converter=number(1))] = None
    expert_parallel: Annotated[
        int | None, option("Divide the experts of a mixture among N.", "N", converter=number(1))
    ] = None
    as_: Annotated[str | None, option(f"How weights are stored: {', '.join(SCHEMES)}.", "NAME", name="--as")] = None
    efficiency: Annotated[
        str | None, option(f"Assume so much of the bound's speed. Default: {EFFICIENCY:.0%}.", "PERCENT")
    ] = None

    @property
    def chosen(self) -> OnDevices | None:
        """Raises `errors.ProfileError`."""
        return on_devices(
            self.device,
            self.devices,
            self.tensor_parallel,
            self.pipeline_parallel,
            self.expert_parallel,
            self.as_,
            self.efficiency,
        )


def run(
    model: Model,
    /,
    *,
    context: Context,
    inputs: InputOptions = InputOptions(),
    language: Generating = Generating(),
    new_tokens: Annotated[
        int | None, option("Sum up so many decode steps, from --seq on.", "N", converter=number(1))
    ] = None,
    placement: Placement = Placement(),
    cast: Cast = Cast(),
    convention: ConventionOption = ConventionOption(),
    columns: Columns = Columns(),
    most: PhaseLimits = PhaseLimits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """A language model's prefill, decode and cache: what each costs; or how devices serve the model.

    Example: profile-model generate 'hf:LlamaConfig(num_hidden_layers=2)' --seq 512 --new-tokens 128
    """
    limits, of_phases = split(most.limits)
    only = single_model(model, inputs, "generate")
    check_runs([only], "generate")
    chosen_columns(columns.chosen, PHASE_COLUMNS)
    asked = placement.chosen
    if asked is not None:
        asked.check(language.phase or BOTH, columns.chosen)
    if of_phases and placement.device is None:
        raise errors.only_with(f"--{of_phases[0].figure.key}", "--device")
    request = Request(language.phase or BOTH, new_tokens, language.cache, context.profile, asked is not None)
    if saved.save is not None and request.phase == BOTH:
        raise errors.only_with("--save", "one phase, --phase prefill or decode")
    with at_work(only.label), context.progress_line(f"at work on {only.label}"):
        generation = request.run(only.spec, only.feed, convention.name, cast.conditions)
    ran = [phase.profile for phase in generation.phases]
    saved_profile = None if request.phase == BOTH else generation.first
    answer = replace(generation if asked is None else asked.added(generation), columns=columns.chosen)
    over_limits = [*_over(generation, only, limits), *_late(answer, only, of_phases)]
    return Outcome(answer, over_limits, (), ran, saved_profile)


def _late(generation: Generation, model: NamedModel, limits: Sequence[Limit]) -> list[errors.ProfileError]:
    """Which phases take longer on the devices than they may."""
    try:
        return list(failures(phase_verdicts(generation, model.label, limits))) if limits else []
    except errors.CheckFailed as error:
        return [error]


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
