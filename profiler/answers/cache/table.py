"""How is the content of the cache of traces shown as a table?"""

from __future__ import annotations

from typing import Any

from profiler.answers.cache.compute import TraceCacheContent
from profiler.render.answer import Shown, show
from profiler.render.dates import minute
from profiler.render.tables import Column, Row, Table, Unit

_COLUMNS = (
    Column("model", "Model", Unit.TEXT, lambda trace, _: trace.model or "(damaged)", 0, 60),
    Column("size", "Size", Unit.BYTES, lambda trace, _: trace.size_bytes),
    Column("traced", "Traced", Unit.TEXT, lambda trace, _: _date(trace.recorded)),
    Column("used", "Last used", Unit.TEXT, lambda trace, _: _date(trace.used)),
)


def _date(seconds: float | None) -> str:
    return "" if seconds is None else minute(seconds)


_SUMMARY = (
    Column("traces", "Traces", Unit.EXACT, lambda content, _: len(content.traces)),
    Column("size", "Size", Unit.BYTES, lambda content, _: content.size_bytes),
    Column("bound", "At most", Unit.BYTES, lambda content, _: content.bound_bytes),
    Column("oldest", "Oldest", Unit.TEXT, lambda content, _: _date(next(iter(content.recorded), None))),
    Column("folder", "Folder", Unit.TEXT, lambda content, _: content.folder or _OFF),
)
_OFF = "nothing is kept: PROFILE_MODEL_CACHE is off"


def content_table(content: TraceCacheContent) -> Table:
    removed = () if content.removed is None else (("Removed", content.removed, Unit.EXACT, ""),)
    if content.is_listed:
        return Table(_COLUMNS, _rows(content), removed)
    return Table(_SUMMARY, (Row(tuple(column.get(content, None) for column in _SUMMARY)),), removed)


def _rows(content: TraceCacheContent) -> tuple[Row, ...]:
    return tuple(Row(tuple(column.get(trace, content) for column in _COLUMNS)) for trace in content.traces)


def _data(content: TraceCacheContent) -> dict[str, Any]:
    recorded = content.recorded
    return {
        "folder": content.folder,
        "traces": len(content.traces),
        "size_bytes": content.size_bytes,
        "bound_bytes": content.bound_bytes,
        "removed": content.removed,
        "oldest": recorded[0] if recorded else None,
        "newest": recorded[-1] if recorded else None,
        "entries": [
            {"model": t.model, "size_bytes": t.size_bytes, "traced": t.recorded, "used": t.used} for t in content.traces
        ],
    }


show(
    TraceCacheContent,
    Shown(
        lambda content: [content_table(content)],
        lambda content: Table(_COLUMNS, _rows(content), chosen=True),
        _data,
    ),
)
