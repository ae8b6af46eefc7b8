"""Which columns does a file of predictions have? Of CSV, Parquet or NPZ, each as labels or as numbers.

Numbers as files have them: 1 and 1.0 are one label, whatever a column's type is.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import arrays, csv_files
from profiler.records.files.limits import UNPACKED, Budget
from profiler.records.files.reading import opened, quoted

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARQUET = (".parquet", ".pq")
SUFFIXES = (*csv_files.SUFFIXES, *PARQUET, *arrays.SUFFIXES)
_MOST_COLUMNS = 1 << 16
_VALUE_BYTES = 16  # of a cell, once it is read
_WHOLE = re.compile(r"[+-]?\d+\.0*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NONE = ("", "nan", "none", "null", "<na>")


class Unfit(Malformed):
    """`remedy` is what the user can do about it, where that is not to give the columns that are needed."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of texts: for each row the position of its text."""

    ids: NDArray[Any]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


Column: TypeAlias = "Sequence[str] | Coded | NDArray[Any]"
Columns: TypeAlias = Mapping[str, Column]


def read(path: str) -> Columns:
    """By their names; raises `OSError`, `Malformed` or `errors.ProfileError`."""
    suffix = PurePath(path).suffix.lower()
    try:
        if suffix in arrays.SUFFIXES:
            return arrays.read(path)
        return _parquet(path) if suffix in PARQUET else _csv(path)
    except Unfit:
        raise
    except Malformed as error:
        remedy = _remedy(suffix, error.__context__)
        raise error if remedy is None else Unfit(str(error), remedy) from None


def _csv(path: str) -> Columns:
    header, lines = csv_files.with_header(path)
    if len(header) > _MOST_COLUMNS:
        raise Unfit(f"it has {len(header):,} columns, and {_MOST_COLUMNS:,} are the most", "leave out what is no score")
    _check_names(header)
    columns: list[list[str]] = [[] for _ in header]
    for line, cells in lines:
        if len(cells) != len(header):
            raise _ragged(line, len(cells), len(header))
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
    return {name: column for name, column in zip(header, columns, strict=True) if name}


def _check_names(names: Sequence[str]) -> None:
    there: set[str] = set()
    for name in names:
        if name and name.casefold() in there:
            raise Unfit(f"two of its columns are called {quoted(name)}", "rename one of them")
        there.add(name.casefold())


def _parquet(path: str) -> Columns:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise errors.MissingPackage("pyarrow", "is not installed", "pyarrow") from None
    with opened(path) as file:
        budget = Budget(path, os.fstat(file.fileno()).st_size)
        try:
            held = parquet.ParquetFile(file)
            names = [field.name for field in held.schema_arrow]
            _check_names(names)
            budget.charge(UNPACKED, _VALUE_BYTES * held.metadata.num_rows * len(names))
            for group in range(held.metadata.num_row_groups):
                budget.charge(UNPACKED, held.metadata.row_group(group).total_byte_size)
            texts = [
                f.name for f in held.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
            ]
            table = parquet.ParquetFile(file, read_dictionary=texts).read()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Unfit(f"its Parquet cannot be read ({errors.first_line(error)})", "write it again") from None
        return {name: _arrow(name, table.column(name)) for name in names}


def _arrow(name: str, chunked: Any) -> Column:
    """A column of Arrow's; texts stay coded, however long they are."""
    import pyarrow as pa

    if chunked.null_count:
        raise Unfit(f"{chunked.null_count:,} values of its column {quoted(name)} are missing", _FILL)
    kind = chunked.type
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        column = chunked.unify_dictionaries().combine_chunks()
        column = column if isinstance(column, pa.Array) else column.chunk(0)
        return Coded(column.indices.to_numpy(zero_copy_only=False), tuple(map(str, column.dictionary.to_pylist())))
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise _no_type(f"its column {quoted(name)}", kind)
    values: NDArray[Any] = chunked.to_numpy()
    return values


# As labels or as numbers ----------------------------------------------------------------------------------------------


