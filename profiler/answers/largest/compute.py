"""What is the largest batch, prompt or image that fits? By running it: at the largest that fits, and at the next."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from profiler import errors
from profiler.answers.check import compute as check
from profiler.answers.common.limitable import TIME
from profiler.answers.common.series import Runs
from profiler.answers.common.varying import BATCH, Varying
from profiler.answers.generate.generating import Request, check_forward
from profiler.answers.weights.compute import quantised
from profiler.devices.timing import memory_bytes
from profiler.figures.profile import Profile
from profiler.records import quantities
from profiler.records.conditions import BOTH
from profiler.records.schemes import Scheme
from profiler.records.times import Timer
from profiler.records.trace import known
from profiler.render import numbers
from profiler.render.answer import Answer
from profiler.render.tables import Unit

_GROWS_BY = 2**16  # what takes no more memory at so many steps than at one is said not to grow
_MOST = 2**40
RESERVED = 5  # percent of a device's memory that its runtime and the allocator are left
_STEPPED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?::(?P<step>[1-9]\d{0,8}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Peak:
    """A run at one value: its peak, and what of it are weights, buffers and inputs. The rest is allocated by the run.

    `param_bytes` is what the weights take in the format that they are stored in. `state_bytes` is what an optimizer
    keeps, in a training step. `seconds` is how long it takes, and `samples_per_second` how
    many that are; None where no device says.
    """

    value: int
    peak_bytes: int
    param_bytes: int
    buffer_bytes: int
    input_bytes: int
    state_bytes: int
    seconds: float | None = None
    samples_per_second: float | None = None

    @property
    def run_bytes(self) -> int:
        return self.peak_bytes - self.param_bytes - self.buffer_bytes - self.input_bytes - self.state_bytes


@dataclass(frozen=True, slots=True)
class Most:
    """What a run may take: memory, and time on a device; each with its words. None: as much as it takes."""

    limit_bytes: int | None
    words: str = ""
    nanoseconds: int | None = None
    time_words: str = ""

    @property
    def in_words(self) -> str:
        """`fits 8 GB and takes at most 20 ms`."""
        parts = [f"fits {self.words}"] if self.limit_bytes is not None else []
        return " and ".join(parts + [f"takes at most {self.time_words}"] * (self.nanoseconds is not None))

    def allows(self, peak: Peak) -> bool:
        return all(amount <= most for amount, most in self.amounts(peak))

    def amounts(self, peak: Peak) -> list[tuple[int, int]]:
        """What the run takes of each thing that has a limit, and that limit."""
        pairs = [(peak.peak_bytes, self.limit_bytes), (nanoseconds(peak), self.nanoseconds)]
        return [(known(amount), most) for amount, most in pairs if most is not None]


def nanoseconds(peak: Peak) -> int | None:
    return None if peak.seconds is None else round(peak.seconds * 1e9)


@dataclass(frozen=True, slots=True)
class Largest(Answer):
    """The largest value that fits, and the next.

    varying: the model, and what grows.
    most: what a run may take.
    fitting: the peak at the largest value that fits; None: not even the first does.
    next: the peak at the next value, which does not fit; None: no peak is larger.
    profile: of the run at the largest value.
    tried: all the values that were run, in their order.
    scheme: the format of the weights, where that is another than the model's own.
    """

    varying: Varying[Profile]
    most: Most
    fitting: Peak | None
    next: Peak | None
    profile: Profile
    tried: tuple[int, ...]
    scheme: Scheme | None = None

    @property
    def value(self) -> int | None:
        """The largest value that fits; None where there is none, or no end."""
        return None if self.fitting is None or self.next is None else self.fitting.value

    @property
    def limit_bytes(self) -> int | None:
        """The memory that it has to fit."""
        return self.most.limit_bytes

    @property
    def left_bytes(self) -> int | None:
        """What the largest value leaves of that."""
        limit = self.limit_bytes
        return None if self.fitting is None or limit is None else limit - self.fitting.peak_bytes

    def failure(self) -> errors.CheckFailed | None:
        """That nothing fits, where that is so."""
        if self.fitting is not None:
            return None
        assert self.next is not None
        label, what, limit = self.varying.label, f"{self.varying.name} {self.next.value}", self.limit_bytes
        if limit is None or self.next.peak_bytes <= limit:
            return self._too_slow(self.next, label, what)
        weights = self.next.param_bytes + self.next.buffer_bytes
        return _does_not_fit(
            label,
            what,
            self.most.words,
            numbers.quantity((self.next.peak_bytes, Unit.BYTES)),
            numbers.in_full(self.next.peak_bytes - limit, Unit.BYTES),
            numbers.quantity((weights, Unit.BYTES)),
        )

    def _too_slow(self, first: Peak, label: str, what: str) -> errors.CheckFailed:
        times = self.profile.times
        assert times is not None, "a limit on time is one on a device"
        assert first.seconds is not None, "a limit on time is one on a device"
        taken = numbers.duration(first.seconds)
        return _takes_too_long(label, what, self.most.time_words, taken, f"{times.word} on {times.device}")


def most(memory: int | str | None, max_time: float | str | None, timer: Timer | None) -> Most:
    """What a run may take; where no memory is named, it is the device's. Raises `errors.ProfileError`."""
    if max_time is not None and timer is None:
        raise errors.only_with("--max-time", "--device")
    size = None if memory is None else limit(memory)
    if size is None and timer is not None and (whole := memory_bytes(timer)) is not None:
        words = f"{numbers.with_unit(whole)} of {timer.name} less {RESERVED} %"
        size = whole * (100 - RESERVED) // 100, words
    if size is None and max_time is None:
        raise _no_limit() if timer is None else _no_memory(timer.name)
    time = None if max_time is None else check.limit(TIME, max_time, "--max-time", f"--max-time {max_time}")
    size = (None, "") if size is None else size
    return Most(*size) if time is None else Most(*size, time.most, time.words)


