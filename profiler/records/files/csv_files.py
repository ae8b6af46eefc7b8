"""Which rows does a CSV file have? Commas, semicolons or tabs separate its cells, whichever its first line has most of.

A file that begins with a byte order mark, as spreadsheets write it, is read without it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import reading

SUFFIXES = (".csv", ".tsv")
_LONGEST = 64 << 20  # bytes of a file: two hundred figures of each of timm's models have one of them
_DELIMITERS = ",;\t"


def rows(path: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its line; raises `OSError`, or `Malformed`."""
    try:
        text = reading.content(path, _LONGEST).decode("utf-8-sig")
        delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        yield from ((reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(errors.first_line(error)) from None


def with_header(path: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names of its columns, which may be empty, and the rows under them; raises as `rows` does."""
    lines = rows(path)
    _, header = next(lines, (0, []))
    if not header:
        raise Malformed("it is empty")
    return [" ".join(cell.split()) for cell in header], lines
