"""Is it allowed? A model's figures against limits, and which layers a figure that is over comes from.

Everything is compared as whole numbers: a figure that equals its limit is allowed, and one more is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, cast

from profiler import errors
from profiler.answers.common.limitable import ALL_FIGURES, FIGURES, TIME, UNKNOWN, Contribution, Figure
from profiler.records import quantities
from profiler.records.trace import Doubt, known
from profiler.render import numbers
from profiler.render.answer import Answer
from profiler.render.tables import Unit

if TYPE_CHECKING:
    from profiler.figures.profile import Profile

LimitValue: TypeAlias = "int | float | str"
_COUNTS = ("params", "trainable")
_MOST_LAYERS, _NAMED = 5, 3  # kept, and named in a sentence


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a figure may be, the limit as it was written, and where: `--max-size`, `profile-model.toml:4`."""

    figure: Figure
    most: int
    words: str
    place: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure against its limit. `parts` are the layers that it is most in.

    measured: None where nothing ran, and only a run would tell.
    unknown_ops: the operators that it lacks for want of a formula, where that is not allowed; or that are too many.
    doubt: of a file whose header allows another reading that is over the limit, the weight that this is about.
    """

    model: str
    limit: Limit
    measured: int | None
    parts: tuple[Contribution, ...] = ()
    unknown_ops: Mapping[str, int] = field(default_factory=dict)
    doubt: Doubt | None = None

    @property
    def over(self) -> int:
        return 0 if self.measured is None else max(0, self.measured - self.limit.most)

    @property
    def is_incomplete(self) -> bool:
        return self.doubt is not None or (self.limit.figure.needs_formulas and bool(self.unknown_ops))

    @property
    def passed(self) -> bool:
        return self.measured is not None and not self.over and not self.is_incomplete

    @property
    def used(self) -> float | None:
        """The share of the limit; None of a limit of 0, and where the figure is incomplete."""
        is_complete = self.measured is not None and not self.is_incomplete
        return known(self.measured) / self.limit.most if is_complete and self.limit.most else None

    def failure(self) -> errors.ProfileError | None:
        limit, figure = self.limit, self.limit.figure
        if self.measured is None:
            return errors.not_known(self.model, figure.words, limit.words, limit.place)
        if self.over:
            measured, most, over = self._words(self.measured)
            measured = f"at least {measured}" if self.is_incomplete and self.doubt is None else measured
            layers = [self._part(part) for part in self.parts[:_NAMED]]
            if figure.name == UNKNOWN:
                layers = [f"{op} ×{times}" for op, times in self.unknown_ops.items()]
            return _over_budget(self.model, figure.words, measured, most, over, limit.place, layers)
        if self.doubt is not None:
            return _not_sure(self.model, figure.words, limit.words, limit.place, self.doubt)
        if self.is_incomplete:
            return _not_countable(self.model, figure.words, limit.words, limit.place, self.unknown_ops)
        return None

    def _words(self, amount: int) -> tuple[str, str, str]:
        """Measured, limit and the difference; all their digits where rounding would hide how much that is."""
        unit, most = self.limit.figure.unit, self.limit.most
        if numbers.is_distinguishable(amount, most, unit):
            return numbers.quantity((amount, unit)), self.limit.words, numbers.quantity((self.over, unit))
        measured, limit = numbers.in_full(amount, unit), numbers.in_full(most, unit)
        limit = limit if limit == self.limit.words else f"{self.limit.words}, which is {limit}"
        return measured, limit, numbers.in_full(self.over, unit)

    def _part(self, part: Contribution) -> str:
        path = part.words or part.path or "the model itself"
        amount = numbers.quantity((part.amount, self.limit.figure.unit))
        return f"{path} ({amount}, {numbers.share(part.amount / known(self.measured))} %)"


@dataclass(frozen=True, slots=True)
class Checked:
    """One model's verdicts, or why it could not be measured."""

    model: str
    verdicts: tuple[Verdict, ...] = ()
    problem: errors.ProfileError | None = None


