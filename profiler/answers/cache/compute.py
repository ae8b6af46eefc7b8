"""What is in the cache of traces? As an answer with its table."""

from __future__ import annotations

from dataclasses import dataclass

from profiler.render.answer import Answer
from profiler.sources.trace_cache import folder as folders


@dataclass(frozen=True, slots=True)
class KeptTrace:
    """One trace. recorded, used: in seconds since 1970. model, recorded: None of a file that is damaged."""

    model: str | None
    size_bytes: int
    recorded: float | None
    used: float


@dataclass(frozen=True, slots=True)
class TraceCacheContent(Answer):
    """What is kept, those that were used last first. removed: how many traces were cleared away just now.

    folder: None where nothing is to be kept. bound_bytes: beyond it, those that were not used for longest go.
    is_listed: whether each trace is shown.
    """

    folder: str | None
    traces: tuple[KeptTrace, ...]
    bound_bytes: int = folders.BOUND
    removed: int | None = None
    is_listed: bool = False

    @property
    def size_bytes(self) -> int:
        return sum(trace.size_bytes for trace in self.traces)

    @property
    def recorded(self) -> list[float]:
        return sorted(trace.recorded for trace in self.traces if trace.recorded is not None)


def content(is_listed: bool = False, clears: bool = False) -> TraceCacheContent:
    """What there is, after it was cleared where it is to be."""
    place = folders.place()
    removed = folders.clear(place) if clears and place is not None else None
    files = [] if place is None else sorted(folders.files(place), key=lambda file: -file.used)
    return TraceCacheContent(place, tuple(map(_trace, files)), removed=removed, is_listed=is_listed)


def _trace(file: folders.KeptFile) -> KeptTrace:
    entry = file.entry()
    if entry is None:
        return KeptTrace(None, file.size_bytes, None, file.used)
    return KeptTrace(entry.model, file.size_bytes, entry.recorded, file.used)