def limit(memory: int | str) -> tuple[int | None, str]:
    """Bytes, and the limit in words; raises `errors.ProfileError`."""
    try:
        most = quantities.size(memory if isinstance(memory, str) else f"{memory}B", least=1)
    except errors.Malformed as error:
        raise errors.ProfileError(f"{memory}: {error}") from None
    return most, quantities.spaced(memory) if isinstance(memory, str) else f"{memory:,} bytes"


def stepped(text: str) -> tuple[str, int]:
    """`batch`, or `size:32` for multiples of 32, as a name and a step; raises `errors.ProfileError`."""
    match = _STEPPED.fullmatch(text.strip())
    if match is None:
        raise _bad_name(text)
    return match["name"], int(match["step"] or 1)


def largest(
    varying: Varying[Profile],
    most: Most,
    step: int = 1,
    scheme: Scheme | None = None,
    request: Request | None = None,
    tell: Callable[[int], None] = lambda value: None,
) -> Largest:
    """Doubles until it does not fit, then closes in. `tell` hears of each value that is tried.

    scheme: the format of the weights. request: the phases of a language model, of which the dearest has to fit.
    """
    if scheme is not None and most.nanoseconds is not None:
        raise errors.only_with("--max-time", "weights as the model has them, without --as,")
    if scheme is not None and varying.conditions.training is not None:
        raise errors.only_with("--as", "a forward pass, not a training step, whose optimizer changes the weights,")
    if request is not None:
        check_forward(varying.conditions)
        if most.nanoseconds is not None and request.phase == BOTH:
            raise errors.only_with("--max-time", "one phase, --phase prefill or decode,")
        varying = replace(varying, run=request.dearest)
    runs = Runs(varying.at, tell)
    search = _Search(varying, most, step, lambda value: peak(value, runs(value), scheme))
    fits, over = search.ends()
    if fits is not None and over is not None:
        fits, over = search.between(fits, over)
    shown = fits or over
    assert shown is not None
    profile, tried = runs.results[shown.value], tuple(runs.results)
    return Largest(varying, most, fits, over, profile, tried, scheme)


