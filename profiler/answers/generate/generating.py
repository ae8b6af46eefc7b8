"""Running the phases of a language model. See `generation.py` for what is derived of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from profiler import errors
from profiler.answers.generate.decode_steps import Runs, summed
from profiler.answers.generate.generation import CACHES, Generation
from profiler.answers.generate.phases import BOTH, PHASES, PREFILL, Phase
from profiler.answers.generate.scan import GenerationScan, Row
from profiler.answers.scan.compute import between_and_beyond
from profiler.counters import conventions
from profiler.counters.conventions import DEFAULT
from profiler.figures.profile import Profile
from profiler.records.conditions import AS_IT_IS, Conditions, conditions
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.run.phases import Phases
    from profiler.engine.run.subject import Subject

_ENOUGH = 5  # contexts: a quadratic in them is confirmed by two


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked about: a phase, how many new tokens (None: none are summed), the kind of cache, and conditions."""

    phase: str = BOTH
    new_tokens: int | None = None
    cache: str | None = None
    convention: str = DEFAULT
    under: Conditions = AS_IT_IS
    columns: tuple[str, ...] = ()
    profile: Callable[[Trace, str], Profile] = Profile


class Asked(TypedDict, total=False):
    """What a user can ask for.

    phase: "prefill", "decode" or "both".
    new_tokens: how many decode steps are summed up, at contexts from the prompt's length on.
    cache: "dynamic", "static" or "fp8", for models of transformers; by default what the model makes.
    dtype, convention: as `profile` takes them.
    """

    phase: str
    new_tokens: int | None
    cache: str | None
    dtype: str | None
    convention: str


def wished(**asked: Unpack[Asked]) -> Wish:
    """What is asked for, checked; raises `errors.ProfileError`."""
    for name in asked:
        if name not in Asked.__annotations__:
            raise errors.NoSuchCondition(name, Asked.__annotations__)
    phase, new_tokens, cache = asked.get("phase", BOTH), asked.get("new_tokens"), asked.get("cache")
    if phase not in PHASES:
        raise errors.NoSuchChoice("--phase", phase, PHASES)
    if cache is not None and cache not in CACHES:
        raise errors.NoSuchChoice("--cache", cache, CACHES)
    if new_tokens is not None and new_tokens < 1:
        raise _no_new_tokens(new_tokens)
    under = conditions(dtype=asked.get("dtype"))
    return Wish(phase, new_tokens, cache, conventions.named(asked.get("convention", DEFAULT)).name, under)


def generated(model: nn.Module | str, feed: Feed, wish: Wish) -> Generation:
    """The phases at one length of the prompt."""
    phases = _phases(model, feed, wish)
    prefill = Phase(wish.profile(phases.prefill(), wish.convention))
    if wish.phase == PREFILL and wish.new_tokens is None:
        return Generation(prefill, phase=PREFILL, columns=wish.columns)
    runs = Runs(phases, lambda trace: wish.profile(trace, wish.convention))
    decode = runs.at(prefill.length)
    new = None if wish.new_tokens is None else summed(runs, prefill.length, prefill.length + wish.new_tokens - 1)
    return Generation(prefill, decode, new, wish.phase, wish.columns)


# What is run ----------------------------------------------------------------------------------------------------------


def _phases(model: nn.Module | str, feed: Feed, wish: Wish) -> Phases:
    from profiler.engine.run.phases import Phases, length

    subject = _subject(model, feed)
    length(subject)  # else it reads no tokens
    if wish.cache is not None:
        subject = _with_cache(subject, wish)
    return Phases(subject, wish.under)


def _subject(model: nn.Module | str, feed: Feed) -> Subject:
    from profiler import sources

    if not isinstance(model, str):
        return sources.subject_of(model, feed)
    found = sources.load(model, feed)
    if isinstance(found, Trace):
        raise _no_phases(model)
    return found


def _with_cache(subject: Subject, wish: Wish) -> Subject:
    """The model is handed an empty cache of this kind, which has room for the prompt and what is to come."""
    from profiler.engine.record.cache import taken_as
    from profiler.engine.run.phases import length

    assert wish.cache is not None
    if not hasattr(subject.model, "config"):
        raise _cache_needs_transformers(subject.name, wish.cache)
    from profiler.sources.huggingface.caches import empty_cache

    room = length(subject) + (wish.new_tokens or 1)
    empty = empty_cache(subject.model, wish.cache, room, subject.name)
    return replace(subject, cache={taken_as(subject.model): empty})


# Several lengths ------------------------------------------------------------------------------------------------------


def lengths(model: nn.Module | str, feed: Feed, values: Sequence[int], wish: Wish) -> GenerationScan:
    """A row for each length of the prompt, and runs beside them that confirm what the figures are polynomials of."""
    rows = [at_length(model, feed, value, wish) for value in values]
    return of_rows(model, feed, rows, wish)


def at_length(model: nn.Module | str, feed: Feed, value: int, wish: Wish) -> Row:
    """A length that cannot be run keeps its row."""
    try:
        return Row(value, generated(model, _long(feed, value), wish))
    except errors.ProfileError as error:
        return Row(value, None, error)


def _long(feed: Feed, value: int) -> Feed:
    """Where a live model's prompt was given, it is that which gets another length."""
    if not feed.is_given:
        return replace(feed, seq=value)

    def sized(given: Any) -> Any:
        is_prompt = isinstance(given, TensorSpec) and len(given.shape) == 2
        return replace(given, shape=(given.shape[0], value)) if is_prompt else given

    return replace(feed, args=tuple(map(sized, feed.args)), kwargs={k: sized(v) for k, v in feed.kwargs.items()})


def of_rows(model: nn.Module | str, feed: Feed, rows: Sequence[Row], wish: Wish) -> GenerationScan:
    good = [row.value for row in rows if row.found is not None]
    label = model if isinstance(model, str) else type(model).__name__
    if not good:
        first = rows[0].failure
        assert first is not None
        raise errors.NothingScanned(label, "seq", first) from first
    return GenerationScan(label, tuple(rows), _probes(model, feed, good, wish), wish.phase, wish.columns)


def _probes(model: nn.Module | str, feed: Feed, values: Sequence[int], wish: Wish) -> dict[int, Generation]:
    """Lengths in the step of those that were asked for, so that there are enough to confirm a quadratic."""
    found: dict[int, Generation] = {}
    for value in between_and_beyond(values) if len(values) > 1 else ():
        if len(values) + len(found) >= _ENOUGH:
            break
        row = at_length(model, feed, value, wish)
        if row.found is not None:
            found[value] = row.found
    return found


# What is said ---------------------------------------------------------------------------------------------------------


def _no_new_tokens(given: int) -> errors.ProfileError:
    return errors.ProfileError(f"--new-tokens {given} are none; give a number from 1 up")


def _cache_needs_transformers(model: str, kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"a {kind} cache is made for models of transformers, and {model} is none; leave out --cache"
    )


def _no_phases(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} was recorded already, and one run has no other phase; name the model itself")
