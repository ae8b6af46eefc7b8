"""How long does each layer take, what does it wait for, and how near does it come to what the device can do?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.common.again import Again, nothing_to_time
from profiler.answers.layers.compute import View
from profiler.devices.amounts import Amount, amounts
from profiler.devices.fusion import Kernel, fused
from profiler.devices.measuring.effort import USUAL, Effort
from profiler.devices.roofline import Roofline, works_of
from profiler.devices.timing import HERE, timer
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.times import LOWER_BOUND, MEASURED, Duration, Times
from profiler.render.answer import Answer

if TYPE_CHECKING:
    from profiler.devices.measuring.measure import Measurement
    from profiler.devices.work import Work
    from profiler.engine.run.subject import Subject

TOP = 12  # layers that a plot names


@dataclass(frozen=True)
class TimeReport(Answer):
    """The time of one run.

    profile: on the device.
    view: which layers are shown.
    """

    profile: Profile
    view: View = field(default_factory=View)

    @cached_property
    def times(self) -> Times:
        """Of the run and of each layer, and whether they are measured, predicted or a lower bound."""
        times = self.profile.times
        assert times is not None, "a profile on a device, of a model that ran"
        return times

    @property
    def measurement(self) -> Measurement | None:
        """None where nothing was measured."""
        timer: Any = self.profile.timer
        return timer if self.times.word == MEASURED else None

    @property
    def roofline(self) -> Roofline | None:
        """The device of a lower bound; else None."""
        return self.profile.timer if isinstance(self.profile.timer, Roofline) else None

    @property
    def has_layers(self) -> bool:
        """Whether layers have times of their own."""
        return self.measurement is None or self.measurement.has_layers

    @cached_property
    def works(self) -> Sequence[Work | None]:
        """What each call asks of a device; None where it has no formula."""
        return works_of(self.profile.trace)

    @cached_property
    def amounts(self) -> Sequence[Amount]:
        """What each layer asks for, with what is in it: every operator reads memory and writes it."""
        return amounts(self.profile.trace, self.works)

    @cached_property
    def fused_amounts(self) -> Sequence[Amount]:
        """The same with chains of elementwise operators fused, as the lower end of a lower bound has them."""
        return amounts(self.profile.trace, self.works, self.fused)

    @cached_property
    def fused(self) -> Sequence[Kernel]:
        """The calls with chains of elementwise operators as one."""
        return fused(self.profile.trace, self.works)

    @property
    def is_of_fused(self) -> bool:
        """Whether the time is that of fused operators."""
        return self.times.word == LOWER_BOUND

    @property
    def timed_amounts(self) -> Sequence[Amount]:
        """What is asked for in the time that is told."""
        return self.fused_amounts if self.is_of_fused else self.amounts

    def flops(self, layer: Layer) -> int | None:
        """As the convention `flops` has them; None where nothing but operators without a formula ran.

        layer: of the profile.
        """
        amount = self.amounts[layer.index].flops
        return None if not amount and layer.total.unknown_calls else amount

    def duration(self, layer: Layer) -> Duration:
        """Of a layer, with what is in it.

        layer: of the profile.
        """
        return self.times.total[layer.index]

    def seconds(self, layer: Layer) -> float | None:
        """The same as one number; None where it is not known: what was measured could be anything.

        layer: of the profile.
        """
        duration = self.duration(layer)
        return duration.seconds if self.times.word != MEASURED or is_known(duration) else None

    def share(self, layer: Layer) -> float | None:
        """The share of a layer of the whole time.

        layer: of the profile.
        """
        seconds, whole = self.seconds(layer), self.times.whole.seconds
        return None if seconds is None or not whole else seconds / whole

    def achieved(self, layer: Layer) -> float | None:
        """The share of this machine's limit that was reached; None where nothing was measured, or is not known.

        layer: of the profile. In a training step its time is that of the forward pass, and what it asks for is of the
        whole step.
        """
        seconds = self.seconds(layer)
        is_of_forward = bool(self.profile.trace.phases) and layer.index > 0
        if self.measurement is None or not seconds or is_of_forward:
            return None
        return max(self.measurement.limits.seconds(*self.amounts[layer.index])) / seconds


def is_known(duration: Duration) -> bool:
    """Whether an interval leaves at least the size of a time known."""
    return duration.high - duration.low <= max(0.0, duration.seconds)


@dataclass(frozen=True)
class Timing:
    """Where and how long to run. device: of this machine or the catalogue, or a file. effort: of a measurement."""

    device: str = "cpu"
    effort: Effort = USUAL
    ended: Callable[[int], None] = field(default=lambda runs: None)

    @property
    def is_here(self) -> bool:
        return self.device in HERE

    def check(self) -> None:
        """Raises `errors.ProfileError` for a device that there is not, before a model is run."""
        if not self.is_here:
            timer(self.device)
            return
        from profiler.devices.measuring.clock import clock  # which imports torch

        clock(self.device)

    def on(self, profile: Profile, subject: Callable[[], Subject], under: Conditions) -> Profile:
        """The profile on the device. subject: what is run where that is this machine; raises `errors.ProfileError`."""
        if not profile.trace.was_run:
            raise errors.nothing_ran(profile.model, "its time is not known")
        if not self.is_here:
            return profile.on(timer(self.device))
        from profiler.devices.measuring.measure import measured

        return profile.on(measured(subject(), profile.trace, under, self.device, self.effort, self.ended))


def timed(profile: Profile, again: Again | None, device: str, effort: Effort) -> TimeReport:
    """The time of what was profiled. again: how that is run once more; None of a run that was saved."""
    if effort.seconds < 0 or (effort.threads is not None and effort.threads < 1):
        raise _no_effort(effort)
    timing = Timing(device, effort)
    timing.check()

    def subject() -> Subject:
        if again is None:
            raise nothing_to_time(profile.model)
        return again.subject()

    return TimeReport(timing.on(profile, subject, AS_IT_IS if again is None else again.under))


# Error messages -------------------------------------------------------------------------------------------------------


def _no_effort(effort: Effort) -> errors.ProfileError:
    return errors.ProfileError(
        f"seconds={effort.seconds:g}, threads={effort.threads}: it takes 0 seconds or more, and 1 thread or more"
    )
