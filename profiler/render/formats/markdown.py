"""How is a table written in Markdown, as GitHub renders it?"""

from __future__ import annotations

from typing import Any

from profiler.render import grid, numbers
from profiler.render.shown import prepared
from profiler.render.tables import Row, Table, Unit

SUFFIXES = (".md", ".markdown")
_INDENT = "&nbsp;&nbsp;"
_SPECIAL = "\\|_*<>`[]~$#"  # on GitHub, $ begins a formula, ~ strikes out, and #1 is an issue


def write(table: Table) -> str:
    table = prepared(table)
    headings = [_escaped(column.heading) for column in table.columns]
    rows = [_row(row, cells) for row, cells in zip(table.rows, grid.cells(table), strict=True)]
    lines = grid.tabulated(rows, table.columns, "pipe", headings)
    facts = [_fact(*fact) for fact in table.facts]
    caption = f"**{_escaped(table.caption)}**" if table.caption else ""
    notes = "\n".join(f"- {_escaped(note)}" for note in table.notes)
    return "\n\n".join(part for part in [caption, lines, "\n".join(facts), notes] if part)


def _fact(label: str, value: Any, unit: Unit, remark: str) -> str:
    written = numbers.text(value, unit)
    words = _escaped(written) if isinstance(value, str) else written
    return f"- {_escaped(label)}: {words}" + (f" ({_escaped(remark)})" if remark else "")


def _row(row: Row, cells: list[str]) -> list[str]:
    """A row that has no values has the reason in its second cell, or behind its name where there is but one."""
    written = [_INDENT * row.depth + _escaped(cells[0]), *map(_escaped, cells[1:])]
    if row.failure is not None:
        reason = _escaped(grid.failure(row.failure))
        return [written[0], reason, *[""] * (len(cells) - 2)] if len(cells) > 1 else [f"{written[0]} {reason}"]
    return [f"**{cell}**" if i in row.best else cell for i, cell in enumerate(written)]


def _escaped(cell: str) -> str:
    return "".join(f"\\{c}" if c in _SPECIAL else "&amp;" if c == "&" else c for c in cell)


answer = grid.answers(write)
