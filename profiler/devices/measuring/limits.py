"""How fast is this machine at best? A large matrix product, and a large copy, in a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from profiler.devices.measuring.clock import Clock

_SECONDS = 0.15  # for each of the two
_MOST_RUNS = 20
_SIDE = {"cpu": 1024}  # of the matrices
_OTHER_SIDE = 8192
_COPIED_BYTES = {"cpu": 128 * 2**20}  # far more than the caches hold
_OTHER_COPIED_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """What was reached. dtype: that of the product; flops_per_second: a MAC is two. bytes_per_second: read and written.

    None in the place of either where this machine has no such operator.
    """

    dtype: str
    flops_per_second: float | None
    bytes_per_second: float | None

    @property
    def is_complete(self) -> bool:
        return bool(self.flops_per_second and self.bytes_per_second)

    def seconds(self, flops: float, moved_bytes: float) -> tuple[float, float]:
        """The least that so much arithmetic takes, and the least that so many bytes take."""
        computing = flops / self.flops_per_second if self.flops_per_second else 0.0
        return computing, moved_bytes / self.bytes_per_second if self.bytes_per_second else 0.0


def limits(kind: str, dtype: str, clock: Clock) -> Limits:
    """The best of several runs of each; dtype: as torch names it."""
    return Limits(dtype, _product(kind, dtype, clock), _copy(kind, clock))


def _product(kind: str, dtype: str, clock: Clock) -> float | None:
    side = _SIDE.get(kind, _OTHER_SIDE)
    try:
        a, b = (torch.ones(side, side, dtype=getattr(torch, dtype), device=kind) for _ in range(2))
        best = _best(lambda: torch.mm(a, b), clock)
    except RuntimeError:  # no product in this dtype
        return None
    return 2 * side**3 / best if best else None


def _copy(kind: str, clock: Clock) -> float | None:
    size = _COPIED_BYTES.get(kind, _OTHER_COPIED_BYTES)
    try:
        source, target = (torch.ones(size // 4, dtype=torch.float32, device=kind) for _ in range(2))
        best = _best(lambda: target.copy_(source), clock)
    except RuntimeError:  # there is not so much memory
        return None
    return 2 * size / best if best else None


def _best(operator: Callable[[], Any], clock: Clock) -> float:
    """Seconds of the fastest run; 0 on a clock that saw nothing of it."""
    operator()
    end = clock.now() + _SECONDS
    seconds: list[float] = []
    while not seconds or (seconds[-1] and clock.now() < end and len(seconds) < _MOST_RUNS):
        clock.synchronize()
        first = clock.mark()
        operator()
        second = clock.mark()
        clock.synchronize()
        seconds.append(clock.between(first, second))
    return min(seconds)
