"""What is alive when most is, who made it, and how did it get there? A profile's memory, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from profiler import errors
from profiler.figures import memory
from profiler.figures.memory import Piece, Stretch
from profiler.figures.profile import Profile
from profiler.records.trace import Trace
from profiler.render.answer import Answer

TOP = 10  # pieces shown
STRETCHES = 20  # of the timeline


@dataclass(frozen=True)
class MemoryReport(Answer):
    """The peak of one run: `pieces` is what is alive at it, the largest first; `timeline` is how it got there.

    profile: of the run.
    top: how many of the pieces a table shows; the others are summed up.
    """

    profile: Profile
    top: int = TOP

    @property
    def trace(self) -> Trace:
        """What happened in the run."""
        return self.profile.trace

    @cached_property
    def pieces(self) -> Sequence[Piece]:
        """What is alive at the peak, the largest first."""
        return memory.alive_at_peak(self.trace)

    @cached_property
    def call(self) -> int | None:
        """The call at which most is alive; None where nothing was called."""
        return memory.peak_call(self.trace)

    @cached_property
    def timeline(self) -> Sequence[Stretch]:
        """What is alive over the run, in stretches."""
        return memory.timeline(self.trace, STRETCHES)

    @cached_property
    def live_bytes(self) -> Sequence[int]:
        """What is alive at each call."""
        return memory.live_bytes(self.trace)

    def operator(self, call: int) -> str:
        """The operator that a call is of: "aten.conv2d.default".

        call: its place in the run.
        """
        return self.trace.signatures[self.trace.calls[call].signature].op

    def layer(self, call: int) -> str:
        """The path of the layer that a call belongs to.

        call: its place in the run.
        """
        return self.trace.modules[self.trace.calls[call].module].path

    def phase(self, call: int) -> str | None:
        """Of a training step; None in inference.

        call: its place in the run.
        """
        return next((phase.kind for phase in self.trace.phases if phase.first <= call < phase.last), None)


def memory_report(profile: Profile, top: int | None = None) -> MemoryReport:
    """Raises `errors.ProfileError` where no run was recorded."""
    if not profile.trace.was_run:
        raise errors.nothing_ran(profile.model, "its peak memory is not known")
    report = MemoryReport(profile)
    return report if top is None else replace(report, top=top)
