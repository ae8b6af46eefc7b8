"""Markdown, as GitHub renders it."""

from __future__ import annotations

from profiler.render import grid, numbers
from profiler.tables import Table

SUFFIXES = (".md", ".markdown")
_INDENT = "&nbsp;&nbsp;"


def _render(table: Table) -> str:
    rows = [
        [_INDENT * row.depth + _escaped(cells[0]), *map(_escaped, cells[1:])]
        for row, cells in zip(table.rows, grid.cells(table), strict=True)
    ]
    parts = [grid.tabulated([_escaped(c.heading) for c in table.columns], rows, table.columns, "github")]
    facts = [
        f"- {label}: {numbers.text(v, unit)}{f' ({remark})' if remark else ''}"
        for label, v, unit, remark in table.facts
    ]
    parts += ["\n".join(facts), "\n".join(f"- {_escaped(note)}" for note in table.notes)]
    return "\n\n".join(part for part in parts if part)


def _escaped(cell: str) -> str:
    for character in "\\|_*<>`[]":
        cell = cell.replace(character, f"\\{character}")
    return cell


layers, models = grid.dressed(_render)
