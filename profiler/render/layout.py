"""Where does each text of a table stand on a screen? In lines of pieces, each of which says what part it plays.

Columns stand under each other; what does not fit the width is left out or cut. The plain format joins the pieces, and a
terminal gives them colour.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from profiler.render import grid, numbers
from profiler.render.tables import Caution, Column, Row, Table, Unit


class Role(Enum):
    """What part a piece of text plays."""

    PLAIN = "plain"
    HEADING = "heading"
    QUIET = "quiet"  # a rule, a remark, a zero, what is not known
    LARGE = "large"  # among the largest shares
    BAR = "bar"
    BEST = "best"
    CAUTION = "caution"


class Piece(NamedTuple):
    text: str
    role: Role = Role.PLAIN


Line: TypeAlias = list[Piece]

INDENT = 2
_STAR = "*"
_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_LEAST = 10  # a text column is cut no further
_ESSENTIAL = 3  # the rank from which columns are left out before texts are cut short
_SHORTEST_BAR, _LONGEST_BAR = 8, 24
_LARGEST = 3  # shares of a column that stand out
_NOTABLE = 0.05  # a share that may
_REMEDY = "a wider terminal or a file (-o FILE) has them"


def lines(table: Table, limit: int | None, remedy: str = _REMEDY, has_bars: bool = False) -> list[Line]:
    """A prepared table in lines of `limit` places; None: as many as it takes. remedy: for columns left out.

    has_bars: the last column of shares that are drawn has a bar behind its row, where there is room.
    """
    visible = _with_room(table, limit)
    columns = [table.columns[i] for i in visible]
    cells = _written(table, visible)
    if limit is not None:
        cells = _cut(columns, cells, limit)
        if has_bars:
            table, visible, cells = _with_bars(table, visible, cells, limit)
            columns = [table.columns[i] for i in visible]
    parts = [
        [[Piece(line, Role.HEADING)] for line in _wrapped(table.caption, limit)],
        list(_body(table, visible, cells, limit)),
        list(_facts(table, limit)),
        [
            [Piece(line, Role.CAUTION if isinstance(note, Caution) else Role.PLAIN)]
            for note in table.notes + grid.dropped(table, visible, remedy)
            for line in _wrapped(note, limit)
        ],
    ]
    blank: Line = []
    return [line for part in parts if part for line in (blank, *part)][1:]


def joined(written: Sequence[Line]) -> str:
    """The lines as plain text."""
    return "\n".join("".join(piece.text for piece in line) for line in written)


# Columns --------------------------------------------------------------------------------------------------------------


def _with_room(table: Table, limit: int | None) -> list[int]:
    """The columns that fit: first those that matter less are left out, then texts are cut, then more is left out."""
    if limit is None:
        return list(range(len(table.columns)))
    widths = grid.widths(table.columns, grid.cells(table, indent=INDENT))

    def narrowest(some: Sequence[int], cut_to: int | None = None) -> int:
        """The narrowest these columns can be made, their texts cut to what they allow, or to less."""
        most = [
            widths[i] if table.columns[i].most is None else min(widths[i], cut_to or table.columns[i].most or 0)
            for i in some
        ]
        return sum(most) + grid.BETWEEN * (len(some) - 1)

    few = grid.with_room(table, lambda some: narrowest(some) <= limit, least=_ESSENTIAL)
    return grid.with_room(table, lambda some: narrowest(some, _LEAST) <= limit, few)


def _cut(columns: Sequence[Column], cells: list[list[str]], limit: int) -> list[list[str]]:
    """Shorten the cells of the columns that may be cut, the widest first, until a line fits."""
    widths = grid.widths(columns, cells)
    while sum(widths) + grid.BETWEEN * (len(widths) - 1) > limit:
        soft = [i for i, c in enumerate(columns) if c.most is not None and widths[i] > _LEAST]
        if not soft:
            break
        widths[max(soft, key=lambda i: widths[i])] -= 1
    return [[shortened(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]


def shortened(cell: str, width: int) -> str:
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


# Rows -----------------------------------------------------------------------------------------------------------------


def _body(table: Table, visible: Sequence[int], cells: Sequence[Sequence[str]], limit: int | None) -> Iterator[Line]:
    """Headings, rules and rows; why a row has no values is written over its columns."""
    columns = [table.columns[i] for i in visible]
    widths = grid.widths(columns, cells)
    yield _row(columns, widths, [Piece(column.heading, Role.HEADING) for column in columns])
    yield _row(columns, widths, [Piece("-" * width, Role.QUIET) for width in widths])
    large = _large(table)
    for number, (row, written) in enumerate(zip(table.rows, cells, strict=True)):
        if row.failure is None:
            roles = [_role(row, i, table.columns[i], (number, i) in large) for i in visible]
            yield _row(columns, widths, list(map(Piece, written, roles)))
        else:
            first = padded(written[0], widths[0], is_left=grid.is_left(columns[0]))
            words = first + " " * grid.BETWEEN + grid.failure(row.failure)
            yield [Piece(words if limit is None else shortened(words, limit), Role.CAUTION)]


def _row(columns: Sequence[Column], widths: Sequence[int], pieces: Sequence[Piece]) -> Line:
    """Text to the left, numbers to the right, and no blanks at the end."""
    blank = Piece(" " * grid.BETWEEN)
    line: Line = [blank] * (2 * len(pieces) - 1)
    line[::2] = [
        Piece(padded(piece.text, width, is_left=grid.is_left(column)), piece.role)
        for piece, width, column in zip(pieces, widths, columns, strict=True)
    ]
    while line and not line[-1].text.rstrip():
        line.pop()
    return [*line[:-1], line[-1]._replace(text=line[-1].text.rstrip())] if line else line


def padded(text: str, width: int, is_left: bool = True) -> str:
    """A text with the blanks that it lacks to be so many places wide."""
    blanks = " " * max(width - grid.width(text), 0)
    return text + blanks if is_left else blanks + text


def _with_bars(
    table: Table, visible: list[int], cells: list[list[str]], limit: int
) -> tuple[Table, list[int], list[list[str]]]:
    """The table with one column more, where there is room: the shares of the last column of such, drawn.

    The whole has no bar: it would say nothing, and be the loudest.
    """
    drawn = next((i for i in reversed(range(len(table.columns))) if table.columns[i].is_drawn), None)
    if drawn is None or any(column.unit is Unit.BAR for column in table.columns):
        return table, visible, cells
    is_instead = drawn not in visible and table.columns[visible[-1]].rank >= table.columns[drawn].rank
    kept = visible[:-1] if is_instead and not table.chosen else visible  # a bar says as much in as little room
    taken = sum(grid.widths([table.columns[i] for i in kept], cells)) + grid.BETWEEN * len(kept)
    places = min(limit - taken, _LONGEST_BAR)
    if places < _SHORTEST_BAR:
        return table, visible, cells
    heading = "" if drawn == kept[-1] else table.columns[drawn].heading
    bar = Column("bar", heading, Unit.BAR, lambda *_: None)
    shares = [None if row.failure or row.values[drawn] == 1 else row.values[drawn] for row in table.rows]
    rows = tuple(replace(row, values=(*row.values, share)) for row, share in zip(table.rows, shares, strict=True))
    bars = [numbers.blocks(share or 0, places) for share in shares]
    return (
        replace(table, columns=(*table.columns, bar), rows=rows),
        [*kept, len(table.columns)],
        [[*written[: len(kept)], drawn_share] for written, drawn_share in zip(cells, bars, strict=True)],
    )


def _large(table: Table) -> set[tuple[int, int]]:
    """The cells with the largest shares of the whole, among rows that no other row is a part of; none that are many."""
    rows = [*table.rows, Row((), 0)]
    leaves = [i for i, row in enumerate(table.rows) if rows[i + 1].depth <= row.depth and row.failure is None]
    large = set()
    for column in (i for i, column in enumerate(table.columns) if column.is_drawn):
        shares = {i: round(table.rows[i].values[column] or 0, 3) for i in leaves}  # as they are written
        among = sorted(shares.values(), reverse=True)
        least = max(_NOTABLE, among[_LARGEST] if len(among) > _LARGEST else 0)
        large |= {(i, column) for i, share in shares.items() if least < share < 1}
    return large


def _role(row: Row, i: int, column: Column, is_large: bool) -> Role:
    if i in row.best:
        return Role.BEST
    if column.unit is Unit.BAR:
        return Role.BAR
    if is_large:
        return Role.LARGE
    return Role.QUIET if not grid.is_left(column) and _is_nothing(row.values[i]) else Role.PLAIN


def _is_nothing(value: Any) -> bool:
    value = value[0] if isinstance(value, tuple) and value else value
    return value is None or value == 0


def _written(table: Table, visible: Sequence[int]) -> list[list[str]]:
    """The cells with a star behind the best of a column, and decimal points under each other."""
    cells = grid.cells(table, visible, INDENT)
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


# Below the rows -------------------------------------------------------------------------------------------------------


def _wrapped(note: str, limit: int | None) -> list[str]:
    if limit is None or not note:
        return [note] if note else []
    return textwrap.wrap(note, limit, subsequent_indent="  ", break_long_words=False)


def _facts(table: Table, limit: int | None) -> Iterator[Line]:
    written = [(label, numbers.text(value, unit), remark) for label, value, unit, remark in table.facts]
    labels = max((len(label) for label, *_ in written), default=0)
    values = max((len(value) for _, value, _ in written), default=0)
    for label, value, remark in written:
        line = [Piece(f"{label:{labels}}  {value:>{values}}".rstrip())]
        if remark:
            line = [Piece(f"{label:{labels}}  {value:>{values}}"), Piece(f"  {remark}", Role.QUIET)]
        whole = "".join(piece.text for piece in line)
        is_long = limit is not None and len(whole) > limit
        yield from [[Piece(part)] for part in _wrapped(whole, limit)] if is_long else [line]
