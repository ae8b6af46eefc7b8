"""What does a language model cost at each of several lengths of its prompt? Memory over context, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from profiler import errors
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import Phase
from profiler.records.polynomial import Polynomial, through
from profiler.render.answer import Answer


@dataclass(frozen=True)
class Row:
    """One length of the prompt, and what was found, or why nothing was."""

    value: int
    found: Generation | None
    failure: errors.ProfileError | None = None


_Figure = tuple[str, Callable[[Phase], int]]
_COSTS: Mapping[str, _Figure] = {
    "macs": ("MACs", lambda phase: phase.macs),
    "flops": ("FLOPs", lambda phase: phase.flops),
    "attention_macs": ("attention's MACs", lambda phase: phase.attention_macs),
}
_MEMORY: Mapping[str, _Figure] = {
    "cache_bytes": ("cache in bytes", lambda phase: phase.cache_bytes),
    "peak_memory_bytes": ("peak memory in bytes", lambda phase: phase.peak_memory_bytes),
}
FIGURES: Mapping[str, _Figure] = {**_COSTS, **_MEMORY}  # what may be a polynomial of the context


@dataclass(frozen=True)
class GenerationScan(Answer):
    """A model at several lengths of its prompt; `probes` are lengths beside, that polynomials were confirmed at."""

    model: str
    rows: tuple[Row, ...]
    probes: Mapping[int, Generation]
    phase: str
    columns: tuple[str, ...] = ()

    @property
    def found(self) -> dict[int, Generation]:
        """Of the lengths that could be run."""
        return {row.value: row.found for row in self.rows if row.found is not None}

    @property
    def failures(self) -> list[errors.ProfileError]:
        return [row.failure for row in self.rows if row.failure is not None]

    @property
    def first(self) -> Generation:
        return next(iter(self.found.values()))

    @cached_property
    def polynomials(self) -> Mapping[tuple[str, str], Polynomial | None]:
        """By phase and figure, in the context; those that vary."""
        points = dict(sorted({**self.found, **self.probes}.items()))
        phases: dict[str, dict[int, Phase]] = {}
        for value, found in points.items():
            for phase in found.phases:
                phases.setdefault(phase.name, {})[value] = phase
        return {
            (name, figure): through(values)
            for name, at in phases.items()
            for figure, (_, get) in FIGURES.items()
            if len(set((values := {value: get(phase) for value, phase in at.items()}).values())) > 1
        }
