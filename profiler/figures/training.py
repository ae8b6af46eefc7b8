"""What does a training step cost? Forward, backward and update, by layer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from profiler.figures import memory
from profiler.ops import spent
from profiler.ops.cost import NO_TRAFFIC, Cost
from profiler.records.trace import BACKWARD, FORWARD, RECOMPUTE, UPDATE, Trace


@dataclass(frozen=True, slots=True)
class Trained:
    """A layer's part of a training step.

    recompute: what activation checkpointing runs again. update: the optimizer's, which is charged to the model itself.
    saved_bytes: what is kept from the forward pass for the backward pass. gradient_bytes: of its parameters.
    """

    forward: Cost = NO_TRAFFIC
    backward: Cost = NO_TRAFFIC
    recompute: Cost = NO_TRAFFIC
    update: Cost = NO_TRAFFIC
    saved_bytes: int = 0
    gradient_bytes: int = 0

    def __add__(self, other: Trained) -> Trained:
        return Trained(
            self.forward + other.forward,
            self.backward + other.backward,
            self.recompute + other.recompute,
            self.update + other.update,
            self.saved_bytes + other.saved_bytes,
            self.gradient_bytes + other.gradient_bytes,
        )


def trained(trace: Trace) -> list[Trained]:
    """What each row of `trace.modules` itself has of the step."""
    times: dict[tuple[int, str], Counter[int]] = defaultdict(Counter)
    for module, kind, signature in _calls_by_phase(trace):
        times[module, kind][signature] += 1
    saved: Counter[int] = Counter()
    for storage in memory.saved(trace):
        saved[trace.calls[storage.born].module] += storage.size_bytes
    gradients = _gradients(trace)
    kinds = (FORWARD, BACKWARD, RECOMPUTE, UPDATE)
    costs = [[spent(trace.signatures, times[row, kind])[0] for kind in kinds] for row in range(len(trace.modules))]
    return [
        Trained(forward, backward, recompute, update, saved[row], gradients[row])
        for row, (forward, backward, recompute, update) in enumerate(costs)
    ]


def _calls_by_phase(trace: Trace) -> Iterator[tuple[int, str, int]]:
    for phase in trace.phases:
        for call in trace.calls[phase.first : phase.last]:
            yield call.module, phase.kind, call.signature


def _gradients(trace: Trace) -> Counter[int]:
    """A gradient is as large as its parameter; frozen parameters have none."""
    sizes: Counter[int] = Counter()
    for weight in trace.parameters:
        if weight.same_as is None and weight.gradient is not None:
            sizes[weight.module] += trace.storages[weight.gradient].size_bytes
    return sizes
