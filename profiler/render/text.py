"""For a person at a terminal: an indented tree that fits the screen, and the totals under it."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from profiler.profiles import Profile
from profiler.render import grid, numbers
from profiler.tables import Column, Table, View, layer_table, model_table

SUFFIXES = (".txt",)
_BETWEEN = 2  # blanks between columns
_INDENT = 2
_LEAST = 10  # a text column is cut no further


def layers(profile: Profile, view: View | None = None) -> str:
    return render(layer_table(profile, view), may_drop=not (view and view.columns))


def models(profiles: Sequence[Profile], columns: Sequence[str] = ()) -> str:
    return render(model_table(profiles, columns), may_drop=not columns)


def render(table: Table, may_drop: bool, width: int | None = None) -> str:
    """The table in `width` columns (default: the terminal's; no limit when the output is not a terminal)."""
    limit = _screen() if width is None else width
    kept = _kept(table, limit) if may_drop else list(range(len(table.columns)))
    cells = grid.cells(table, kept, indent=_INDENT)
    columns = [table.columns[i] for i in kept]
    if limit is not None:
        cells = _cut(columns, cells, limit)
    parts = [grid.ruled([c.heading for c in columns], cells, columns)]
    parts += [_facts(table, limit)] if table.facts else []
    parts += ["\n".join(_wrapped(note, limit) for note in table.notes + _dropped(table, kept))]
    return "\n\n".join(part for part in parts if part)


def _wrapped(note: str, limit: int | None) -> str:
    return note if limit is None else textwrap.fill(note, limit, subsequent_indent="  ", break_long_words=False)


def _screen() -> int | None:
    """The terminal's width; None where the output goes to a file or a pipe."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def _kept(table: Table, limit: int | None) -> list[int]:
    """The columns for a screen: those of the highest rank go first, the rightmost of them first of all."""
    kept = list(range(len(table.columns)))
    while limit is not None and _least(table, kept) > limit:
        last = max(kept, key=lambda i: (table.columns[i].rank, i))
        if table.columns[last].rank == 0:
            break
        kept.remove(last)
    return kept


def _least(table: Table, kept: Sequence[int]) -> int:
    """The narrowest a table can be made without cutting more than its columns allow."""
    columns = [table.columns[i] for i in kept]
    widths = grid.widths(columns, grid.cells(table, kept, _INDENT))
    return sum(min(w, c.most or w) for w, c in zip(widths, columns, strict=True)) + _BETWEEN * (len(kept) - 1)


def _cut(columns: Sequence[Column], cells: list[list[str]], limit: int) -> list[list[str]]:
    """Shorten the cells of the columns that may be cut, the widest first, until a line fits."""
    widths = grid.widths(columns, cells)
    while sum(widths) + _BETWEEN * (len(widths) - 1) > limit:
        soft = [i for i, c in enumerate(columns) if c.most is not None and widths[i] > _LEAST]
        if not soft:
            break
        widths[max(soft, key=lambda i: widths[i])] -= 1
    return [[_shortened(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]


def _shortened(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _facts(table: Table, limit: int | None) -> str:
    written = [(label, numbers.text(value, unit), remark) for label, value, unit, remark in table.facts]
    labels, values = max(len(label) for label, *_ in written), max(len(value) for _, value, _ in written)
    lines = (f"{label:{labels}}  {value:>{values}}  {remark}".rstrip() for label, value, remark in written)
    return "\n".join(line if limit is None or len(line) <= limit else _wrapped(line, limit) for line in lines)


def _dropped(table: Table, kept: Sequence[int]) -> tuple[str, ...]:
    names = [c.name for i, c in enumerate(table.columns) if i not in kept]
    return (f"Not shown for want of room: {', '.join(names)}; choose with --columns.",) if names else ()
