"""How much does each module ask for? FLOPs, and bytes that are read and written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from profiler.devices.fusion import Kernel, separate
from profiler.devices.work import Work
from profiler.figures.layers import summed
from profiler.records.trace import Trace


class Amount(NamedTuple):
    """FLOPs as the convention `flops` has them: a MAC is two, a special function one, a comparison none."""

    flops: int
    moved_bytes: int

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte; None where nothing is moved."""
        return self.flops / self.moved_bytes if self.moved_bytes else None


def amounts(trace: Trace, works: Sequence[Work | None], kernels: Iterable[Kernel] | None = None) -> list[Amount]:
    """Of each of `trace.modules`, with the modules in it. works: of each call.

    kernels: in which calls are fused, and so move less; without them each call reads memory and writes it.
    """
    kernels = separate(works) if kernels is None else kernels
    moving = {call: moved for kernel in kernels for call, moved in zip(kernel.calls, kernel.moved_bytes, strict=True)}
    own = [Amount(0, 0) for _ in trace.modules]
    for position, (call, work) in enumerate(zip(trace.calls, works, strict=True)):
        if work is not None:
            own[call.module] = _added(own[call.module], Amount(work.flops, moving.get(position, 0)))
    return summed(trace.modules, own, _added)


def _added(first: Amount, second: Amount) -> Amount:
    return Amount(first.flops + second.flops, first.moved_bytes + second.moved_bytes)
