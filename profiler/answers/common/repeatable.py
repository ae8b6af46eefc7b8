"""How is a profile made that can be measured? It knows how to run what was profiled once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from profiler.answers.common.again import Again
from profiler.figures.profile import Profile
from profiler.records.conditions import Conditions
from profiler.records.spec import Feed
from profiler.records.times import Timer

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.time.compute import TimeReport


class Repeatable(Profile):
    """A profile that knows how to run what was profiled once more, where that is more than a record."""

    _again: Again | None = None

    def repeatable(self, model: nn.Module | str, feed: Feed, under: Conditions) -> Self:
        """The profile, which knows from now on how to run the model once more.

        model, feed, under: what was run, what it was fed, and the conditions.
        """
        self._again = Again(model, feed, under)
        return self

    def _remade(self, convention: str, timer: Timer | None) -> Self:
        other = super()._remade(convention, timer)
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
        seconds: how long a measurement may take, about.
        threads: how many a CPU uses; by default torch's own number.
        compile: measure what `torch.compile` makes of the model.
        flush_cache: empty the caches before each run, as they are where something else ran in between.

        Raises `profiler.errors.ProfileError`, also where a live model that was profiled is there no more.
        """
        from profiler.answers.time.compute import timed
        from profiler.devices.measuring.effort import Effort

        return timed(self, self._again, device, Effort(seconds, threads, compile, flush_cache))
