"""How is a table written in Parquet? With the columns of the CSV, each of one type, for pandas, polars and DuckDB.

A count or a size in bytes is a whole number of 64 bits, a time or a share a float, and null is "not known". The file's
metadata says which version of this package wrote it. One answer is always written in the same bytes.
"""

from __future__ import annotations

import io
from typing import Any

from profiler import errors
from profiler.records.versions import __version__
from profiler.render.formats.csv import key, raw
from profiler.render.frame import WHOLE, encodable
from profiler.render.plain import plain
from profiler.render.tables import Table, Tabled, Unit

SUFFIXES = (".parquet",)
_LARGEST = 2**63


def check() -> None:
    """Raise what keeps it from being written here."""
    _pyarrow()


def answer(answer: Tabled) -> bytes:
    """The raw table's rows."""
    return write(answer.raw_table())


def write(table: Table) -> bytes:
    arrow = _pyarrow()
    from pyarrow import parquet

    arrays = {
        key(column): _array([row.values[i] for row in table.rows], column.unit)
        for i, column in enumerate(table.columns)
    }
    whole = arrow.table(arrays).replace_schema_metadata({"profile-model": __version__})
    file = io.BytesIO()
    parquet.write_table(whole, file)
    return file.getvalue()


def _array(values: list[Any], unit: Unit) -> Any:
    arrow = _pyarrow()
    if unit in (Unit.TEXT, Unit.SHAPE):
        return arrow.array([None if value is None else encodable(raw(value, unit)) for value in values], arrow.string())
    numbers = [plain(value) for value in values]
    known = [number for number in numbers if number is not None]
    if any(isinstance(number, str) for number in known):
        return arrow.array([None if n is None else encodable(n) for n in numbers], arrow.string())
    is_whole = unit in WHOLE and all(isinstance(n, int) and abs(n) < _LARGEST for n in known)
    return arrow.array([None if n is None else int(n) if is_whole else float(n) for n in numbers], _type(is_whole))


def _type(is_whole: bool) -> Any:
    return _pyarrow().int64() if is_whole else _pyarrow().float64()


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise errors.MissingPackage("pyarrow", "is not installed", "pyarrow") from None
    return pyarrow
