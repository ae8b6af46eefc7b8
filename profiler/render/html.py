"""HTML: what a notebook shows."""

from __future__ import annotations

from html import escape

from profiler.render import grid, numbers
from profiler.tables import Table

SUFFIXES = (".html", ".htm")
_INDENT = "\u2003"  # an em space, which HTML does not fold


def _render(table: Table) -> str:
    rows = [
        [_INDENT * row.depth + cells[0], *cells[1:]] for row, cells in zip(table.rows, grid.cells(table), strict=True)
    ]
    facts = "".join(
        f"<tr><th style='text-align: left'>{escape(label)}</th><td style='text-align: right'>"
        f"{escape(numbers.text(value, unit))}</td><td style='text-align: left'>{escape(remark)}</td></tr>"
        for label, value, unit, remark in table.facts
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    main = grid.tabulated([c.heading for c in table.columns], rows, table.columns, "html")
    return f"{main}\n{f'<table>{facts}</table>' if facts else ''}\n{notes}"


layers, models = grid.dressed(_render)
