"""How does a table become data for the page? Columns of raw values, with the units that they are shown in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from profiler.render import numbers
from profiler.render.shown import prepared
from profiler.render.tables import Caution, Explanation, Table, Unit

_SAFE = 2**53  # JavaScript's numbers are exact up to there


def table_data(table: Table) -> dict[str, Any]:
    """`Table` of `web/src/data.ts`: sizes and times are in one unit each, and texts do no harm."""
    table = prepared(table)
    return {
        "caption": table.caption,
        "columns": [
            {
                "name": column.name,
                "heading": column.heading,
                "unit": column.unit.value,
                "values": [value_data(row.values[i], column.unit) for row in table.rows],
            }
            for i, column in enumerate(table.columns)
        ],
        "depth": [row.depth for row in table.rows],
        "best": [[i, column] for i, row in enumerate(table.rows) for column in sorted(row.best)],
        "failures": {str(i): row.failure for i, row in enumerate(table.rows) if row.failure is not None},
        "facts": [fact_data(*fact) for fact in table.facts],
        "notes": notes_data(table.notes),
    }


def fact_data(label: str, value: Any, unit: Unit, remark: str) -> dict[str, Any]:
    return {"label": label, "value": value_data(value, unit), "unit": unit.value, "remark": remark}


def notes_data(notes: Iterable[str]) -> list[dict[str, str]]:
    return [{"kind": _kind(note), "text": str(note)} for note in notes]


def _kind(note: str) -> str:
    return "caution" if isinstance(note, Caution) else "explanation" if isinstance(note, Explanation) else "note"


def value_data(value: Any, unit: Unit) -> float | str | None:
    """A number as it is; a text where it is one, where digits are somebody else's, or too many for JavaScript."""
    if unit is Unit.SHAPE:
        return numbers.shape(value)
    if isinstance(value, (Decimal, tuple)):
        return numbers.text(value, unit)
    return whole(value) if isinstance(value, int) else value


def whole(value: float | None) -> float | str | None:
    return value if value is None or isinstance(value, float) or -_SAFE < value < _SAFE else str(value)


def wholes(values: Sequence[float | None]) -> list[float | str | None]:
    return [whole(value) for value in values]
