"""HTML: what a notebook shows."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from profiler.render import grid, numbers
from profiler.tables import Row, Table

SUFFIXES = (".html", ".htm")
_INDENT = "\u2003"  # an em space, which HTML does not fold


def write(table: Table) -> str:
    facts = "".join(
        f"<tr>{_cell('th', label, True)}{_cell('td', numbers.text(value, unit), False)}{_cell('td', remark, True)}</tr>"
        for label, value, unit, remark in table.facts
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return "\n".join(part for part in [*_table(table), f"<table>{facts}</table>" * bool(facts), notes] if part)


def _table(table: Table) -> Iterator[str]:
    left = [grid.is_left(column) for column in table.columns]
    yield f'<table id="{escape(table.anchor)}">' if table.anchor else "<table>"
    if table.caption:
        yield f"<caption>{escape(table.caption)}</caption>"
    headings = (_cell("th", column.heading, is_left) for column, is_left in zip(table.columns, left, strict=True))
    yield f"<thead>\n<tr>{''.join(headings)}</tr>\n</thead>\n<tbody>"
    for row, cells in zip(table.rows, grid.cells(table), strict=True):
        yield f"<tr>{_row(row, [_INDENT * row.depth + cells[0], *cells[1:]], left)}</tr>"
    yield "</tbody>\n</table>"


def _row(row: Row, cells: list[str], left: list[bool]) -> str:
    if row.failure is not None:
        rest = len(cells) - 1
        reason = escape(grid.failure(row.failure))
        return _cell("td", cells[0], True) + f'<td colspan="{max(rest, 1)}" style="text-align: left">{reason}</td>'
    marked = enumerate(zip(cells, left, strict=True))
    return "".join(_cell("td", cell, is_left, bold=i in row.best) for i, (cell, is_left) in marked)


def _cell(tag: str, text: str, left: bool, bold: bool = False) -> str:
    words = f"<b>{escape(text)}</b>" if bold else escape(text)
    return f'<{tag} style="text-align: {"left" if left else "right"}">{words}</{tag}>'


layers, models = grid.dressed(write)
accounts = grid.statements(write)
diff = grid.differences(write)
