"""What do the formats share? Cells as text, their layout by tabulate, and which columns there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from profiler.render import numbers
from profiler.render.shown import SHORT, with_notes
from profiler.render.tables import Column, Table, Tabled, Unit

Answers: TypeAlias = Callable[[Tabled, str], str]

LEFT = (Unit.TEXT, Unit.SHAPE, Unit.BAR)
BETWEEN = 2  # blanks between columns
NARROW = dict.fromkeys(map(ord, "×→·≤≥…²µ—–\u00a0█▉▊▋▌▍▎▏"), "-")  # signs of our own, each of which takes one place


def answers(write: Callable[[Table], str], is_paper: bool = False) -> Answers:
    """`answer` of a format for people: one table after another, each with the notes that are wanted."""

    def answer(answer: Tabled, notes: str = SHORT) -> str:
        tables = answer.paper_tables() if is_paper else answer.tables()
        return "\n\n".join(write(with_notes(table, notes)) for table in tables)

    return answer


def cells(table: Table, visible: Sequence[int] | None = None, indent: int = 0) -> list[list[str]]:
    """The rows as text; the first column is indented by the row's depth."""
    columns = range(len(table.columns)) if visible is None else visible
    return [
        [
            (" " * (indent * row.depth) if position == 0 else "") + numbers.text(row.values[i], table.columns[i].unit)
            for position, i in enumerate(columns)
        ]
        for row in table.rows
    ]


def failure(reason: str) -> str:
    """What stands in a row that has no values."""
    return f"failed: {reason}"


def is_left(column: Column) -> bool:
    return column.unit in LEFT


def width(text: str) -> int:
    """How many places a text takes on a screen."""
    if text.isascii() or text.translate(NARROW).isascii():
        return len(text)  # of letters: what has no place of its own is written as an escape
    from wcwidth import wcswidth  # takes 40 ms to import, which names and figures alone do not need

    return wcswidth(text)


def widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """How many places each column takes on a screen."""
    return [max([width(c.heading), *(width(row[i]) for row in rows)]) for i, c in enumerate(columns)]


def tabulated(
    rows: Sequence[Sequence[str]], columns: Sequence[Column], format: str, headings: Sequence[str] = ()
) -> str:
    """Through tabulate, in one of its formats: text to the left, numbers to the right, cells as they are."""
    from tabulate import tabulate  # takes as long as the above

    return tabulate(
        rows,
        headings,
        format,
        colalign=["left" if is_left(column) else "right" for column in columns] if rows else None,
        disable_numparse=True,
        preserve_whitespace=True,
    )


def missing_decimals(values: Sequence[Any], written: Sequence[str]) -> list[str]:
    """What each cell lacks at its end, as ".00", for all decimal points of a column to stand under each other."""
    ends = [
        cell[cell.rindex(".") :] if "." in cell and isinstance(value, (int, float, Decimal)) else ""
        for value, cell in zip(values, written, strict=True)
    ]
    longest = max(map(len, ends), default=0)
    lacks = [("." if not end else "") + "0" * (longest - max(len(end), 1)) for end in ends]
    return [
        lack if longest and isinstance(value, (int, float, Decimal)) else ""
        for value, lack in zip(values, lacks, strict=True)
    ]


def with_room(
    table: Table, fits: Callable[[Sequence[int]], bool], among: Sequence[int] | None = None, least: int = 1
) -> list[int]:
    """The columns there is room for: those of the highest rank go first, the rightmost of them first of all.

    among: those there still are. least: the rank below which a column stays, whether there is room or not.
    """
    columns = list(range(len(table.columns)) if among is None else among)
    while not table.chosen and not fits(columns):
        last = max(columns, key=lambda i: (table.columns[i].rank, i))
        if table.columns[last].rank < least:
            break
        columns.remove(last)
    return columns


def dropped(table: Table, columns: Sequence[int], remedy: str) -> tuple[str, ...]:
    """The note on columns that there was no room for, and how they are seen."""
    names = [c.name for i, c in enumerate(table.columns) if i not in columns]
    return (f"Not shown for want of room: {', '.join(names)}; {remedy}.",) if names else ()
