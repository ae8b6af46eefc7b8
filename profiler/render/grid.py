"""What the formats share: cells as text, and tabulate's own formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tabulate import tabulate

from profiler.profiles import Profile
from profiler.render import numbers
from profiler.tables import Column, Table, Unit, View, layer_table, model_table

Layers: TypeAlias = Callable[[Profile, "View | None"], str]
Models: TypeAlias = Callable[[Sequence[Profile], Sequence[str]], str]

LEFT = (Unit.TEXT, Unit.SHAPE)


def dressed(write: Callable[[Table], str]) -> tuple[Layers, Models]:
    """`layers` and `models` of a format that writes any table alike."""

    def layers(profile: Profile, view: View | None = None) -> str:
        return write(layer_table(profile, view))

    def models(profiles: Sequence[Profile], columns: Sequence[str] = ()) -> str:
        return write(model_table(profiles, columns))

    return layers, models


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


def widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max([len(c.heading), *(len(row[i]) for row in rows)]) for i, c in enumerate(columns)]


def tabulated(headings: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[Column], tablefmt: str) -> str:
    """Through tabulate, numbers to the right, cells as they are."""
    return tabulate(
        rows,
        headings,
        tablefmt,
        colalign=_alignment(columns) if rows else None,
        disable_numparse=True,
        preserve_whitespace=True,
    )


def ruled(headings: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> str:
    """As tabulate's "simple" format, without the blanks that it puts around headings."""
    rules = ["-" * width for width in widths(columns, rows)]
    return tabulate(
        [headings, rules, *rows],
        tablefmt="plain",
        colalign=_alignment(columns),
        disable_numparse=True,
        preserve_whitespace=True,
    )


def _alignment(columns: Sequence[Column]) -> list[str]:
    return ["left" if c.unit in LEFT else "right" for c in columns]
