"""How is the content of the cache of traces shown as a table?"""

from __future__ import annotations

from collections.abc import Iterator
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


def content_table(content: TraceCacheContent) -> Table:
    return Table(_COLUMNS, _rows(content) if content.is_listed else (), tuple(_facts(content)))


def _rows(content: TraceCacheContent) -> tuple[Row, ...]:
    return tuple(Row(tuple(column.get(trace, content) for column in _COLUMNS)) for trace in content.traces)


def _facts(content: TraceCacheContent) -> Iterator[tuple[str, Any, Unit, str]]:
    if content.folder is None:
        yield "Traces", 0, Unit.EXACT, "nothing is kept: PROFILE_MODEL_CACHE is off"
        return
    if content.removed is not None:
        yield "Removed", content.removed, Unit.EXACT, ""
    yield "Traces", len(content.traces), Unit.EXACT, f"in {content.folder}"
    yield "Size", content.size_bytes, Unit.BYTES, ""
    yield "Bound", content.bound_bytes, Unit.BYTES, "beyond it, those that were not used for longest go"
    if content.recorded:
        yield "Traced", f"from {minute(content.recorded[0])} to {minute(content.recorded[-1])}", Unit.TEXT, ""


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
