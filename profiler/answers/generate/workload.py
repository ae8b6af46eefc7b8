"""What has to be kept and computed to serve a language model, before it is known where?

Weights as they are stored, the cache at the end of the request, and the demands of the prefill and of a decode step.
All of it is derived from the traces of the phases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from profiler.answers.generate.attention import attention
from profiler.answers.generate.demands import TABLES, Demand, Demands, Stored, layers
from profiler.answers.generate.phases import Phase, Steps
from profiler.answers.weights.compute import quantised
from profiler.devices.sharding import sums
from profiler.figures.cache import Part, parts
from profiler.figures.experts import Mixture, mixtures, routed_bytes
from profiler.ops import family
from profiler.records.schemes import Scheme
from profiler.records.trace import Signature, Trace, tensors


class Kept(NamedTuple):
    """A weight, the layers whose calls read it, and whether it is a matrix or a table, which can be divided.

    is_of_experts: whether it is a stack of one matrix for each expert.
    """

    layers: frozenset[int]
    size_bytes: int
    is_divisible: bool
    is_of_experts: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A run of a phase: its demands, and by layer the bytes of what divided layers have to sum up.

    routed: by layer, the bytes of what goes to experts and comes back, and other_sums: what is left to sum up then.
    handed_bytes: what a stage hands to the next.
    """

    demands: tuple[Demand, ...]
    sums: Mapping[int, int]
    routed: Mapping[int, int]
    other_sums: Mapping[int, int]
    handed_bytes: int


@dataclass(frozen=True)
class Workload:
    """A language model's phases, which have a number of sequences, a prompt's length and new tokens, none or some.

    decode: the first decode step. middle: the step in the midst of the new tokens', whose time stands for all.
    positions: how many tokens of a sequence the model has positions for; None where it does not say.
    """

    prefill: Phase
    decode: Phase
    middle: Phase
    new: Steps | None = None
    scheme: Scheme | None = None
    positions: int | None = None

    @cached_property
    def stored(self) -> dict[int, Stored]:
        """Every weight by its storage."""
        trace = self._trace
        own = {w.storage: Stored(w.tensor.size_bytes) for w in trace.parameters if w.same_as is None}
        if self.scheme is None:
            return own
        each = quantised(self.prefill.profile, self.scheme.name).parameters
        return {
            storage: Stored(kept.stored_bytes, self.scheme.multiplied if kept.why is None else None)
            for storage, kept in zip(own, each, strict=True)
        }

    @property
    def _trace(self) -> Trace:
        return self.prefill.trace

    @property
    def sequences(self) -> int:
        return self.prefill.sequences

    @property
    def prompt(self) -> int:
        return self.prefill.length

    @property
    def new_tokens(self) -> int:
        return 0 if self.new is None else self.new.count

    @property
    def last(self) -> Phase:
        """The last decode step, after which the cache is largest."""
        return self.decode if self.new is None else self.new.last

    @cached_property
    def layer_count(self) -> int:
        return layers(self._trace)[1]

    # What is kept ----------------------------------------------------------------------------------------------------

    @cached_property
    def weights(self) -> tuple[Kept, ...]:
        read: dict[int, set[int]] = {storage: set() for storage in self.stored}
        for call, layer in zip(self._trace.calls, layers(self._trace)[0], strict=True):
            for storage in read.keys() & set(call.reads):
                read[storage].add(layer)
        stacks = {weight.storage for weight in self._trace.parameters if any(m.holds(weight) for m in self.mixtures)}
        ndim = {weight.storage: weight.tensor.ndim for weight in self._trace.parameters}
        return tuple(
            Kept(frozenset(of or {0}), self.stored[storage].size_bytes, ndim[storage] > 1, storage in stacks)
            for storage, of in read.items()
        )

    @cached_property
    def mixtures(self) -> tuple[Mixture, ...]:
        return tuple(mixtures(self._trace))

    @property
    def buffer_bytes(self) -> int:
        return self.prefill.profile.totals.buffer_bytes

    @cached_property
    def cache(self) -> tuple[Part, ...]:
        """At the end of the request, of all sequences."""
        return tuple(parts(self.last.trace))

    @property
    def cache_bytes(self) -> int:
        return sum(part.size_bytes for part in self.cache)

    @property
    def growth_bytes(self) -> int:
        """Of the cache, by one token of every sequence, where the request begins."""
        return self.decode.cache_bytes - self.prefill.cache_bytes

    # What is computed ------------------------------------------------------------------------------------------------

    @cached_property
    def heads(self) -> tuple[int, ...]:
        """Of the attentions, each number once."""
        trace = self._trace
        signatures = (trace.signatures[trace.calls[position].signature] for position, _ in attention(trace))
        return tuple(dict.fromkeys(_heads(signature, self.sequences) for signature in signatures))

    @cached_property
    def prefill_step(self) -> Step:
        return self._step(self.prefill)

    @cached_property
    def decode_step(self) -> Step:
        """The step that is in the midst of those that are asked for."""
        return self._step(self.middle)

    def _step(self, phase: Phase) -> Step:
        places, trace = layers(phase.trace)[0], phase.trace
        return Step(
            tuple(Demands(phase, self.decode, self.stored, places)),
            _by_layer(sums(trace), places),
            _by_layer(routed_bytes(trace), places),
            _by_layer(sums(trace, sends_tokens=True), places) if self.mixtures else {},
            _handed(trace),
        )


def _by_layer(sizes: Iterable[tuple[int, int]], places: list[int]) -> dict[int, int]:
    """Of sizes by the positions of calls."""
    of_layer: Counter[int] = Counter()
    for position, size_bytes in sizes:
        of_layer[places[position]] += size_bytes
    return dict(of_layer)


def _heads(signature: Signature, sequences: int) -> int:
    """Of an attention, whose first factor is sequences x heads x tokens x width, or has the first two as one."""
    queries = next(tensors(signature.args))
    if queries.ndim > 3:
        return queries.shape[-3]
    return queries.shape[0] // sequences if queries.ndim == 3 else 1


def _handed(trace: Trace) -> int:
    """The vectors of all tokens, as the first table gives them."""
    signatures = (trace.signatures[call.signature] for call in trace.calls)
    tables = (signature for signature in signatures if family(signature.op) == TABLES)
    return next((tensor.size_bytes for signature in tables for tensor in tensors(signature.output)), 0)
