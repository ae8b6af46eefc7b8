"""What is a model's row? All its totals as plain values by the names of columns; or why there are none.

It is made in a process of its own, which runs this file as a program: see `engine.processes.child`.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from profiler import errors, sources
from profiler.answers.common.tracing import traced
from profiler.answers.models.compute import Entry
from profiler.answers.models.table import MODEL_COLUMNS, TIME_COLUMNS
from profiler.engine.processes.child import serve
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile
from profiler.records.conditions import Conditions
from profiler.records.spec import Feed, Published
from profiler.records.times import Timer
from profiler.records.trace import Trace
from profiler.render.formats.csv import raw
from profiler.render.tables import Unit
from profiler.sources.trace_cache.cache import TraceCache
from profiler.sources.trace_cache.key import key
from profiler.sources.trace_cache.watching import watching

OK, FAILED = "ok", "failed"  # and the three of `engine.processes.child`
WORD, PUBLISHED = "time_word", "published"  # keys that are no columns
RECORDED = "recorded"  # likewise: when the trace was recorded that was looked up, which is no part of a row
# A size of each model alone. What would be seen against another one is no figure of a row.
_AGAINST_ANOTHER = (Unit.TIMES, Unit.DIFFERENCE)
FIGURES = tuple(
    column
    for column in MODEL_COLUMNS.values()
    if column.unit not in _AGAINST_ANOTHER and column.name not in (*TIME_COLUMNS, "model", "spec", "zeros")
)
TIMES = tuple(MODEL_COLUMNS[name] for name in TIME_COLUMNS if MODEL_COLUMNS[name].unit not in _AGAINST_ANOTHER)
_COLLECT_AFTER = 200_000  # allocations, as the command has it


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row is to be of. folder: the current one, if it is there. trace_cache: that of kept traces."""

    spec: str
    feed: Feed
    under: Conditions
    conventions: tuple[str, ...]
    timers: tuple[Timer, ...]
    published: bool
    folder: str
    trace_cache: str | None = None

    def to_bytes(self) -> bytes:
        return pickle.dumps(self)


def suffixes(names: Sequence[str]) -> tuple[str, ...]:
    """What a column's name ends in, for each of several conventions or devices; nothing where there is one."""
    if len(names) < 2:
        return ("",) * len(names)
    return tuple("_" + "".join(c if c.isalnum() else "_" for c in os.path.basename(name)) for name in names)


def row(asked: Asked) -> dict[str, Any]:
    """A model's row; a model's failure is its row as well."""
    kept = None if asked.trace_cache is None else TraceCache(asked.trace_cache)
    try:
        with at_work(asked.spec):
            trace = traced(asked.spec, asked.feed, asked.under, trace_cache=kept)
            looked_up = {RECORDED: kept.used[0]} if kept is not None and kept.used else {}
            return {"status": OK, "reason": None, **dict(_values(asked, trace)), **looked_up}
    except errors.ProfileError as error:
        return failure(FAILED, str(error))
    except Exception as error:  # a bug of ours, which shall cost one row
        return failure(FAILED, str(_our_bug(asked.spec, error)))


def failure(status: str, reason: str) -> dict[str, Any]:
    return {"status": status, "reason": reason}


def _values(asked: Asked, trace: Trace) -> Iterator[tuple[str, Any]]:
    first, *others = asked.conventions
    profile = Profile(trace, first)
    entry = Entry(asked.spec, asked.spec, profile)
    for column in FIGURES:
        value = column.get(entry, entry)
        yield column.name, None if value is None else raw(value, column.unit)
    for name, suffix in zip(others, suffixes(asked.conventions)[1:], strict=True):
        yield f"flops{suffix}", Profile(trace, name).totals.flops
    yield from _times(asked, profile)
    if asked.published:
        yield PUBLISHED, _plain_published(sources.published(trace, profile.totals.params))


def _times(asked: Asked, profile: Profile) -> Iterator[tuple[str, Any]]:
    for timer, suffix in zip(asked.timers, suffixes([timer.name for timer in asked.timers]), strict=True):
        entry = Entry(asked.spec, asked.spec, profile.on(timer))
        yield f"{WORD}{suffix}", None if entry.times is None else entry.times.word
        for column in TIMES:
            yield f"{column.name}{suffix}", column.get(entry, entry)


def _plain_published(answer: Published | str) -> Any:
    if isinstance(answer, str):
        return answer
    return [answer.weights, [[data, name, value] for (data, name), value in answer.figures.items()]]


def published(value: Any) -> Published | str:
    """What `PUBLISHED` has in a row, as it was before it was plain."""
    if isinstance(value, str):
        return value
    return Published(value[0], {(data, name): figure for data, name, figure in value[1]})


def dumped(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode()


def _prepare(request: bytes) -> None:
    """Before the first model that is run: what takes seconds to import. What is read meanwhile is part of each run."""
    asked: Asked = pickle.loads(request)
    place = None if asked.trace_cache is None else key(asked.spec, asked.feed, asked.under, or_held=False)
    is_kept = asked.trace_cache is not None and place is not None and TraceCache(asked.trace_cache).has(place)
    if sources.needs_torch(asked.spec) and not is_kept:
        with nullcontext() if place is None else watching(place.origin), suppress(ImportError):
            import profiler.engine.run.running  # noqa: F401


def _work(request: bytes) -> bytes:
    asked: Asked = pickle.loads(request)
    with suppress(OSError):
        os.chdir(asked.folder)
    return dumped(row(asked))


# Error messages -------------------------------------------------------------------------------------------------------


def _our_bug(spec: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"{spec} cannot be profiled, for a mistake of ours ({type(error).__name__}: {errors.first_line(error)}"
        f"{errors.place(error)}); please report it with the output of profile-model {spec}"
    )


if __name__ == "__main__":
    gc.set_threshold(_COLLECT_AFTER, 50, 100)
    serve(_work, _prepare)
