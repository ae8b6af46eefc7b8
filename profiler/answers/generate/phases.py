"""What does a phase of a language model cost? One run's figures, and the sums of many decode steps'.

Everything is derived from traces: the prefill is one, and each decode step is one, which reads the cache that the run
before it returned. Sampling the next token is not part of any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from profiler.answers.common.series import Figure, Stretch
from profiler.answers.generate.attention import attention_macs
from profiler.figures.cache import cache_bytes, contents
from profiler.figures.profile import Profile
from profiler.records.conditions import PREFILL
from profiler.records.trace import Input, Trace, known

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
        context = self.trace.asked.get("context")
        return context if isinstance(context, int) else 0

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
        return known(self.profile.totals.macs)

    @property
    def flops(self) -> int:
        return known(self.profile.totals.flops)

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
        return cache_bytes(self.trace)

    @property
    def held_bytes(self) -> int:
        """The storages that those contents live in: a window may be a view of all that was read."""
        return sum(self.trace.storages[i].size_bytes for i in {part.storage for part in contents(self.trace)})

    @property
    def peak_memory_bytes(self) -> int:
        return known(self.profile.totals.peak_memory_bytes)


def _ids(inputs: Sequence[Input]) -> Input:
    """The tokens among the inputs; anything two-dimensional where no name says so."""
    named = [tensor for name in _TOKENS for tensor in inputs if tensor.name == name]
    shaped = [tensor for tensor in inputs if len(tensor.shape) == 2]
    whole = [tensor for tensor in shaped if tensor.dtype.startswith(("int", "uint"))]
    return next(iter([*named, *whole, *shaped]), Input(None, (1, 1), "int64"))


# New tokens -----------------------------------------------------------------------------------------------------------

# What is summed over decode steps.
SUMMED: Mapping[str, Figure[Phase]] = {
    "macs": lambda phase: phase.macs,
    "flops": lambda phase: phase.flops,
    "attention_macs": lambda phase: phase.attention_macs,
    "bytes_read": lambda phase: phase.bytes_read,
    "bytes_written": lambda phase: phase.bytes_written,
}


@dataclass(frozen=True)
class Steps:
    """So many decode steps one after the other, in stretches of contexts."""

    stretches: tuple[Stretch[Phase], ...]

    @property
    def count(self) -> int:
        return self.stretches[-1].last - self.context + 1

    @property
    def ran(self) -> dict[int, Phase]:
        return {context: phase for stretch in self.stretches for context, phase in stretch.results.items()}

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

    def _total(self, name: str) -> int:
        return sum(stretch.total(name, SUMMED[name]) for stretch in self.stretches)
