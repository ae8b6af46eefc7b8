"""How is an answer written in JSON, for scripts? Its keys are a contract: they are added to, never renamed.

Sizes are bytes; null is "not known".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from profiler import errors
from profiler.render.formats.csv import key
from profiler.render.numbers import RAW
from profiler.render.plain import failed, plain
from profiler.render.tables import Table, Tabled, Unit

SUFFIXES = (".json",)
SCHEMA = 1


def answer(answer: Tabled) -> str:
    data = answer.data()
    if data is None:
        return write(answer.raw_table())
    return _written([_with_schema(part) for part in data] if isinstance(data, list) else _with_schema(data))


def _with_schema(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, **data}


def write(table: Table) -> str:
    """A table: a list of rows by column, and what is said under it."""
    keys = [key(column) for column in table.columns]
    rows = [dict(zip(keys, map(plain, row.values), strict=True)) | failed(row.failure) for row in table.rows]
    facts = {_label(label, unit): plain(value) for label, value, unit, _ in table.facts}
    return _written({"caption": table.caption or None, "rows": rows, "facts": facts, "notes": list(table.notes)})


def _label(label: str, unit: Unit) -> str:
    return f"{label}, {RAW[unit]}" if unit in RAW else label


def _written(value: Any) -> str:
    """Letters of all languages as they are; what a terminal or a job's log would act on as JSON's own escapes."""
    return errors.printable(json.dumps(value, indent=2, ensure_ascii=False))
