"""How is a decode step run at any context? Step by step where that is near, else after a prompt of that length."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from profiler.answers.generate.phases import Phase
from profiler.figures.profile import Profile
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from profiler.engine.run.phases import Phases

_NEAR = 4  # decode steps that are run before a prompt of another length is


class DecodeSteps:
    """Runs a decode step at a context, which is at least that of the prompt."""

    def __init__(self, phases: Phases, profile: Callable[[Trace], Profile]) -> None:
        self._phases = self._latest = phases
        self._profile = profile

    def __call__(self, context: int) -> Phase:
        if not 0 <= context - self._latest.context <= _NEAR:
            self._latest = self._phases.at(context)
            self._latest.prefill()
        while self._latest.context < context:
            self._latest.decode()
        return Phase(self._profile(self._latest.decode()))
