"""What of a table is shown to a person? Sizes in one unit, the notes that are wanted, and texts that do no harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from profiler.errors import shown
from profiler.render import numbers
from profiler.render.tables import Caution, Explanation, Table, Unit

SHORT, FULL, NONE = "short", "full", "none"
NOTES = (SHORT, FULL, NONE)


def prepared(table: Table) -> Table:
    """The table as every format for people writes it."""
    return harmless(in_one_unit(table))


def with_notes(table: Table, which: str) -> Table:
    """The table with those of its notes that are wanted: a caution is always among them."""
    table = in_one_unit(table)
    selections = {
        FULL: table.notes,
        SHORT: [note for note in table.notes if not isinstance(note, Explanation)],
        NONE: [note for note in table.notes if isinstance(note, Caution)],
    }
    return replace(table, notes=tuple(selections[which]))


def in_one_unit(table: Table) -> Table:
    """The table with all its sizes in MB, or in KB or GB where it is of a small or a large model; and so its times.

    Headings and labels say which, and an explanation says how many bytes that is.
    """
    if sizes := _of(table, Unit.BYTES):
        own = numbers.size_unit(_largest(sizes))
        meaning = Explanation(f"1 {own.value} = {numbers.in_bytes(own)} bytes.")
        table = replace(_in(table, Unit.BYTES, own), notes=(*table.notes, meaning))
    if times := _of(table, Unit.SECONDS):
        table = _in(table, Unit.SECONDS, numbers.time_unit(_largest(times)))
    return table


def _of(table: Table, unit: Unit) -> list[Any]:
    """All values that are in a unit."""
    columns = [i for i, column in enumerate(table.columns) if column.unit is unit]
    cells = [row.values[i] for i in columns for row in table.rows]
    return cells + [value for _, value, other, _ in table.facts if other is unit]


def _largest(values: list[Any]) -> Any:
    return max((value for value in values if isinstance(value, (int, float))), default=None)


def _in(table: Table, unit: Unit, own: Unit) -> Table:
    """The table with what is in a unit in another, which the headings name."""
    columns = tuple(
        replace(column, unit=own, heading=f"{column.heading} {own.value}".strip()) if column.unit is unit else column
        for column in table.columns
    )
    facts = tuple(
        (f"{label}, {own.value}", value, own, remark) if other is unit else (label, value, other, remark)
        for label, value, other, remark in table.facts
    )
    return replace(table, columns=columns, facts=facts)


def harmless(table: Table) -> Table:
    """The table with every text on one line, and nothing in it that acts on a terminal: others wrote the names."""
    columns = tuple(replace(c, name=shown(c.name), heading=_harmless(c.heading)) for c in table.columns)
    rows = tuple(
        replace(row, values=tuple(map(_harmless, row.values)), failure=_harmless(row.failure)) for row in table.rows
    )
    facts = tuple(
        (_harmless(label), _harmless(value), unit, _harmless(remark)) for label, value, unit, remark in table.facts
    )
    notes = tuple(type(note)(shown(note)) for note in table.notes)  # a caution stays one
    return replace(table, columns=columns, rows=rows, facts=facts, notes=notes, caption=_harmless(table.caption))


def _harmless(value: Any) -> Any:
    return shown(value) if isinstance(value, str) else value