@dataclass(frozen=True, slots=True)
class BudgetCheck(Answer):
    """Models held to their limits; `print` it.

    models: each with its verdicts, or why it could not be measured.
    """

    models: tuple[Checked, ...]

    @property
    def passed(self) -> bool:
        """Whether every model was measured, and is within its limits."""
        return not any(True for _ in self.failures())

    def failures(self) -> Iterator[errors.ProfileError]:
        """What could not be measured, and what is over."""
        for model in self.models:
            if model.problem is not None:
                yield model.problem
            yield from failures(model.verdicts)


class BudgetFailed(errors.CheckFailed):
    """All that one model is over. `failures` has each by itself."""

    def __init__(self, failures: Sequence[errors.ProfileError]) -> None:
        super().__init__("; and ".join(map(str, failures)))
        self.failures = tuple(failures)
        self.status = max((failure.status for failure in failures), default=1)


# Limits ---------------------------------------------------------------------------------------------------------------


def limit(name: str, limit_value: LimitValue, place: str, wording: str) -> Limit:
    """A limit from what somebody wrote: a text with units, or a number: of bytes for a size, of seconds for a time.

    wording: the limit as a sentence quotes it. Raises `errors.ProfileError`.
    """
    figure = ALL_FIGURES[name]
    text, (read, own) = limit_value, _READERS.get(figure.unit, (quantities.count, ""))
    if not isinstance(text, str):
        text = f"{f'{Decimal(text):f}' if isinstance(text, float) else text}{own}"
    try:
        most = read(text)
    except errors.Malformed as error:
        raise errors.ProfileError(f"{wording}: {error}") from None
    words = quantities.spaced(limit_value) if isinstance(limit_value, str) else numbers.in_full(most, figure.unit)
    return Limit(figure, most, words, place)


# What reads a limit in a unit, and the unit of a bare number.
_READERS: Mapping[Unit, tuple[Callable[[str], int], str]] = {
    Unit.BYTES: (quantities.size, "B"),
    Unit.NANOSECONDS: (quantities.duration, "s"),
}


class LimitValues(TypedDict, total=False):
    """The limits that a profile can be held to in Python; None is no limit.

    max_params, max_trainable: parameters, and those that are trained: 25_000_000 or "25M".
    max_size: what the parameters take: bytes, or "100MB".
    max_macs, max_flops: 4_000_000_000 or "4G"; FLOPs in the profile's convention.
    max_activations: all that the run allocates for tensors: bytes, or "50MB".
    max_cache: what a language model's cache takes after the run: bytes, or "2GB".
    max_peak_memory: parameters, buffers, inputs and live activations at once: bytes, or "1GB".
    max_unknown: calls without a formula; without this limit any fails a limit on MACs or FLOPs.
    max_time: how long a run takes on the profile's device: seconds, or "20ms".
    """

    max_params: LimitValue | None
    max_trainable: LimitValue | None
    max_size: LimitValue | None
    max_macs: LimitValue | None
    max_flops: LimitValue | None
    max_activations: LimitValue | None
    max_cache: LimitValue | None
    max_peak_memory: LimitValue | None
    max_unknown: LimitValue | None
    max_time: LimitValue | None


def limits_of(limit_values: LimitValues, place: str = "check()") -> list[Limit]:
    """Limits as Python has them; raises `errors.ProfileError`, also where `place` has no limit of that name."""
    values = cast("Mapping[str, LimitValue | None]", limit_values)
    names = {figure.keyword: figure.name for figure in FIGURES.values()}
    for keyword in values:
        if keyword not in names:
            raise _no_such_limit(place, keyword, names)
    return [
        limit(names[keyword], value, keyword, f"{keyword}={value!r}")
        for keyword, value in values.items()
        if value is not None
    ]


