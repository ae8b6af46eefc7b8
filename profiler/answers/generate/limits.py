"""Is a phase over its limit on time? The first token, and each one after it, on devices that share the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from profiler import errors
from profiler.answers.check.compute import Limit, Verdict, verdicts
from profiler.answers.common.limitable import OF_PHASES
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.serving import Serving
from profiler.devices.layers import samples
from profiler.records.conditions import PREFILL
from profiler.records.times import LOWER_BOUND, NO_TIME, Duration, Times
from profiler.records.trace import Trace


def split(limits: Sequence[Limit]) -> tuple[list[Limit], list[Limit]]:
    """Those on a run, and those on the time of a phase on devices."""
    of_run = [limit for limit in limits if limit.figure.name not in OF_PHASES]
    return of_run, [limit for limit in limits if limit.figure.name in OF_PHASES]


def phase_verdicts(generation: Generation, label: str, limits: Sequence[Limit]) -> Iterator[Verdict]:
    """Of a generation on devices, each limit held against the lower bound of its phase.

    Raises `errors.CheckFailed` where the model does not fit on the devices, and so has no time there.
    """
    serving = generation.serving
    assert serving is not None, "limits on the time of phases are of devices"
    if not serving.fits:
        raise _does_not_fit(label, _Served(serving, PREFILL).name, limits[0])
    for phase in generation.phases:
        own = [limit for limit in limits if OF_PHASES[limit.figure.name] == phase.name]
        yield from verdicts(phase.profile.on(_Served(serving, phase.name)), label, own)


@dataclass(frozen=True, slots=True)
class _Served:
    """A phase on the devices as a `Timer`. How its time is divided among the layers is not told."""

    serving: Serving
    phase: str

    @property
    def name(self) -> str:
        devices = self.serving.plan.devices
        return f"{devices} x {self.serving.device.name}" if devices > 1 else self.serving.device.name

    def times(self, trace: Trace) -> Times:
        run = self.serving.first_token if self.phase == PREFILL else self.serving.token
        others = (NO_TIME,) * len(trace.modules)
        return Times(
            word=LOWER_BOUND,
            device=self.name,
            title=self.serving.device.title,
            own=others,
            total=(Duration(run.seconds, run.seconds, run.seconds), *others[1:]),
            bounds=(None,) * len(trace.modules),
            samples=samples(trace),
        )


# Error messages -------------------------------------------------------------------------------------------------------


def _does_not_fit(model: str, devices: str, limit: Limit) -> errors.CheckFailed:
    return errors.CheckFailed(
        f"{model}, {limit.figure.words}: cannot be held to {limit.words} ({limit.place}), for it does not fit on "
        f"{devices}; take more devices, larger ones, or a smaller batch"
    )
