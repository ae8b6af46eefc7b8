"""How is a table written as plain text? As an indented tree that fits the screen, with the totals under it."""

from __future__ import annotations

from profiler.render import grid, layout, screen
from profiler.render.shown import prepared
from profiler.render.tables import Table

SUFFIXES = (".txt",)


def write(table: Table, width: int | None = None) -> str:
    """The table in `width` columns (default: the terminal's; no limit when the output is not a terminal)."""
    return layout.joined(layout.lines(prepared(table), screen.width() if width is None else width))


answer = grid.answers(write)
