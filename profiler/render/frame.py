"""How is an answer a frame of pandas? One row for each row of the CSV, by the same names, in columns of one type.

A count or a size in bytes is `Int64`, which has a place for what is not known; a time in seconds or a share is
`Float64`; a text is `string`. A shape is a tuple of ints, or a tuple of such where there are several. Names are as they
are, and not made safe for a screen.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.records.trace import Tensor, tensors
from profiler.render.formats.csv import key
from profiler.render.tables import Quantity, Table, Unit

if TYPE_CHECKING:
    from pandas import DataFrame, Series

WHOLE = (Unit.EXACT, Unit.COUNT, Unit.AMOUNT, Unit.BYTES, Unit.DIFFERENCE, Unit.NANOSECONDS)
_FAILURE = "error"


def frame(table: Table) -> DataFrame:
    """A table of raw values; its caption is in `attrs`. Raises `errors.ProfileError` where there is no pandas."""
    try:
        import pandas as pd
    except ImportError:
        raise _no_pandas() from None
    columns: dict[str, Series[Any]] = {}
    for i, column in enumerate(table.columns):
        values = [None if row.failure is not None and i else row.values[i] for row in table.rows]
        columns[key(column)] = _series(values, column.unit)
    if any(row.failure is not None for row in table.rows):
        columns[_FAILURE] = pd.Series([row.failure for row in table.rows], dtype="string")
    made = pd.DataFrame(columns)
    made.attrs |= {"caption": table.caption} if table.caption else {}
    return made


def _series(values: list[Any], unit: Unit) -> Series[Any]:
    import pandas as pd

    if unit is Unit.SHAPE:
        return pd.Series([_shape(value) for value in values], dtype="object")
    if unit is Unit.TEXT:
        return pd.Series([None if value is None else encodable(value) for value in values], dtype="string")
    plain = [_plain(value) for value in values]
    known = [value for value in plain if value is not None]
    if any(isinstance(value, str) for value in known):
        return pd.Series([None if value is None else str(value) for value in plain], dtype="string")
    is_whole = all(isinstance(value, int) for value in known) and (bool(known) or unit in WHOLE)
    return pd.Series(plain, dtype="Int64" if is_whole and unit in (*WHOLE, Unit.MIXED, Unit.NUMBER) else "Float64")


def encodable(value: Any) -> str:
    """A text that can be stored: half of a character that takes two is written as JSON does."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any) -> Any:
    """A number or a text; None for what is not known, or where there is none."""
    if isinstance(value, Quantity):
        value = value.value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if value == "" else value


def _shape(value: Any) -> Any:
    if value is None or value == ():
        return None
    if isinstance(value, Tensor):
        return value.shape
    shapes = tuple(tuple(tensor.shape) for tensor in tensors(value))
    return shapes[0] if len(shapes) == 1 else shapes


# Error messages -------------------------------------------------------------------------------------------------------


def _no_pandas() -> errors.ProfileError:
    return errors.MissingPackage("pandas", "is not installed", "pandas")
