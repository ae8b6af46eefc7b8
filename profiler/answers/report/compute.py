"""What does a report show? One model, several side by side, or what changed from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from profiler.answers.diff.compute import Diff
from profiler.answers.layers.compute import Layers
from profiler.answers.memory.compute import MemoryReport
from profiler.answers.models.compute import Comparison, Entry
from profiler.answers.time.compute import TimeReport
from profiler.figures.profile import Profile
from profiler.render.answer import Answer


@dataclass(frozen=True, slots=True)
class Report(Answer):
    """A page about the models that ran. subject: what it shows besides each of them; None for one model alone.

    columns: of layers, that are shown at first; by default the usual ones.
    """

    entries: tuple[Entry, ...]
    subject: Comparison | Diff | None = None
    caption: str = ""
    columns: tuple[str, ...] = ()

    @property
    def profiles(self) -> list[Profile]:
        return [entry.profile for entry in self.entries if entry.profile is not None]

    @property
    def title(self) -> str:
        if self.caption:
            return self.caption
        labels = [entry.label for entry in self.entries]
        if isinstance(self.subject, Diff):
            return " → ".join(labels)
        most = 3
        return ", ".join(labels[:most]) + f" and {len(labels) - most} more" * (len(labels) > most)


def reported(answer: Any, title: str = "") -> Any:
    """The page about what an answer is about; the answer itself, where it is about something else.

    Some of a model's layers, chosen or sorted, are a table, and stay one.
    """
    if isinstance(answer, Comparison):
        return Report(answer.entries, answer, title or answer.layout.caption)
    if isinstance(answer, Diff):
        return Report(_entries([answer.before, answer.after]), answer, title)
    if isinstance(answer, (Layers, TimeReport)):
        view = answer.view
        if view.is_flat or view.depth is not None:
            return answer
        return Report(_entries([answer.profile]), None, title or view.caption, tuple(view.columns))
    if isinstance(answer, MemoryReport):
        answer = answer.profile
    return Report(_entries([answer]), None, title) if isinstance(answer, Profile) else answer


def _entries(profiles: Sequence[Profile]) -> tuple[Entry, ...]:
    return tuple(Entry(profile.model, profile.model, profile) for profile in profiles)