@dataclass(frozen=True, slots=True)
class _Search:
    """Among the multiples of `step`."""

    varying: Varying[Profile]
    most: Most
    step: int
    at: Callable[[int], Peak]

    def _first(self) -> Peak:
        """One, or two where a model is not for one: a batch norm that is trained wants several."""
        try:
            return self.at(self.step)
        except errors.BuilderFailed as error:
            raise _no_argument(self.varying.name, error) from error
        except (errors.BatchOfOne, errors.ModelFailed):
            if self.varying.name != BATCH and not self.varying.is_a_dimension:
                raise
            with suppress(errors.ModelFailed):
                return self.at(2 * self.step)
            raise

    def ends(self) -> tuple[Peak | None, Peak | None]:
        """One that fits, and one of at most twice as many that does not."""
        first = self._first()
        if not self.most.allows(first):
            return None, first
        fits = first
        while True:
            over = self.at(2 * fits.value)
            if not self.most.allows(over):
                return fits, over
            if over.value >= _GROWS_BY * self.step and self.most.amounts(over) == self.most.amounts(first):
                return over, None
            if over.value >= _MOST:
                raise _no_largest(self.varying.label, self.varying.name, over.value)
            fits = over

    def between(self, fits: Peak, over: Peak) -> tuple[Peak, Peak]:
        """Neighbours, one on each side of the limit.

        A peak is nearly a straight line, so where that would cross the limit is tried first; every other time the
        middle is, which always gets there.
        """
        is_straight = True
        while over.value - fits.value > self.step:
            guess = self.at(self._crossing(fits, over) if is_straight else self._middle(fits, over))
            fits, over = (guess, over) if self.most.allows(guess) else (fits, guess)
            is_straight = not is_straight
            if not is_straight and fits is guess and guess.value + self.step < over.value:
                after = self.at(guess.value + self.step)  # most often the guess is the answer
                fits, over = (after, over) if self.most.allows(after) else (fits, after)
        return fits, over

    def _middle(self, fits: Peak, over: Peak) -> int:
        return (fits.value + over.value) // 2 // self.step * self.step

    def _crossing(self, fits: Peak, over: Peak) -> int:
        """By what crosses its limit first."""
        amounts = zip(self.most.amounts(fits), self.most.amounts(over), strict=True)
        values = over.value - fits.value
        steps = min((limit - low) * values // (high - low) for (low, limit), (high, _) in amounts if high > limit)
        guess = (fits.value + steps) // self.step * self.step
        return min(max(guess, fits.value + self.step), over.value - self.step)


def peak(value: int, profile: Profile, scheme: Scheme | None) -> Peak:
    """With the weights in a format, where there is one; how long that takes, nobody says."""
    totals, training, times = profile.totals, profile.training, profile.times
    param_bytes = totals.param_bytes if scheme is None else quantised(profile, scheme.name).stored_bytes
    return Peak(
        value,
        known(totals.peak_memory_bytes) - totals.param_bytes + param_bytes,
        param_bytes,
        totals.buffer_bytes,
        known(totals.input_bytes),
        training.optimizer_bytes if training is not None else 0,
        *((None, None) if times is None or scheme is not None else (times.held(times.whole), times.throughput)),
    )


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_name(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"largest {text}: name what grows: batch, seq, a dimension {{n}} of --input, or size:32 for multiples of 32"
    )


def _no_memory(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"{name} says nothing of its memory; add that, like --in 8GB, or --max-time 20ms")


def _no_limit() -> errors.ProfileError:
    return errors.ProfileError(
        "largest needs a limit: the memory there is, like --in 8GB, a device, whose memory it is, like "
        "--device a100-sxm-80gb, or --max-time 20ms on a device"
    )


def _takes_too_long(model: str, what: str, limit: str, taken: str, where: str) -> errors.CheckFailed:
    """Times in words; `where` says which kind of time it is."""
    return errors.CheckFailed(
        f"{model}: not even {what} takes at most {limit}: it takes {taken}, {where}; make the model or its input "
        "smaller, or name another device"
    )


def _no_argument(name: str, error: errors.ProfileError) -> errors.ProfileError:
    return errors.ProfileError(
        f"largest {name}: that is neither batch, seq, size nor a dimension of an input, and {error}"
    )


def _no_largest(model: str, name: str, value: int) -> errors.ProfileError:
    return errors.ProfileError(f"{model}: even {name} {value:,} fits; give a smaller size")


def _does_not_fit(model: str, what: str, limit: str, peak: str, over: str, weights: str) -> errors.CheckFailed:
    """Sizes in words; `over` is by how much the peak is more than the limit."""
    return errors.CheckFailed(
        f"{model}: not even {what} fits {limit}: its peak is {peak} ({over} over), of which {weights} are "
        "parameters and buffers; make the model or its input smaller"
    )
