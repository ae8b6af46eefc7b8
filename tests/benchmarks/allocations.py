"""Every allocation of torch's CPU allocator while something runs, and the operator it was made in.

Read off the event tree of torch's own profiler. It sees the thread that started it, the autograd engine and
`torch.jit.fork`; not the threads that Python code starts. Memory that was there before does not count.

An allocation is workspace when nobody but one kernel ever sees it: it is released before the kernel ends. The kernel is
the outermost operator around the allocation that the dispatcher does not decompose; operators that are composite for
autograd (`aten::linear`, `aten::lstm`) are looked into. A Python number that meets a tensor (`x * 2`) is wrapped into a
tensor of one element for the length of the call, and that is workspace of the call too.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import torch
from torch._C._profiler import _EventType, _ExperimentalConfig
from torch.profiler import ProfilerActivity, profile

_NUMBER_BYTES = 16  # of a complex number, the largest
# What is made outside of operators, by its size: checkpointing keeps the one, the graph of `x * 0.5` the other.
_OUTSIDE = {torch.get_rng_state().nbytes: "the random generator's state", 8: "a Python number as a tensor"}


@dataclass(frozen=True, slots=True)
class Allocation:
    """A piece of memory. Times are positions in the order of all allocations and releases.

    `died` is None for what outlives the run. `operators` are those around it, the outermost first; `kernel` is one of
    them, or None for what is made between kernels.
    """

    size_bytes: int
    born: int
    died: int | None
    operators: tuple[str, ...]
    kernel: str | None
    is_workspace: bool

    @property
    def label(self) -> str:
        """The operator that the model's code called, and the kernel in it."""
        names = [*self.operators[:1], *([self.kernel] if self.kernel else [])]
        return " > ".join(dict.fromkeys(names)) or _OUTSIDE.get(self.size_bytes, "no operator")


@dataclass(frozen=True, slots=True)
class Recording:
    """All allocations of one run."""

    allocations: tuple[Allocation, ...]

    @property
    def tensors(self) -> tuple[Allocation, ...]:
        """All but workspace."""
        return tuple(one for one in self.allocations if not one.is_workspace)

    @property
    def workspace_at_peak(self) -> Counter[str]:
        """Bytes of workspace by kernel, where most is allocated."""
        found: Counter[str] = Counter()
        for one in alive_at_peak(self.allocations):
            if one.is_workspace:
                found[one.kernel or one.label] += one.size_bytes
        return found


def peak_bytes(allocations: Sequence[Allocation]) -> int:
    """The most that is allocated at once."""
    return max(_live_bytes(allocations), default=0)


def alive_at_peak(allocations: Sequence[Allocation]) -> list[Allocation]:
    """What is allocated where most is, for the first time; `peak_bytes` is its sum."""
    live = list(_live_bytes(allocations))
    moment = live.index(max(live)) if live else 0
    return [one for one in allocations if one.born <= moment and (one.died is None or one.died > moment)]


def _live_bytes(allocations: Sequence[Allocation]) -> Iterator[int]:
    last = max((max(one.born, one.died or 0) for one in allocations), default=-1)
    change = [0] * (last + 1)
    for one in allocations:
        change[one.born] += one.size_bytes
        if one.died is not None:
            change[one.died] -= one.size_bytes
    return accumulate(change)


# Recording ------------------------------------------------------------------------------------------------------------


def record(run: Callable[[], object], warm_up: Callable[[], object] | None = None) -> Recording:
    """What `run` allocates; what it returns lives to the end.

    warm_up: called before, for what torch keeps from a first call; by default `run` itself.
    """
    try:
        config = _ExperimentalConfig(capture_overload_names=True)
    except TypeError:  # torch 2.6 tells no overloads
        config = _ExperimentalConfig()
    watching = profile(activities=[ProfilerActivity.CPU], profile_memory=True, experimental_config=config)
    with plain_kernels():
        (warm_up or run)()
        with uncollected(), watching:
            kept = run()
    del kept
    assert watching.profiler is not None
    return read(watching.profiler.kineto_results.experimental_event_tree())


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Without oneDNN, and without fusing nn.MultiheadAttention and encoder layers into single calls."""
    fuses = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.backends.mkldnn.flags(enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fuses)


@contextmanager
def uncollected() -> Iterator[None]:
    """Garbage is collected before, and not at some moment within."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# Reading --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """An allocation or (with a negative size) a release. `ends_ns` is when the kernel around it ends."""

    time_ns: int
    address: int
    size_bytes: int
    operators: tuple[str, ...]
    kernel: str | None
    ends_ns: int | None


def read(roots: Iterable[Any]) -> Recording:
    """The allocations in an event tree."""
    changes: list[_Change] = []
    kernels: list[tuple[int, str]] = []
    for root in roots:
        _walk(root, (), None, changes, kernels)
    changes.sort(key=lambda change: change.time_ns)
    kernels.sort()
    found: list[Allocation] = []
    open_: dict[int, int] = {}  # where what lives at an address was allocated, in the order of changes
    ends: dict[int, int] = {}
    for time, change in enumerate(changes):
        if change.size_bytes >= 0:
            if change.address in open_:
                raise ValueError("memory was released in a thread that torch's profiler does not see")
            open_[change.address] = time
        elif change.address in open_:
            ends[open_.pop(change.address)] = time
    for born, change in enumerate(changes):
        if change.size_bytes >= 0:
            died = ends.get(born)
            found.append(_allocation(change, born, died, None if died is None else changes[died].time_ns, kernels))
    return Recording(tuple(found))


def _walk(
    event: Any, around: tuple[str, ...], kernel: Any, changes: list[_Change], kernels: list[tuple[int, str]]
) -> None:
    if event.tag == _EventType.Allocation:
        fields = event.extra_fields
        if fields.device.type == "cpu":
            name, ends_ns = (None, None) if kernel is None else (kernel.name, kernel.end_time_ns)
            changes.append(_Change(event.start_time_ns, fields.ptr, fields.alloc_size, around, name, ends_ns))
        return
    overload = getattr(event, "overload_name", "")
    full_name = f"{event.name}.{overload}" if overload else event.name
    if _is_operator(full_name):
        around = (*around, event.name)
        if kernel is None and not _is_composite(full_name):
            kernel = event
            kernels.append((event.start_time_ns, event.name))
    for child in event.children:
        _walk(child, around, kernel, changes, kernels)


@cache
def _is_operator(name: str) -> bool:
    """The profiler also tells of autograd's functions and of regions that have been given a name."""
    try:
        return bool(torch._C._dispatch_has_kernel(name))
    except RuntimeError:  # no name of an operator
        return False


@cache
def _is_composite(name: str) -> bool:
    """A few, such as `silu_backward`, can be decomposed, but have a kernel for the CPU."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    return has(name, "CompositeImplicitAutograd") and not has(name, "CPU")


def _allocation(
    change: _Change, born: int, died: int | None, died_ns: int | None, kernels: list[tuple[int, str]]
) -> Allocation:
    kernel, is_workspace = change.kernel, False
    if died_ns is not None:
        if change.ends_ns is not None:
            is_workspace = died_ns <= change.ends_ns
        elif change.size_bytes <= _NUMBER_BYTES:
            served = kernels[bisect_left(kernels, (change.time_ns, "")) : bisect_left(kernels, (died_ns, ""))]
            if len(served) == 1:
                kernel, is_workspace = served[0][1], True
    return Allocation(change.size_bytes, born, died, change.operators, kernel, is_workspace)