def coded(name: str, column: Column) -> Coded:
    """A column as texts; raises `Malformed` where one is missing."""
    import numpy

    if isinstance(column, Coded):
        ids, texts = column.ids, column.texts
    elif isinstance(column, numpy.ndarray):
        values, ids = numpy.unique(_flat(name, column), return_inverse=True)
        texts = tuple(map(_text, values.tolist()))
    else:
        codes: dict[str, int] = {}
        ids = numpy.fromiter((codes.setdefault(text, len(codes)) for text in column), numpy.int64, len(column))
        texts = tuple(codes)
    again: dict[str, int] = {}
    renamed = [again.setdefault(canonical(text), len(again)) for text in texts]
    for text, code in again.items():
        if text.casefold() in _NONE:
            rows = numpy.flatnonzero(numpy.asarray(renamed)[ids] == code)
            if len(rows):
                raise Unfit(f"row {rows[0] + 1} has no {name}", _FILL)
    return Coded(numpy.asarray(renamed, numpy.int64)[ids], tuple(again))


def labels(name: str, column: Column) -> Coded:
    """A column as classes; raises `Malformed` where one is missing, or has a fraction."""
    import numpy

    held = coded(name, column)
    for code, text in enumerate(held.texts):
        if (
            _NUMBER.fullmatch(text)
            and not float(text).is_integer()
            and len(rows := numpy.flatnonzero(held.ids == code))
        ):
            raise _fraction(name, int(rows[0]) + 1, text)
    return held


def canonical(text: str) -> str:
    """A label without blanks around it; of a whole number without its point: 1.0 is 1."""
    text = text.strip()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _flat(name: str, column: NDArray[Any]) -> NDArray[Any]:
    if column.ndim != 1:
        shape = "×".join(map(str, column.shape)) or "of one value"
        raise Unfit(f"its {name} has the shape {shape}, and not a row", "give one value a sample")
    if column.dtype.kind not in "biufUS":
        raise _no_type(f"its {name}", column.dtype)
    return column


def numbers(name: str, column: Column) -> NDArray[Any]:
    """A column as finite numbers, or a table of numbers as it is; raises `Malformed`."""
    import numpy

    if isinstance(column, Coded):
        column = [column.texts[i] for i in column.ids.tolist()]
    if isinstance(column, numpy.ndarray):
        if column.dtype.kind not in "biuf":
            raise Unfit(f"its {name} is of type {column.dtype}, and not of numbers", "write it as numbers")
        values = column if column.dtype in (numpy.float32, numpy.float64) else column.astype(numpy.float64)
    else:
        values = numpy.fromiter((_number(text) for text in column), numpy.float64, len(column))
    wrong = numpy.argwhere(~numpy.isfinite(values))
    if len(wrong):
        row = int(wrong[0][0])
        said = quoted(column[row]) if not isinstance(column, numpy.ndarray) else str(values[tuple(wrong[0])])
        raise Unfit(f"row {row + 1} has {said} as its {name}, which is no finite number", _FILL)
    return values


def _number(text: str) -> float:
    """NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


# Error messages -------------------------------------------------------------------------------------------------------

_FILL = "fill it in, or leave out the row"


def _remedy(suffix: str, cause: BaseException | None) -> str | None:
    """Of a file that its format's reader refuses; None where it lacks the columns that are needed."""
    if suffix in arrays.SUFFIXES:
        return "write it again with numpy.savez, of numbers and texts"
    if isinstance(cause, UnicodeDecodeError):
        return "save it as UTF-8" if suffix in csv_files.SUFFIXES else "save it as CSV in UTF-8, Parquet or NPZ"
    return "close each quote, and write one inside of quotes twice" if isinstance(cause, csv.Error) else None


def _ragged(line: int, cells: int, header: int) -> Unfit:
    remedy = "give each line as many, and put a text that has the separator in it into quotes"
    return Unfit(f"line {line} has {cells} cell{'s' * (cells != 1)} and the header {header}", remedy)


def _no_type(what: str, kind: Any) -> Unfit:
    return Unfit(f"{what} is of type {kind}, which is neither a text nor a number", "write it as texts or numbers")


def _fraction(name: str, row: int, text: str) -> Unfit:
    return Unfit(
        f"row {row} has {text} as its {name}, and a class is a text, a truth value or a whole number",
        "call a column of scores 'score', and round what stands for a class",
    )
