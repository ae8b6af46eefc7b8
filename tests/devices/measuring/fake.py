"""A device whose time is scripted: modules say how long they take, and the clock shows that and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle

import torch
from torch import nn

from profiler import profile
from profiler.devices.measuring.effort import Effort
from profiler.devices.measuring.measure import Measurement, measured
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.spec import Feed
from profiler.sources import subject_of


class FakeClock:
    """Seconds that `spend` adds up. mark_costs: what reading it takes."""

    def __init__(self, mark_costs: float = 0.0) -> None:
        self.time = 0.0
        self.mark_costs = mark_costs

    def spend(self, seconds: float) -> None:
        self.time += seconds

    def now(self) -> float:
        return self.time

    def mark(self) -> float:
        self.time += self.mark_costs
        return self.time

    def between(self, first: float, second: float) -> float:
        return second - first

    def synchronize(self) -> None:
        """There is nothing to wait for."""


class Takes(nn.Module):
    """A layer that takes so many seconds, one after another where there are several."""

    def __init__(self, clock: FakeClock, *seconds: float) -> None:
        super().__init__()
        self.clock: list[FakeClock] = [clock]
        self.seconds: Iterator[float] = cycle(seconds)
        self.weight = nn.Parameter(torch.ones(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not x.is_meta:
            self.clock[0].spend(next(self.seconds))
        return x @ self.weight


class Around(nn.Module):
    """Layers, and what it takes itself."""

    def __init__(self, clock: FakeClock, own: float, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.clock: list[FakeClock] = [clock]
        self.own = own
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not x.is_meta:
            self.clock[0].spend(self.own)
        for layer in self.layers:
            x = layer(x)
        return x


def measure(model: nn.Module, clock: FakeClock, seconds: float = 1.0, under: Conditions = AS_IT_IS) -> Measurement:
    """On the fake device, with an input of 2x2."""
    feed = Feed(((torch.ones(2, 2)),))
    trace = profile(model, torch.ones(2, 2), train=under.training is not None).trace
    return measured(subject_of(model, feed), trace, under, "cpu", Effort(seconds), on=clock)
