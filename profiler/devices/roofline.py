"""How fast could a device be at best? The roofline: each kernel waits for its arithmetic or for its bytes.

A kernel takes at least max(products / peak, other arithmetic / peak of the ordinary cores, bytes / bandwidth), as
Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009. Kernels follow one another, and their starts run ahead
of the device, so a run takes at least max(sum of the kernels, number of kernels x launch overhead).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from profiler.devices import layers
from profiler.devices.device import Device
from profiler.devices.fusion import Kernel, fused, separate
from profiler.devices.work import CONVOLUTION, Work, work
from profiler.figures.memory import STATE
from profiler.records.times import ARITHMETIC, LAUNCHES, LOWER_BOUND, MEMORY, Duration, Times
from profiler.records.trace import Trace


class Bound(NamedTuple):
    """Seconds that a call takes at least, and what it waits for."""

    seconds: float
    by: str | None


NO_WORK = Bound(0.0, None)
NO_CALL = Work(0, "float32", 0, "float32", 0, 0, 0, None)


@dataclass(frozen=True, slots=True)
class Roofline:
    """A device's specification as a `Timer`."""

    device: Device

    @property
    def name(self) -> str:
        return self.device.name

    def times(self, trace: Trace) -> Times:
        """Lower bounds: `low` with elementwise chains fused, `high` with none. Raises where a dtype is missing."""
        works = works_of(trace)
        low = self.bounds(trace, works, fused(trace, works))
        high = self.bounds(trace, works, separate(works))
        durations = [
            Duration(least.seconds, least.seconds, most.seconds) for least, most in zip(low, high, strict=True)
        ]
        unknown = sum(work is None for work in works)
        by = [bound.by for bound in low]
        return layers.times(trace, LOWER_BOUND, self.name, self.device.title, durations, by, unknown)

    def bounds(self, trace: Trace, works: Sequence[Work | None], kernels: Sequence[Kernel]) -> list[Bound]:
        """What each call takes of its kernel's time; together they are the run's."""
        bounds = [NO_WORK] * len(trace.calls)
        for kernel in kernels:
            for position, bound in zip(kernel.calls, self._of_kernel(works, kernel), strict=True):
                bounds[position] = bound
        waits = self._waits([sum(bounds[position].seconds for position in kernel.calls) for kernel in kernels])
        for kernel, wait in zip(kernels, waits, strict=True):
            for position in kernel.calls:
                bounds[position] = _waiting(bounds[position], wait / len(kernel.calls))
        return bounds

    def _waits(self, seconds: Sequence[float]) -> list[float]:
        """How long each kernel waits for its start, where all starts together take longer than all kernels.

        That is shared among the kernels that are shorter than a start, by how much they are.
        """
        launch = self.device.launch_overhead
        shorter = [max(0.0, launch - each) for each in seconds]
        idle = max(0.0, launch * len(seconds) - sum(seconds))
        return [idle * each / sum(shorter) if idle else 0.0 for each in shorter]

    def _of_kernel(self, works: Sequence[Work | None], kernel: Kernel) -> list[Bound]:
        """The time of a kernel, shared among its calls by how much each has of what the kernel waits for."""
        several = [work for position in kernel.calls if (work := works[position]) is not None]
        waits = (
            ([self.products(work) for work in several], ARITHMETIC),
            ([self.others(work) for work in several], ARITHMETIC),
            ([moved / self.device.memory_bandwidth for moved in kernel.moved_bytes], MEMORY),
        )
        longest, by = max(waits, key=lambda wait: sum(wait[0]))
        return [Bound(seconds, by) if seconds else NO_WORK for seconds in longest]

    def products(self, work: Work) -> float:
        return work.matrix_flops / self._matrix_peak(work) if work.matrix_flops else 0.0

    def others(self, work: Work) -> float:
        peak = self.device.vector_peak(work.vector_dtype)
        return work.vector_operations / peak if work.vector_operations and peak is not None else 0.0

    def _matrix_peak(self, work: Work) -> float:
        return self.device.needed_peak(self.matrix_dtype(work))

    def matrix_dtype(self, work: Work) -> str:
        """As torch multiplies by default: float32 convolutions on tensor cores in tf32, matrix products not."""
        is_tf32 = work.matrix_dtype == "float32" and work.family == CONVOLUTION and "tf32" in self.device.peak
        return "tf32" if is_tf32 else work.matrix_dtype


def _waiting(bound: Bound, wait: float) -> Bound:
    return Bound(bound.seconds + wait, LAUNCHES if wait else bound.by)


def works_of(trace: Trace) -> list[Work | None]:
    """The work of each call; a signature is looked at once.

    An optimizer's state is filled in its first step alone; a step stands for all others, in which it is there.
    """
    by_signature = [work(signature) for signature in trace.signatures]
    works = [by_signature[call.signature] for call in trace.calls]
    for storage in trace.storages:
        if storage.role == STATE and storage.born >= 0 and _only_fills(works[storage.born]):
            works[storage.born] = NO_CALL
    return works


def _only_fills(work: Work | None) -> bool:
    return work is not None and not work.operations and not work.bytes_read
