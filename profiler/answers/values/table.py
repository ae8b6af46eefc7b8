"""How are tensors with NaN or infinite values shown as a table?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from profiler.answers.values.compute import CheckedFiles, CheckedValues
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit

_COLUMNS = (
    Column("tensor", "Not finite", Unit.TEXT, most=60),
    Column("dtype", "Dtype", Unit.TEXT),
    Column("values", "Values", Unit.EXACT),
    Column("nan", "NaN", Unit.EXACT),
    Column("infinite", "Infinite", Unit.EXACT),
)


def values_table(checked: CheckedValues) -> Table:
    return Table(_COLUMNS, _rows(checked), tuple(_facts(checked)), caption=checked.path)


def _rows(checked: CheckedValues) -> tuple[Row, ...]:
    return tuple(Row(tuple(tensor)) for tensor in checked.found)


def _facts(checked: CheckedValues) -> Iterator[tuple[str, Any, Unit, str]]:
    values = checked.values
    yield "Tensors looked at", values.looked_at, Unit.EXACT, f"{len(values.found):,} with values not finite"
    yield "Read", values.size_bytes, Unit.BYTES, ""
    for why, tensors in values.left_out.items():
        yield "Tensors left out", tensors, Unit.EXACT, why


def _data(checked: CheckedValues) -> dict[str, Any]:
    return {
        "file": checked.path,
        "passed": checked.passed,
        "looked_at": checked.values.looked_at,
        "size_bytes": checked.values.size_bytes,
        "left_out": dict(checked.values.left_out),
        "not_finite": [tensor._asdict() for tensor in checked.found],
    }


show(
    CheckedValues,
    Shown(
        lambda checked: [values_table(checked)],
        lambda checked: Table(_COLUMNS, _rows(checked), chosen=True),
        _data,
    ),
)
show(
    CheckedFiles,
    Shown(
        lambda several: [values_table(checked) for checked in several.files],
        lambda several: _raw(several.files),
        lambda several: _data(several.files[0]) if len(several.files) == 1 else list(map(_data, several.files)),
    ),
)


def _raw(files: Sequence[CheckedValues]) -> Table:
    """Which file a row is of stands in it, where there are several."""
    if len(files) == 1:
        return Table(_COLUMNS, _rows(files[0]), chosen=True)
    rows = tuple(Row((checked.path, *row.values)) for checked in files for row in _rows(checked))
    return Table((Column("file", "File", Unit.TEXT), *_COLUMNS), rows, chosen=True)
