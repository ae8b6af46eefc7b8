"""How much memory, when? From the lifetimes of the storages that a forward pass allocates.

These are the tensors' own storages. Scratch memory that a kernel takes for itself is not a tensor and is not included;
neither are parameters, buffers and inputs, which were there before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from profiler.records import Storage, Trace


def activation_bytes(trace: Trace) -> int:
    """Everything the forward pass allocates, whether or not it is alive at the same time."""
    return sum(storage.size_bytes for storage in trace.storages if storage.born >= 0)


def live_bytes(trace: Trace) -> Sequence[int]:
    """What is allocated at each call, after it has allocated its outputs and before anything is released."""
    change = [0] * (len(trace.calls) + 1)
    for storage in trace.storages:
        if storage.born >= 0:
            change[storage.born] += storage.size_bytes
            if storage.died is not None:
                change[max(storage.died, storage.born + 1)] -= storage.size_bytes
    live = list(accumulate(change))[: len(trace.calls)]
    return [at + inside for at, inside in zip(live, _inside(trace), strict=True)]


def _inside(trace: Trace) -> list[int]:
    """What each call has alive inside it, at its fullest, in excess of what it returns."""
    returned: Counter[int] = Counter()
    for storage in trace.storages:
        if storage.born >= 0:
            returned[storage.born] += storage.size_bytes
    inside = [trace.signatures[call.signature].inside_bytes for call in trace.calls]
    return [max(0, most - returned[call]) if most else 0 for call, most in enumerate(inside)]


def peak_bytes(trace: Trace) -> int:
    """The most that is alive at once."""
    return max(live_bytes(trace), default=0)


def alive_at_peak(trace: Trace) -> list[Storage]:
    """What the forward pass has allocated and not released where most is alive; `peak_bytes` is its sum."""
    live = live_bytes(trace)
    call = live.index(max(live)) if live else 0
    return [
        storage
        for storage in trace.storages
        if 0 <= storage.born <= call and (storage.died is None or call < max(storage.died, storage.born + 1))
    ]


def input_bytes(trace: Trace) -> int:
    """What the tensors take that the model is fed."""
    return sum(storage.size_bytes for storage in trace.storages if storage.role == "input")
