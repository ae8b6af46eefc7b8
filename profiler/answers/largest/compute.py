"""What is the largest batch that fits? By running it: at the largest that fits, and at one more, which does not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler import errors
from profiler.answers.common.varying import BATCH, Varying
from profiler.figures.profile import Profile, known
from profiler.records import quantities
from profiler.render import numbers
from profiler.render.answer import Answer
from profiler.render.tables import Unit

if TYPE_CHECKING:
    pass

_GROWS_BY = 2**16  # what takes no more memory at so many than at one is said not to grow
_MOST = 2**40


@dataclass(frozen=True, slots=True)
class Peak:
    """A run at one value: its peak, and what of it are weights, buffers and inputs. The rest is allocated by the run.

    `state_bytes` is what an optimizer keeps, in a training step.
    """

    value: int
    peak_bytes: int
    param_bytes: int
    buffer_bytes: int
    input_bytes: int
    state_bytes: int

    @property
    def run_bytes(self) -> int:
        return self.peak_bytes - self.param_bytes - self.buffer_bytes - self.input_bytes - self.state_bytes


@dataclass(frozen=True, slots=True)
class Largest(Answer):
    """The largest value that fits (None: not even the first), and the next, which does not (None: no peak is larger).

    `tried` are all the values that were run, in their order; `words` is the limit as it was written.
    """

    varying: Varying
    limit_bytes: int
    words: str
    fitting: Peak | None
    next: Peak | None
    profile: Profile
    tried: tuple[int, ...]

    @property
    def value(self) -> int | None:
        return None if self.fitting is None or self.next is None else self.fitting.value

    @property
    def left_bytes(self) -> int | None:
        return None if self.fitting is None else self.limit_bytes - self.fitting.peak_bytes

    def failure(self) -> errors.CheckFailed | None:
        if self.fitting is not None:
            return None
        assert self.next is not None
        weights = self.next.param_bytes + self.next.buffer_bytes
        return _does_not_fit(
            self.varying.label,
            f"{self.varying.name} {self.next.value}",
            self.words,
            numbers.quantity((self.next.peak_bytes, Unit.BYTES)),
            numbers.in_full(self.next.peak_bytes - self.limit_bytes, Unit.BYTES),
            numbers.quantity((weights, Unit.BYTES)),
        )


def limit(fits: int | str) -> tuple[int, str]:
    """Bytes, and the limit in words; raises `errors.ProfileError`."""
    try:
        most = quantities.size(fits if isinstance(fits, str) else f"{fits}B", least=1)
    except errors.Malformed as error:
        raise errors.ProfileError(f"{fits}: {error}") from None
    return most, quantities.spaced(fits) if isinstance(fits, str) else f"{fits:,} bytes"


def largest(
    varying: Varying, limit_bytes: int, words: str, tell: Callable[[int], None] = lambda value: None
) -> Largest:
    """Doubles until it does not fit, then closes in. `tell` hears of each value that is tried."""
    if not varying.is_a_dimension and varying.name != BATCH:
        raise errors.LargestOfWhat(varying.name)
    search = _Search(varying, limit_bytes, tell)
    fits, over = search.ends()
    if fits is not None and over is not None:
        fits, over = search.between(fits, over)
    shown = fits or over
    assert shown is not None
    return Largest(varying, limit_bytes, words, fits, over, search.profiles[shown.value], tuple(search.profiles))


class _Search:
    def __init__(self, varying: Varying, limit_bytes: int, tell: Callable[[int], None]) -> None:
        self.profiles: dict[int, Profile] = {}
        self._varying, self._limit, self._tell = varying, limit_bytes, tell

    def _at(self, value: int) -> Peak:
        if value not in self.profiles:
            self._tell(value)
            self.profiles[value] = self._varying.at(value)
        return peak(value, self.profiles[value])

    def _fits(self, found: Peak) -> bool:
        return found.peak_bytes <= self._limit

    def _first(self) -> Peak:
        """One, or two where a model is not for one: a batch norm that is trained wants several."""
        try:
            return self._at(1)
        except (errors.BatchOfOne, errors.ModelFailed):
            with suppress(errors.ModelFailed):
                return self._at(2)
            raise

    def ends(self) -> tuple[Peak | None, Peak | None]:
        """One that fits, and one of at most twice as many that does not."""
        first = self._first()
        if not self._fits(first):
            return None, first
        fits = first
        while True:
            over = self._at(2 * fits.value)
            if not self._fits(over):
                return fits, over
            if over.value >= _GROWS_BY and over.peak_bytes == first.peak_bytes:
                return over, None
            if over.value >= _MOST:
                raise _no_largest(self._varying.label, self._varying.name, over.value)
            fits = over

    def between(self, fits: Peak, over: Peak) -> tuple[Peak, Peak]:
        """Neighbours, one on each side of the limit.

        A peak is nearly a straight line, so where that would cross the limit is tried first; every other time the
        middle is, which always gets there.
        """
        is_straight = True
        while over.value - fits.value > 1:
            guess = self._crossing(fits, over) if is_straight else (fits.value + over.value) // 2
            found = self._at(guess)
            fits, over = (found, over) if self._fits(found) else (fits, found)
            is_straight = not is_straight
            if is_straight is False and self._fits(found) and found.value + 1 < over.value:
                after = self._at(found.value + 1)  # most often the guess is the answer
                fits, over = (after, over) if self._fits(after) else (fits, after)
        return fits, over

    def _crossing(self, fits: Peak, over: Peak) -> int:
        rise = over.peak_bytes - fits.peak_bytes
        steps = (self._limit - fits.peak_bytes) * (over.value - fits.value) // rise
        return min(max(fits.value + steps, fits.value + 1), over.value - 1)


def peak(value: int, profile: Profile) -> Peak:
    totals, training = profile.totals, profile.training
    return Peak(
        value,
        known(totals.peak_memory_bytes),
        totals.param_bytes,
        totals.buffer_bytes,
        known(totals.input_bytes),
        training.optimizer_bytes if training is not None else 0,
    )


# What is said ---------------------------------------------------------------------------------------------------------


def _no_largest(model: str, name: str, value: int) -> errors.ProfileError:
    return errors.ProfileError(f"{model}: even {name} {value:,} fits; give a smaller size")


def _does_not_fit(model: str, what: str, limit: str, peak: str, over: str, weights: str) -> errors.CheckFailed:
    """Sizes in words; `over` is by how much the peak is more than the limit."""
    return errors.CheckFailed(
        f"{model}: not even {what} fits {limit}: its peak is {peak} ({over} over), of which {weights} are "
        "parameters and buffers; make the model or its input smaller"
    )
