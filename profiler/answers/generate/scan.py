"""What does a language model cost at several lengths of its prompt, batch sizes, widths? Its phases, a row a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from profiler.answers.common.series import Figure, Series, polynomials
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import Phase
from profiler.figures.profile import Profile
from profiler.records.polynomial import Polynomial

# What may be a polynomial of what varies, with its words.
FIGURES: Mapping[str, tuple[str, Figure[Phase]]] = {
    "macs": ("MACs", lambda phase: phase.macs),
    "flops": ("FLOPs", lambda phase: phase.flops),
    "attention_macs": ("attention's MACs", lambda phase: phase.attention_macs),
    "cache_bytes": ("cache in bytes", lambda phase: phase.cache_bytes),
    "peak_memory_bytes": ("peak memory in bytes", lambda phase: phase.peak_memory_bytes),
}


@dataclass(frozen=True)
class GenerationScan(Series[Generation]):
    """The phases of a model at several values of what varies."""

    ENOUGH: ClassVar[int] = 5  # a quadratic is confirmed by two

    @property
    def phase(self) -> str:
        """Which phases were asked for: "prefill", "decode" or "both"."""
        return self.first.phase

    @property
    def profiles(self) -> list[Profile]:
        """Of all phases, value by value."""
        return [phase.profile for generation in self.results for phase in generation.phases]

    @cached_property
    def polynomials(self) -> Mapping[tuple[str, str], Polynomial | None]:
        """By phase and figure, in what varies; those that vary."""
        figures = {
            (phase.name, name): _of_phase(number, figure)
            for number, phase in enumerate(self.first.phases)
            for name, (_, figure) in FIGURES.items()
        }
        return polynomials(self.confirmable, figures)


def _of_phase(number: int, figure: Figure[Phase]) -> Figure[Generation]:
    return lambda generation: figure(generation.phases[number])
