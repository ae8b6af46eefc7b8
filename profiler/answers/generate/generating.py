"""How are the phases of a language model run? See `generation.py` for what is derived of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from profiler import errors
from profiler.answers.common.series import Runs, stretches
from profiler.answers.common.tracing import runnable
from profiler.answers.generate.decode_steps import DecodeSteps
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import SUMMED, Phase, Steps
from profiler.counters.conventions import DEFAULT
from profiler.figures.profile import Profile
from profiler.records.conditions import AS_IT_IS, BOTH, CACHES, PHASES, PREFILL, Conditions
from profiler.records.spec import Feed
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.run.phases import Phases
    from profiler.engine.run.subject import Subject


@dataclass(frozen=True, slots=True)
class Request:
    """Which phases are run: `run` and `dearest` run a model as `api.run` does. Raises `errors.ProfileError`.

    phase: "prefill", "decode" or "both".
    new_tokens: how many decode steps are summed up, at contexts from the prompt's length on; None: none.
    cache: "dynamic", "static" or "fp8", for models of transformers; by default what the model makes.
    profile: makes a profile of a trace, in a convention.
    middle: whether the decode step in the midst of the new tokens' is run as well.
    """

    phase: str = BOTH
    new_tokens: int | None = None
    cache: str | None = None
    profile: Callable[[Trace, str], Profile] = Profile
    middle: bool = False

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise errors.no_such_choice("--phase", self.phase, PHASES)
        if self.cache is not None and self.cache not in CACHES:
            raise errors.no_such_choice("--cache", self.cache, CACHES)
        if self.new_tokens is not None and self.new_tokens < 1:
            raise _no_new_tokens(self.new_tokens)

    def run(
        self, model: nn.Module | str, feed: Feed, convention: str = DEFAULT, under: Conditions = AS_IT_IS
    ) -> Generation:
        """All phases that are asked for."""
        check_forward(under)
        subject = _prompted(model, feed, self)
        phases, positions = _phases(subject, under), _positions(subject)
        prefill = Phase(self._profile(phases.prefill(), convention))
        if self.phase == PREFILL and self.new_tokens is None:
            return Generation(prefill, phase=PREFILL, positions=positions)
        first, steps = prefill.length, Runs(DecodeSteps(phases, lambda trace: self._profile(trace, convention)))
        decode, new = steps(first), None
        if self.new_tokens is not None:
            new = Steps(tuple(stretches(steps, first, first + self.new_tokens - 1, SUMMED)))
        middle = steps(first + (new.count - 1) // 2) if self.middle and new is not None else None
        return Generation(prefill, decode, new, self.phase, middle=middle, positions=positions)

    def _profile(self, trace: Trace, convention: str) -> Profile:
        """What keeps a phase from running on a device is raised as the phase is run."""
        profile = self.profile(trace, convention)
        _ = profile.times
        return profile

    def dearest(self, model: nn.Module | str, feed: Feed, convention: str, under: Conditions) -> Profile:
        """The profile of the phase that takes the most memory."""
        return max(self.run(model, feed, convention, under).phases, key=lambda phase: phase.peak_memory_bytes).profile


def requested(phase: str | None, cache: str | None, profile: Callable[[Trace, str], Profile]) -> Request | None:
    """None where neither a phase nor a kind of cache is named: then a model is run as a whole."""
    return None if phase is None and cache is None else Request(phase or BOTH, cache=cache, profile=profile)


def check_forward(under: Conditions) -> None:
    """Raise where a training step is asked for: it has no phases."""
    if under.training is not None:
        raise errors.only_with("--phase or --cache", "a forward pass, not a training step,")


# What is run ----------------------------------------------------------------------------------------------------------


def _prompted(model: nn.Module | str, feed: Feed, request: Request) -> Subject:
    """The model with its prompt, and with the cache that is asked for."""
    from profiler.engine.run.phases import length

    subject = runnable(model, feed, _no_phases)
    length(subject)  # else it reads no tokens
    return subject if request.cache is None else _with_cache(subject, request.cache, request.new_tokens or 1)


def _phases(subject: Subject, under: Conditions) -> Phases:
    from profiler.engine.run.phases import Phases

    return Phases(subject, under)


def _positions(subject: Subject) -> int | None:
    """How many tokens a model of transformers has positions for."""
    if not hasattr(getattr(subject.model, "config", None), "get_text_config"):
        return None
    from profiler.sources.huggingface.feeds import most_tokens

    return most_tokens(subject.model)


def _with_cache(subject: Subject, kind: str, new_tokens: int) -> Subject:
    """The model is handed an empty cache of this kind, which has space for the prompt and what is to come."""
    from profiler.engine.record.cache import taken_as
    from profiler.engine.run.phases import length

    if not hasattr(subject.model, "config"):
        raise _cache_needs_transformers(subject.name, kind)
    from profiler.sources.huggingface.caches import empty_cache

    empty = empty_cache(subject.model, kind, length(subject) + new_tokens, subject.name)
    return replace(subject, cache={taken_as(subject.model): empty})


# Error messages -------------------------------------------------------------------------------------------------------


def _no_new_tokens(number: int) -> errors.ProfileError:
    return errors.ProfileError(f"--new-tokens {number} are none; give a number from 1 up")


def _cache_needs_transformers(model: str, kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"a {kind} cache is made for models of transformers, and {model} is none; leave out --cache"
    )


def _no_phases(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} was recorded already, and one run has no other phase; name the model itself")
