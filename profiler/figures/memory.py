"""How much memory, when? From the lifetimes of the storages that a run allocates.

These are the tensors' own storages, and what operators that were kept whole have alive inside. Scratch memory that a
kernel takes for itself is not a tensor and is not included. Neither is what was there before: parameters, buffers,
inputs, and the state of an optimizer, which is there from its first update on. A cache of tokens that the run was given
is included, since the model replaces it piece by piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from profiler.records.trace import BACKWARD, Storage, Tensor, Trace, tensors

ACTIVATION, GRADIENT, STATE, CACHE, INSIDE = "activation", "gradient", "state", "cache", "inside"


class Piece(NamedTuple):
    """Something alive: its bytes, its role, the call that made it (-1: none), and its tensor where that is known.

    module: the one that made it; of what was there before, the one that reads it first.

    The role "inside" is for what an operator that was kept whole has alive beside what it returns.
    """

    size_bytes: int
    role: str
    call: int
    tensor: Tensor | None
    module: int


class Life(NamedTuple):
    """A piece from the call that made it to the first at which it is no longer there (None: it outlives the run)."""

    piece: Piece
    died: int | None

    def is_alive_at(self, call: int) -> bool:
        return self.piece.call <= call and (self.died is None or call < self.died)


class Stretch(NamedTuple):
    """Calls `first` up to, without, `last`: at which of them most is alive, and how much."""

    first: int
    last: int
    fullest: int
    live_bytes: int


def activation_bytes(trace: Trace) -> int:
    """Everything the run allocates but gradients and state, whether or not it is alive at the same time."""
    return sum(storage.size_bytes for storage in trace.storages if storage.born >= 0 and storage.role == ACTIVATION)


def live_bytes(trace: Trace) -> Sequence[int]:
    """What is allocated at each call, after it has allocated its outputs and before anything is released."""
    change = [0] * (len(trace.calls) + 1)
    for storage in _moving(trace):
        change[max(storage.born, 0)] += storage.size_bytes
        if storage.died is not None:
            change[max(storage.died, storage.born + 1)] -= storage.size_bytes
    live = list(accumulate(change))[: len(trace.calls)]
    return [at + inside for at, inside in zip(live, _inside(trace), strict=True)]


def _moving(trace: Trace) -> list[Storage]:
    """What comes and goes in a run like this one."""
    return [storage for storage in trace.storages if _moves(storage)]


def _moves(storage: Storage) -> bool:
    return storage.role == CACHE or (storage.born >= 0 and storage.role != STATE)


def _inside(trace: Trace) -> list[int]:
    """What each call has alive inside it, at its fullest, in excess of what it returns."""
    returned: Counter[int] = Counter()
    for storage in _moving(trace):
        returned[storage.born] += storage.size_bytes  # at -1 what nobody asks for
    inside = [trace.signatures[call.signature].inside_bytes for call in trace.calls]
    return [max(0, most - returned[call]) if most else 0 for call, most in enumerate(inside)]


def peak_bytes(trace: Trace) -> int:
    """The most that is alive at once."""
    return max(live_bytes(trace), default=0)


def peak_call(trace: Trace) -> int | None:
    """The first call at which most is alive; None where nothing was called."""
    live = live_bytes(trace)
    return live.index(max(live)) if live else None


def alive_at_peak(trace: Trace) -> list[Piece]:
    """What the run has allocated and not released where most is alive, the largest first; `peak_bytes` is its sum."""
    call = peak_call(trace)
    pieces = [] if call is None else [life.piece for life in lives(trace) if life.is_alive_at(call)]
    return sorted((piece for piece in pieces if piece.size_bytes), key=lambda piece: -piece.size_bytes)


def lives(trace: Trace) -> Iterator[Life]:
    """Everything that comes and goes in a run; what is alive at a call adds up to its `live_bytes`."""
    tensors_of = _tensors(trace)
    for index, storage in enumerate(trace.storages):
        if _moves(storage):
            died = None if storage.died is None else max(storage.died, storage.born + 1)
            tensor = tensors_of.get(index)
            yield Life(Piece(storage.size_bytes, storage.role, storage.born, tensor, module_of(trace, index)), died)
    for call, inside in enumerate(_inside(trace)):
        if inside:
            yield Life(Piece(inside, INSIDE, call, None, trace.calls[call].module), call + 1)


def module_of(trace: Trace, storage: int) -> int:
    """The module whose call made a storage; of one that was there before, whose call reads it first."""
    born = trace.storages[storage].born
    if born >= 0:
        return trace.calls[born].module
    return next((call.module for call in trace.calls if storage in call.reads), 0)


def _tensors(trace: Trace) -> dict[int, Tensor]:
    """The tensor that each storage was allocated for."""
    by_storage: dict[int, Tensor] = {}
    for call in trace.calls:
        returned = tuple(tensors(trace.signatures[call.signature].output))
        if len(returned) == len(call.writes):
            for storage, tensor in zip(call.writes, returned, strict=True):
                by_storage.setdefault(storage, tensor)
    return by_storage


def timeline(trace: Trace, stretches: int) -> list[Stretch]:
    """The run in so many stretches of equally many calls, or in one for each call where there are fewer."""
    live = live_bytes(trace)
    count = min(stretches, len(live))
    bounds = [len(live) * i // count for i in range(count + 1)] if count else [0]
    parts = []
    for first, last in pairwise(bounds):
        fullest = max(range(first, last), key=lambda call: live[call])
        parts.append(Stretch(first, last, fullest, live[fullest]))
    return parts


# What was there before ------------------------------------------------------------------------------------------------


def input_bytes(trace: Trace) -> int:
    """What the tensors take that the model is fed."""
    return sum(storage.size_bytes for storage in trace.storages if storage.role == "input")


def cache_bytes(trace: Trace) -> int:
    """The cache of tokens that the run was given."""
    return sum(storage.size_bytes for storage in trace.storages if storage.role == CACHE)


def state_bytes(trace: Trace) -> int:
    """The optimizer's state."""
    return sum(storage.size_bytes for storage in trace.storages if storage.role == STATE)


# Training -------------------------------------------------------------------------------------------------------------


def gradient_bytes(trace: Trace) -> int:
    """The gradients of the parameters."""
    return sum(storage.size_bytes for storage in trace.storages if storage.role == GRADIENT)


def saved(trace: Trace) -> list[Storage]:
    """What the forward pass keeps for the backward pass, without the model's output."""
    forward = next((phase.first for phase in trace.phases if phase.kind == BACKWARD), None)
    if forward is None:
        return []
    outputs = set(trace.outputs)
    return [
        storage
        for index, storage in enumerate(trace.storages)
        if 0 <= storage.born < forward and (storage.died is None or storage.died > forward) and index not in outputs
    ]
