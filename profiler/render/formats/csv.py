"""How is a table written in CSV? With raw values.

Counts are whole numbers, sizes are in bytes, times in seconds, shares from 0 to 1; a cell is empty where nothing is
known.

A text that a spreadsheet would take for a formula, or a job's log for a command, has an apostrophe before it, which a
spreadsheet does not show (OWASP, "CSV Injection"). A text that is a number stays one.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from profiler.render import numbers
from profiler.render.shown import harmless
from profiler.render.tables import Column, Table, Tabled, Unit

SUFFIXES = (".csv",)


def write(table: Table) -> str:
    table = harmless(table)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    failed = any(row.failure is not None for row in table.rows)
    writer.writerow([_inert(key(column)) for column in table.columns] + ["error"] * failed)
    for row in table.rows:
        cells = [raw(value, column.unit) for value, column in zip(row.values, table.columns, strict=True)]
        writer.writerow([*map(_inert, cells), *[_inert(row.failure or "")] * failed])
    return file.getvalue().rstrip("\n")


def answer(answer: Tabled) -> str:
    """Whole numbers; sizes in bytes."""
    return write(answer.raw_table())


def key(column: Column) -> str:
    """A column's name, with the unit of its raw values, and what kind of values they are."""
    unit, name = numbers.RAW.get(column.unit), "_".join([*column.kind.split(), column.name])
    return name if unit is None or name.endswith(f"_{unit}") else f"{name}_{unit}"


def raw(value: Any, unit: Unit) -> Any:
    """A value as it stands in a cell: a shape is 1x3x224x224."""
    if unit is Unit.SHAPE:
        return numbers.shape(value).replace("×", "x")
    return "" if value is None else value


_FORMULA = re.compile(r"\s*(?:[=+\-@＝＋－＠]|::|\\[trn])")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? ?%?", re.ASCII)


def _inert(value: Any) -> Any:
    """A cell that is a text and nothing else."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"
