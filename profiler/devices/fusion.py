"""Which calls could be one kernel, and which bytes do they still move? Chains of elementwise operators, fused.

A compiler computes what is elementwise (activations and norms, too) in the kernel that made its operand: what that
kernel has made and nobody else reads never goes to memory. Each call that can be fused joins the latest of the kernels
that made its operands, where all other operands are there already, so the order stays possible. What leaves a kernel
is written once, and what several calls of a kernel read is read once. Bytes are rounded down in doubt: storages of
which a call sees a part are left out whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from profiler.devices.work import Work
from profiler.figures.memory import ACTIVATION
from profiler.records.trace import Trace

_FUSED = ("elementwise", "activation", "norm", "loss")  # families of operators, by the files of their formulas


@dataclass(slots=True)
class Kernel:
    """Calls that are computed together, by their positions in `Trace.calls`, and the bytes that each still moves."""

    calls: list[int] = field(default_factory=list)
    moved_bytes: list[int] = field(default_factory=list)


def separate(works: Sequence[Work | None]) -> list[Kernel]:
    """A kernel for each call that has work, which reads its operands from memory and writes its results there."""
    return [
        Kernel([position], [work.moved_bytes])
        for position, work in enumerate(works)
        if work is not None and not work.is_nothing
    ]


def fused(trace: Trace, works: Sequence[Work | None]) -> list[Kernel]:
    """Kernels with all calls fused that can be."""
    kernels, kernel_of = _grouped(trace, works)
    readers: dict[int, set[int]] = defaultdict(set)
    for position, index in kernel_of.items():
        for storage in trace.calls[position].reads:
            readers[storage].add(index)
    outlives = {*trace.outputs, *(cached.storage for cached in trace.cache)}
    outlives |= {index for index, storage in enumerate(trace.storages) if storage.role != ACTIVATION}
    for index, kernel in enumerate(kernels):
        leaving = {storage for position in kernel.calls for storage in trace.calls[position].writes}
        leaving = {storage for storage in leaving if storage in outlives or readers[storage] - {index}}
        kernel.moved_bytes = _moved(trace, works, kernel.calls, leaving)
    return kernels


def _grouped(trace: Trace, works: Sequence[Work | None]) -> tuple[list[Kernel], dict[int, int]]:
    kernels: list[Kernel] = []
    kernel_of: dict[int, int] = {}
    writer: dict[int, int] = {}  # the kernel that wrote a storage last
    for position, work in enumerate(works):
        if work is None or work.is_nothing:
            continue
        call = trace.calls[position]
        made = [writer[storage] for storage in call.reads if storage in writer]
        if made and _can_be_fused(work):
            index = max(made)
        else:
            index = len(kernels)
            kernels.append(Kernel())
        kernels[index].calls.append(position)
        kernel_of[position] = index
        writer.update(dict.fromkeys(call.writes, index))
    return kernels, kernel_of


def _can_be_fused(work: Work) -> bool:
    """An operator that computes without products; or one that computes nothing, and copies."""
    return not work.matrix_flops and (work.family in _FUSED or work.family is None)


def _moved(trace: Trace, works: Sequence[Work | None], calls: Sequence[int], leaving: set[int]) -> list[int]:
    """What each call of a kernel reads for the first time, and writes for the last time where others read it.

    leaving: the storages that the kernel has to write.
    """
    if len(calls) == 1:
        return [_known(works[calls[0]]).moved_bytes]
    last = {storage: position for position in calls for storage in trace.calls[position].writes}
    inside: set[int] = set()
    moved = []
    for position in calls:
        call, work = trace.calls[position], _known(works[position])
        dropped = [storage for storage in call.writes if storage not in leaving or last[storage] != position]
        moved.append(
            max(0, work.bytes_read - _size(trace, inside & set(call.reads)))
            + max(0, work.bytes_written - _size(trace, dropped))
        )
        inside |= {*call.reads, *call.writes}
    return moved


def _size(trace: Trace, storages: Iterable[int]) -> int:
    return sum(trace.storages[storage].size_bytes for storage in storages)


def _known(work: Work | None) -> Work:
    assert work is not None, "calls without a formula are in no kernel"
    return work
