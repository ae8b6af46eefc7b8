"""How is a profile made that can be measured? It knows how to run what was profiled once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from profiler.answers.common.again import Again
from profiler.devices.measuring.effort import Effort
from profiler.figures.profile import Profile
from profiler.records.conditions import Conditions
from profiler.records.spec import Feed

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.time.compute import TimeReport


class Repeatable(Profile):
    """A profile that knows how to run what was profiled once more, where that is more than a record."""

    _again: Again | None = None

    def repeatable(self, model: nn.Module | str, feed: Feed, under: Conditions) -> Self:
        self._again = Again(model, feed, under)
        return self

    def under(self, convention: str) -> Self:
        other = super().under(convention)
        other._again = self._again
        return other

    def on(self, timer: Any) -> Self:
        other = super().on(timer)
        other._again = self._again
        return other

    def time(
        self,
        device: str = "cpu",
        *,
        seconds: float = 5.0,
        threads: int | None = None,
        compile: bool = False,
        flush_cache: bool = False,
    ) -> TimeReport:
        """How long a run takes, layer by layer; print it.

        device: "cpu", "cuda" or "mps": the model that was profiled is run there and timed, a live one with its own
            weights and inputs, which come back untouched. Else a device of the catalogue, or of a file.
        seconds, threads, compile, flush_cache: of a measurement, as the command has them.

        Raises `profiler.errors.ProfileError`, also where a live model that was profiled is there no more.
        """
        from profiler.answers.time.compute import timed

        return timed(self, self._again, device, Effort(seconds, threads, compile, flush_cache))
