"""What does a language model cost where it generates text? A prompt, a token more, and so many new tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.answers.generate.phases import Phase, Steps
from profiler.figures.cache import by_kind
from profiler.figures.profile import Profile
from profiler.records.conditions import BOTH
from profiler.render.answer import Answer

if TYPE_CHECKING:
    from profiler.answers.generate.choices import Choices
    from profiler.answers.generate.serving import Serving


@dataclass(frozen=True)
class Generation(Answer):
    """A model's phases: those that were asked for, and the decode steps of `new` tokens.

    prefill: the run that reads the prompt.
    decode: the step that writes one token after it; None of a phase that was not asked for.
    new: all decode steps of `new_tokens`; None where they were not asked for.
    phase: which were asked for: "prefill", "decode" or "both".
    columns: what is shown.
    middle: the decode step in the midst of `new`; None where it was not asked for.
    serving: the same on devices that share the model; None where it was not asked for.
    choices: which devices hold it; None where it was not asked for.
    positions: how many tokens of a sequence the model has positions for; None where it does not say.
    """

    prefill: Phase
    decode: Phase | None = None
    new: Steps | None = None
    phase: str = BOTH
    columns: tuple[str, ...] = ()
    middle: Phase | None = None
    serving: Serving | None = None
    choices: Choices | None = None
    positions: int | None = None

    @property
    def phases(self) -> list[Phase]:
        """Those that were asked for."""
        both = (self.prefill, self.decode)
        return [phase for phase in both if phase is not None and self.phase in (phase.name, BOTH)]

    @property
    def first(self) -> Profile:
        """The first phase that was asked for."""
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
        """The same by the kind of the cache."""
        if self.decode is None:
            return None
        before, sequences = by_kind(self.prefill.trace), self.prefill.sequences
        return {kind: (size - before.get(kind, 0)) // sequences for kind, size in by_kind(self.decode.trace).items()}

    @property
    def weight_bytes(self) -> dict[str, int]:
        """Of parameters, by their dtype."""
        sizes: Counter[str] = Counter()
        for weight in self.prefill.trace.parameters:
            if weight.same_as is None:
                sizes[weight.tensor.dtype] += weight.tensor.size_bytes
        return dict(sizes)
