"""How is a table written for a terminal? As an indented tree that fits the screen, with the totals under it."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence

from profiler.records.files import writing
from profiler.render import grid, numbers
from profiler.render.shown import prepared
from profiler.render.tables import Column, Table, Unit

SUFFIXES = (".txt",)
_INDENT = 2
_STAR = "*"
_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_LEAST = 10  # a text column is cut no further
_ESSENTIAL = 3  # the rank from which columns are left out before texts are cut short


def write(table: Table, width: int | None = None) -> str:
    """The table in `width` columns (default: the terminal's; no limit when the output is not a terminal)."""
    table = prepared(table)
    limit = _screen() if width is None else width
    visible = _with_room(table, limit)
    columns = [table.columns[i] for i in visible]
    cells = _written(table, visible)
    if limit is not None:
        cells = _cut(columns, cells, limit)
    parts = [_wrapped(table.caption, limit)] if table.caption else []
    parts += ["\n".join(_lines(table, columns, cells, limit))]
    parts += [_facts(table, limit)] if table.facts else []
    parts += [
        "\n".join(
            _wrapped(note, limit)
            for note in table.notes + grid.dropped(table, visible, "a wider terminal or a file (-o FILE) has them")
        )
    ]
    return "\n\n".join(part for part in parts if part)


answer = grid.answers(write)


def _with_room(table: Table, limit: int | None) -> list[int]:
    """The columns that fit: first those that matter less are left out, then texts are cut, then more is left out."""
    if limit is None:
        return list(range(len(table.columns)))
    few = grid.with_room(table, lambda some: _least(table, some) <= limit, least=_ESSENTIAL)
    return grid.with_room(table, lambda some: _least(table, some, _LEAST) <= limit, few)


def _least(table: Table, visible: Sequence[int], cut_to: int | None = None) -> int:
    """The narrowest a table can be made, its texts cut to what their columns allow, or to less."""
    columns = [table.columns[i] for i in visible]
    widths = grid.widths(columns, grid.cells(table, visible, _INDENT))
    most = [
        width if column.most is None else cut_to or column.most for width, column in zip(widths, columns, strict=True)
    ]
    return sum(map(min, widths, most)) + grid.BETWEEN * (len(visible) - 1)


def _lines(table: Table, columns: Sequence[Column], cells: Sequence[Sequence[str]], limit: int | None) -> Iterator[str]:
    """Headings, rules and rows; why a row has no values is written over its columns."""
    widths = grid.widths(columns, cells)
    headings, rules = [column.heading for column in columns], ["-" * width for width in widths]
    shown = [
        written if row.failure is None else [written[0], *[""] * (len(columns) - 1)]
        for row, written in zip(table.rows, cells, strict=True)
    ]
    lines = iter(grid.tabulated([headings, rules, *shown], columns, "plain").splitlines())
    yield from (next(lines), next(lines))
    for row, line in zip(table.rows, lines, strict=True):
        if row.failure is None:
            yield line
        else:
            blanks = " " * (widths[0] - grid.width(line) + grid.BETWEEN)
            words = f"{line}{blanks}{grid.failure(row.failure)}"
            yield words if limit is None else _shortened(words, limit)


def _written(table: Table, visible: Sequence[int]) -> list[list[str]]:
    """The cells with a star behind the best of a column, and decimal points under each other."""
    cells = grid.cells(table, visible, _INDENT)
    starred = {i for row in table.rows for i in row.best}
    for position, i in enumerate(visible):
        lacks = _lacking(table, i, [row[position] for row in cells])
        for row, written, lack in zip(table.rows, cells, lacks, strict=True):
            star = _STAR if i in row.best else " " * (i in starred)
            written[position] += star + lack
    return cells


def _lacking(table: Table, i: int, cells: Sequence[str]) -> list[str]:
    """Blanks for the decimals that a number lacks, where numbers were written by others; ours have as many each."""
    if table.columns[i].unit is not Unit.NUMBER:
        return [""] * len(cells)
    return [" " * len(lack) for lack in grid.missing_decimals([row.values[i] for row in table.rows], cells)]


def _wrapped(note: str, limit: int | None) -> str:
    return note if limit is None else textwrap.fill(note, limit, subsequent_indent="  ", break_long_words=False)


def _screen() -> int | None:
    """The terminal's width; None where the output goes to a file or a pipe."""
    stdout = writing.stdout()
    is_terminal = stdout is not None and stdout.isatty()  # it is None where the shell has closed it
    if is_terminal or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def _cut(columns: Sequence[Column], cells: list[list[str]], limit: int) -> list[list[str]]:
    """Shorten the cells of the columns that may be cut, the widest first, until a line fits."""
    widths = grid.widths(columns, cells)
    while sum(widths) + grid.BETWEEN * (len(widths) - 1) > limit:
        soft = [i for i, c in enumerate(columns) if c.most is not None and widths[i] > _LEAST]
        if not soft:
            break
        widths[max(soft, key=lambda i: widths[i])] -= 1
    return [[_shortened(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]


def _shortened(cell: str, width: int) -> str:
    """A text that ends early; of a path its end, which tells layers apart."""
    if grid.width(cell) <= width:
        return cell
    if _PATH.fullmatch(cell):
        return f"…{_start(cell[::-1], width - 1)[::-1]}"
    return f"{_start(cell, width - 1)}…"


def _start(text: str, width: int) -> str:
    text = text[: 4 * width]  # so that a name without end takes no time
    while grid.width(text) > width:
        text = text[:-1]
    return text


def _facts(table: Table, limit: int | None) -> str:
    written = [(label, numbers.text(value, unit), remark) for label, value, unit, remark in table.facts]
    labels, values = max(len(label) for label, *_ in written), max(len(value) for _, value, _ in written)
    lines = (f"{label:{labels}}  {value:>{values}}  {remark}".rstrip() for label, value, remark in written)
    return "\n".join(line if limit is None or len(line) <= limit else _wrapped(line, limit) for line in lines)
