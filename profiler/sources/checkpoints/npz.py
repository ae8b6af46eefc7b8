"""How are numpy's archives read? A zip with a `.npy` for each array, whose header has its dtype and shape.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Arrays may be compressed; only their headers are
unpacked. JAX models are often saved in this format, with names like `params/Dense_0/kernel`.
"""

from __future__ import annotations

import ast
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import zips
from profiler.records.files.reading import quoted
from profiler.records.trace import Tensor
from profiler.sources.checkpoints.contents import Contents, Entry, Place, tensor
from profiler.sources.checkpoints.reading import Bytes

FORMAT = "numpy"
_ZIP, _MAGIC, _SUFFIX = b"PK\x03\x04", b"\x93NUMPY", ".npy"
_NAME_AT, _NAME_LENGTH_AT = 30, 26  # in a record's local header
_LONGEST = 1 << 14  # bytes of an array's header
_MOST = 100_000  # arrays
_KINDS: Mapping[str, str] = {
    "f2": "float16", "f4": "float32", "f8": "float64", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64", "b1": "bool", "c8": "complex64", "c16": "complex128",
    "V2": "bfloat16",  # V2 and V1 are how numpy writes these dtypes of ml_dtypes
    "V1": "float8_e4m3fn",
}  # fmt: skip


def looks_like(data: Bytes) -> bool:
    """Whether the first record of a zip is an array."""
    length = int.from_bytes(data[_NAME_LENGTH_AT : _NAME_LENGTH_AT + 2], "little")
    return data[:4] == _ZIP and bytes(data[_NAME_AT : _NAME_AT + length]).endswith(_SUFFIX.encode())


def read(path: str, data: Bytes) -> Contents:
    """Raises `Malformed`."""
    entries: list[Entry] = []
    storages: list[Place] = []
    try:
        with zipfile.ZipFile(path) as archive:
            records = list(zips.records(archive, len(data)).values())
            if len(records) > _MOST:
                raise Malformed(f"it has {len(records):,} arrays, and {_MOST:,} are the most that are read")
            for record in records:
                entries.append(_entry(archive, record, len(entries)))
                storages.append(Place(path, record.header_offset, entries[-1].tensor.size_bytes, in_zip=True))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Malformed(f"its zip cannot be read ({errors.first_line(error)}); it may be truncated") from None
    return Contents(FORMAT, (path,), tuple(entries), tuple(storages))


def _entry(archive: zipfile.ZipFile, record: zipfile.ZipInfo, index: int) -> Entry:
    name = record.filename.removesuffix(_SUFFIX)
    with archive.open(record) as file:
        start = file.read(_LONGEST)
    array, length = _header(start, name)
    if record.file_size != length + array.size_bytes:
        wanted = length + array.size_bytes
        raise Malformed(f"{quoted(name)} takes {wanted:,} bytes by its shape, and its record has {record.file_size:,}")
    keys = tuple(part for part in name.split("/") if part) or (name,)
    return Entry(keys, array, index if zips.is_stored(record) else None, length)


def _header(start: bytes, name: str) -> tuple[Tensor, int]:
    """The array's dtype and shape, and the length of its header, which is a dict written as Python code."""
    size = {1: 2, 2: 4, 3: 4}.get(start[6] if len(start) > 6 else 0)
    if start[:6] != _MAGIC or size is None:
        raise Malformed(f"{quoted(name)} in it is no array of numpy's")
    length = 8 + size + int.from_bytes(start[8 : 8 + size], "little")
    if length > len(start):
        raise Malformed(f"the header of {quoted(name)} is truncated, or has more than {_LONGEST:,} bytes")
    return _array(_parsed(start[8 + size : length], name), name), length


def _parsed(text: bytes, name: str) -> dict[str, Any]:
    try:
        header = ast.literal_eval(text.decode("utf-8").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        header = None
    if not isinstance(header, dict) or not isinstance(header.get("shape"), tuple):
        raise Malformed(f"the header of {quoted(name)} does not say its shape")
    return header


def _array(header: dict[str, Any], name: str) -> Tensor:
    descr, shape = header.get("descr"), header["shape"]
    if not all(type(size) is int and size >= 0 for size in shape):
        raise Malformed(f"the shape of {quoted(name)} is not made of whole numbers")
    if not isinstance(descr, str) or not re.fullmatch(r"[<>|=][a-zA-Z]\d*", descr):
        raise Malformed(f"{quoted(name)} is not made of numbers of one kind")
    if descr[1] == "O":
        raise Malformed(f"{quoted(name)} holds pickled objects, which are code and were not run")
    if descr[1:] not in _KINDS:
        raise Malformed(f"{quoted(name)} has a dtype that is not known, {quoted(descr)}")
    return tensor(shape, _KINDS[descr[1:]], _strides(shape) if header.get("fortran_order") else None)


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array in Fortran order, whose first dimension varies fastest."""
    strides, step = [], 1
    for size in shape:
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides)
