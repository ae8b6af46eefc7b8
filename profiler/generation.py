"""What does a language model cost where it generates? The prefill of a prompt, a decode step, and so many new tokens.

Everything is derived from traces: the prefill is one, and each decode step is one, which was given the cache that the
run before it returned. Sampling the next token is not part of any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from profiler.answers import Answer
from profiler.attention import attention_macs
from profiler.polynomial import Polynomial
from profiler.profiles import Profile
from profiler.records import Cached, Input, Tensor, Trace
from profiler.tables import Table

PREFILL, DECODE, BOTH = "prefill", "decode", "both"
PHASES = (PREFILL, DECODE, BOTH)
CACHES = ("dynamic", "static", "fp8")
_TOKENS = ("decoder_input_ids", "input_ids")


@dataclass(frozen=True)
class Phase:
    """One run: `prefill` reads a prompt, `decode` one token a sequence, `context` tokens having been read before."""

    profile: Profile

    @property
    def trace(self) -> Trace:
        return self.profile.trace

    @property
    def name(self) -> str:
        return str(self.trace.asked.get("phase", PREFILL))

    @property
    def context(self) -> int:
        return int(self.trace.asked.get("context", 0))  # type: ignore[arg-type]

    @property
    def sequences(self) -> int:
        return _ids(self.trace.inputs).shape[0]

    @property
    def length(self) -> int:
        """Tokens a sequence that are read in this run."""
        return _ids(self.trace.inputs).shape[1]

    @property
    def tokens(self) -> int:
        return self.sequences * self.length

    @property
    def macs(self) -> int:
        return self.profile.totals.macs

    @property
    def flops(self) -> int:
        return self.profile.totals.flops

    @cached_property
    def attention_macs(self) -> int:
        return attention_macs(self.trace)

    @property
    def bytes_read(self) -> int:
        return self.profile.figures.cost.bytes_read or 0

    @property
    def bytes_written(self) -> int:
        return self.profile.figures.cost.bytes_written or 0

    @property
    def cache_bytes(self) -> int:
        """The contents of the cache after the run."""
        return sum(part.tensor.size_bytes for part in contents(self.trace))

    @property
    def held_bytes(self) -> int:
        """The storages that those contents live in: a window may be a view of all that was read."""
        return sum(self.trace.storages[i].size_bytes for i in {part.storage for part in contents(self.trace)})

    @property
    def peak_memory_bytes(self) -> int:
        return self.profile.totals.peak_memory_bytes


def _ids(inputs: Sequence[Input]) -> Input:
    """The tokens among what was fed; anything two-dimensional where no name says so."""
    for name in _TOKENS:
        for given in inputs:
            if given.name == name:
                return given
    shaped = [given for given in inputs if len(given.shape) == 2]
    whole = [given for given in shaped if given.dtype.startswith(("int", "uint"))]
    return next(iter([*whole, *shaped]), Input(None, (1, 1), "int64"))


# The cache ------------------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """So many tensors of a cache that are alike. `kind` is "full", "sliding", "latent", "cross" or "state"."""

    kind: str
    name: str
    owner: str
    shape: tuple[int, ...]
    dtype: str
    tensors: int
    size_bytes: int


def contents(trace: Trace) -> Iterator[Cached]:
    """What a cache holds of tokens; numbers that it counts with, such as a position, are left out."""
    for cached in trace.cache:
        if cached.tensor.numel and (cached.tensor.ndim or cached.tensor.is_float):
            yield cached


def parts(trace: Trace) -> list[Part]:
    """The contents of the cache, tensors that are alike together, in the order in which they occur."""
    latent = _latent(trace)
    alike: dict[tuple[str, str, str, Tensor], int] = {}
    for cached in contents(trace):
        key = _kind(cached, latent), _name(cached), cached.owner, replace(cached.tensor, strides=None)
        alike[key] = alike.get(key, 0) + 1
    return [
        Part(kind, name, owner, tensor.shape, tensor.dtype, count, count * tensor.size_bytes)
        for (kind, name, owner, tensor), count in alike.items()
    ]


def by_kind(trace: Trace) -> dict[str, int]:
    """Bytes of each kind."""
    found: Counter[str] = Counter()
    for part in parts(trace):
        found[part.kind] += part.size_bytes
    return dict(found)


def _kind(cached: Cached, latent: set[str]) -> str:
    if "cross_attention" in cached.path:
        return "cross"
    if "state" in _name(cached):
        return "state"
    if "Sliding" in cached.owner:
        return "sliding"
    return "latent" if _layer(cached) in latent else "full"


def _name(cached: Cached) -> str:
    """The attribute that holds it."""
    words = [word for word in cached.path.split(".") if not word.isdecimal()]
    return words[-1].strip("_") if words else cached.path


def _layer(cached: Cached) -> str:
    return cached.path.rpartition(".")[0]


def _latent(trace: Trace) -> set[str]:
    """Layers that keep one head for all, of keys and values that are not of one width: what both are projected from."""
    widths: dict[str, set[int]] = {}
    for cached in contents(trace):
        if cached.tensor.ndim == 4 and cached.tensor.shape[1] == 1 and _name(cached) in ("keys", "values"):
            widths.setdefault(_layer(cached), set()).add(cached.tensor.shape[-1])
    return {layer for layer, found in widths.items() if len(found) > 1}


# New tokens -----------------------------------------------------------------------------------------------------------

# What is summed over decode steps.
SUMMED = ("macs", "flops", "attention_macs", "bytes_read", "bytes_written")


@dataclass(frozen=True)
class Stretch:
    """Decode steps at contexts `first` to `last`: polynomials of the context, or none where each step was run."""

    first: int
    last: int
    ran: Mapping[int, Phase]
    polynomials: Mapping[str, Polynomial] | None

    def total(self, figure: str) -> int:
        if self.polynomials is None:
            return sum(getattr(phase, figure) for phase in self.ran.values())
        polynomial = self.polynomials[figure]
        return int(sum(polynomial(context) for context in range(self.first, self.last + 1)))


@dataclass(frozen=True)
class Steps:
    """So many decode steps one after the other."""

    stretches: tuple[Stretch, ...]

    @property
    def count(self) -> int:
        return self.stretches[-1].last - self.stretches[0].first + 1

    @property
    def ran(self) -> dict[int, Phase]:
        return {context: phase for stretch in self.stretches for context, phase in stretch.ran.items()}

    @property
    def context(self) -> int:
        return self.stretches[0].first

    @property
    def last(self) -> Phase:
        return self.ran[self.stretches[-1].last]

    @property
    def tokens(self) -> int:
        return self.count * self.last.sequences

    @property
    def macs(self) -> int:
        return self._total("macs")

    @property
    def flops(self) -> int:
        return self._total("flops")

    @property
    def attention_macs(self) -> int:
        return self._total("attention_macs")

    @property
    def bytes_read(self) -> int:
        return self._total("bytes_read")

    @property
    def bytes_written(self) -> int:
        return self._total("bytes_written")

    @property
    def cache_bytes(self) -> int:
        return self.last.cache_bytes

    @property
    def peak_memory_bytes(self) -> int:
        """Of the steps that were run, which the first and the last are among."""
        return max(phase.peak_memory_bytes for phase in self.ran.values())

    def _total(self, figure: str) -> int:
        return sum(stretch.total(figure) for stretch in self.stretches)


# The report -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Generation(Answer):
    """A model's phases: those that were asked for, and the decode steps of `new` tokens."""

    prefill: Phase
    decode: Phase | None = None
    new: Steps | None = None
    phase: str = BOTH
    columns: tuple[str, ...] = ()

    @property
    def phases(self) -> list[Phase]:
        """Those that were asked for."""
        both = (self.prefill, self.decode)
        return [phase for phase in both if phase is not None and self.phase in (phase.name, BOTH)]

    @property
    def first(self) -> Profile:
        return self.phases[0].profile

    @property
    def context(self) -> int:
        """Tokens a sequence that the prefill reads."""
        return self.prefill.length

    @property
    def growth_bytes(self) -> int | None:
        """How much the cache of one sequence grew by with one token; not known where no step was run."""
        return None if self.growth_by_kind is None else sum(self.growth_by_kind.values())

    @property
    def growth_by_kind(self) -> dict[str, int] | None:
        if self.decode is None:
            return None
        before, sequences = by_kind(self.prefill.trace), self.prefill.sequences
        return {kind: (size - before.get(kind, 0)) // sequences for kind, size in by_kind(self.decode.trace).items()}

    @property
    def weight_bytes(self) -> dict[str, int]:
        """Of parameters, by their dtype."""
        found: Counter[str] = Counter()
        for weight in self.prefill.trace.parameters:
            if weight.same_as is None:
                found[weight.tensor.dtype] += weight.tensor.size_bytes
        return dict(found)

    def tables(self) -> Iterator[Table]:
        from profiler.generation_tables import generation_tables  # which is about this

        return generation_tables(self)

    def raw_table(self) -> Table:
        from profiler.generation_tables import raw_generation_table

        return raw_generation_table(self)

    def data(self) -> dict[str, Any]:
        from profiler.generation_tables import generation_data

        return generation_data(self)