def checked(profile: Profile, limit_values: LimitValues) -> BudgetCheck:
    """Hold a profile to limits; raises `BudgetFailed` where it is over one."""
    limits = limits_of(limit_values)
    if not limits:
        raise _no_limits()
    if profile.timer is None and any(limit.figure.name == TIME for limit in limits):
        raise errors.only_with("max_time", 'a device, as in profile.on("h100-sxm"),')
    check = BudgetCheck((Checked(profile.model, verdicts(profile, profile.model, limits)),))
    failed = tuple(check.failures())
    if failed:
        raise BudgetFailed(failed)
    return check


# Verdicts -------------------------------------------------------------------------------------------------------------


def verdicts(profile: Profile, label: str, limits: Iterable[Limit]) -> tuple[Verdict, ...]:
    """Each limit's verdict. A limit on unknown calls says itself whether they are allowed, for all of them."""
    limits = tuple(limits)
    is_judged = any(limit.figure.name == UNKNOWN for limit in limits)
    return tuple(_verdict(profile, label, limit, is_judged) for limit in limits)


def failures(verdicts: Iterable[Verdict]) -> Iterator[errors.ProfileError]:
    """What is over, or cannot be held to its limit."""
    for verdict in verdicts:
        failure = verdict.failure()
        if failure is not None:
            yield failure


def _verdict(profile: Profile, label: str, limit: Limit, is_judged: bool) -> Verdict:
    figure = limit.figure
    measured = figure.of(profile)
    lacking = figure.name == UNKNOWN or (figure.needs_formulas and not is_judged)
    parts = largest(profile, figure) if measured is not None and measured > limit.most else ()
    unknown = profile.unknown_ops if lacking else {}
    limit = replace(limit, figure=replace(figure, words=figure.words + figure.more(profile)))
    return Verdict(label, limit, measured, tuple(parts), unknown, _doubt(profile, limit, measured))


def _doubt(profile: Profile, limit: Limit, measured: int | None) -> Doubt | None:
    """Whether a file's parameters may be over a limit that they are under as they were read."""
    header = profile.trace.header
    if header is None or not header.doubts or limit.figure.name not in _COUNTS or measured is None:
        return None
    more = header.most_more
    return header.doubts[0] if more is None or measured <= limit.most < measured + more else None


def largest(profile: Profile, figure: Figure, most: int = _MOST_LAYERS) -> Sequence[Contribution]:
    """The layers that most of a figure is in, the largest first."""
    parts = [part for part in figure.by_layer(profile) if part.amount]
    return sorted(parts, key=lambda part: -part.amount)[:most]


# Error messages -------------------------------------------------------------------------------------------------------


def _no_limits() -> errors.ProfileError:
    return errors.ProfileError('check() holds a model to limits, and none is given; give one, like max_params="25M"')


def _no_such_limit(place: str, keyword: str, keywords: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{place} has no limit called {keyword!r}; there are {', '.join(keywords)}")


def _over_budget(
    model: str, figure: str, measured: str, limit: str, over: str, place: str, layers: Sequence[str]
) -> errors.CheckFailed:
    """`measured`, `limit` and `over` are in words; `place` is the option, or the file and line, that has the limit."""
    where = f"; most is in {', '.join(layers)}" if layers else ""
    return errors.CheckFailed(f"{model}, {figure}: {measured} against {limit} ({place}), {over} over{where}")


def _not_countable(model: str, figure: str, limit: str, place: str, ops: Mapping[str, int]) -> errors.CheckFailed:
    """What is not counted cannot be under a limit."""
    calls = ", ".join(f"{op} ×{times}" for op, times in ops.items())
    return errors.CheckFailed(
        f"{model}, {figure}: cannot be held to {limit} ({place}), for operators without a formula are not counted: "
        f"{calls}; register one (docs/extending.md), or allow them with max-unknown {sum(ops.values())}"
    )


def _not_sure(model: str, figure: str, limit: str, place: str, doubt: Any) -> errors.CheckFailed:
    """What a header leaves open cannot be under a limit."""
    more = "" if doubt.more is None else f" ({doubt.more:,} more)"
    return errors.CheckFailed(
        f"{model}, {figure}: cannot be held to {limit} ({place}), for {doubt.weight} is {doubt.says}{more}; put "
        "the config.json that says how it was quantised beside the file"
    )
