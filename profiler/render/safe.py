"""Is every text of a table harmless? Names come from models and files that somebody else wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from profiler.errors import shown
from profiler.render.tables import Table


def safe(table: Table) -> Table:
    """The table with every text of it on one line and harmless: what every format for people, and CSV, writes first."""
    columns = tuple(replace(c, name=shown(c.name), heading=_safe(c.heading)) for c in table.columns)
    rows = tuple(replace(row, values=tuple(map(_safe, row.values)), failure=_safe(row.failure)) for row in table.rows)
    facts = tuple((_safe(label), _safe(value), unit, _safe(remark)) for label, value, unit, remark in table.facts)
    notes = tuple(map(shown, table.notes))
    return replace(table, columns=columns, rows=rows, facts=facts, notes=notes, caption=_safe(table.caption))


def _safe(value: Any) -> Any:
    return shown(value) if isinstance(value, str) else value
