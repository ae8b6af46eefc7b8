"""Which arrays does a file of numpy's hold? Numbers and texts; pickled objects, which are code, are never loaded.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import os
import zipfile
from math import prod
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import zips
from profiler.records.files.limits import Budget
from profiler.records.files.reading import opened, quoted

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".npz",)
_ARRAY = ".npy"
_MOST = 1000  # arrays


def read(path: str) -> dict[str, NDArray[Any]]:
    """All arrays by their names; raises `OSError`, `Malformed`, or `FileTooCostly` where they unpack to too much."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        budget = Budget(path, size)
        try:
            with zipfile.ZipFile(file) as archive:
                records = zips.records(archive, size)
                if len(records) > _MOST:
                    raise Malformed(f"it has {len(records):,} arrays, and {_MOST:,} are the most")
                return {
                    name.removesuffix(_ARRAY): _array(name, zips.unpacked(archive, record, budget))
                    for name, record in records.items()
                }
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise Malformed(f"its zip cannot be read ({errors.first_line(error)})") from None


def _array(name: str, content: bytes) -> NDArray[Any]:
    """Made of the bytes that are there, never of as many as its header claims."""
    import numpy
    from numpy.lib import format as layout

    file = io.BytesIO(content)
    try:
        version = layout.read_magic(file)
        header = layout.read_array_header_1_0 if version == (1, 0) else layout.read_array_header_2_0
        shape, is_fortran, dtype = header(file)
    except Exception as error:  # numpy raises what Python's own reader of literals does
        raise Malformed(f"{quoted(name)} in it is no array of numpy's ({errors.first_line(error)})") from None
    if dtype.hasobject:
        raise Malformed(f"{quoted(name)} in it holds pickled objects, which are code and were not loaded")
    claimed, there = prod(shape) * dtype.itemsize, len(content) - file.tell()
    if claimed != there:
        raise Malformed(f"{quoted(name)} in it takes {claimed:,} bytes by its shape, and has {there:,}")
    if not dtype.itemsize or any(size < 0 for size in shape):
        raise Malformed(f"{quoted(name)} in it has no values")
    flat = numpy.frombuffer(content, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")
