"""What the formats share: cells as text, their layout by tabulate, and which columns there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from tabulate import tabulate
from wcwidth import wcswidth

from profiler.render import numbers
from profiler.render.tables import Column, Table, Tabled, Unit

Answers: TypeAlias = Callable[[Tabled], str]

LEFT = (Unit.TEXT, Unit.SHAPE, Unit.BAR)
BETWEEN = 2  # blanks between columns


def answers(write: Callable[[Table], str]) -> Answers:
    """`answer` of a format for people: one table after another."""

    def answer(found: Tabled) -> str:
        return "\n\n".join(map(write, found.tables()))

    return answer


def cells(table: Table, kept: Sequence[int] | None = None, indent: int = 0) -> list[list[str]]:
    """The rows as text; the first column is indented by the row's depth."""
    columns = range(len(table.columns)) if kept is None else kept
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


def widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """How many places each column takes on a screen."""
    return [max([wcswidth(c.heading), *(wcswidth(row[i]) for row in rows)]) for i, c in enumerate(columns)]


def tabulated(
    rows: Sequence[Sequence[str]], columns: Sequence[Column], format: str, headings: Sequence[str] = ()
) -> str:
    """Through tabulate, in one of its formats: text to the left, numbers to the right, cells as they are."""
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


def with_room(table: Table, fits: Callable[[Sequence[int]], bool]) -> list[int]:
    """The columns there is room for: those of the highest rank go first, the rightmost of them first of all."""
    kept = list(range(len(table.columns)))
    while not table.chosen and not fits(kept):
        last = max(kept, key=lambda i: (table.columns[i].rank, i))
        if table.columns[last].rank == 0:
            break
        kept.remove(last)
    return kept


def dropped(table: Table, kept: Sequence[int]) -> tuple[str, ...]:
    """The note on columns that there was no room for."""
    names = [c.name for i, c in enumerate(table.columns) if i not in kept]
    return (f"Not shown for want of room: {', '.join(names)}; choose with --columns.",) if names else ()
