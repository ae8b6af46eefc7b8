"""How is a safetensors file read? Eight bytes with the header's length, the header as JSON, and the tensors' bytes.

The format is described at https://huggingface.co/docs/safetensors: offsets are counted from the header's end, tensors
leave no gaps and do not overlap, and a header has 100 MB at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from profiler.errors import Malformed
from profiler.records.files import reading as files
from profiler.records.files.limits import Budget
from profiler.records.files.reading import quoted
from profiler.records.trace import Packing, Tensor
from profiler.sources.checkpoints.contents import Contents, Entry, Place, size_bytes, tensor
from profiler.sources.checkpoints.reading import Bytes, Reader

FORMAT = "safetensors"
LONGEST_HEADER = 100_000_000
_METADATA = "__metadata__"
_DTYPES: Mapping[str, str] = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "I32": "int32", "U32": "uint32",
    "I64": "int64", "U64": "uint64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
# Dtypes smaller than a byte, stored packed: the name of the packing, and the bits of an element.
_PACKED: Mapping[str, tuple[str, int]] = {
    "F4": ("float4_e2m1", 4), "F6_E2M3": ("float6_e2m3", 6), "F6_E3M2": ("float6_e3m2", 6),
}  # fmt: skip


def looks_like(data: Bytes) -> bool:
    return data[8:9] == b"{"


def read(path: str, data: Bytes) -> Contents:
    """Raises `Malformed`."""
    header, start = _header(data, Budget(path, len(data)))
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Malformed(f"its {_METADATA} is not made of texts")
    entries: list[Entry] = []
    places: list[tuple[str, int, int]] = []
    for name, fields in header.items():
        stored, packing, first, last = _tensor(name, fields)
        entries.append(Entry((name,), stored, len(places), packing=packing))
        places.append((name, first, last))
    _check_places(places, len(data) - start)
    storages = tuple(Place(path, start + first, last - first) for _, first, last in places)
    return Contents(FORMAT, (path,), tuple(entries), storages, metadata)


def _header(data: Bytes, cost: Budget) -> tuple[dict[str, Any], int]:
    """The header, and the position at which the tensors' bytes begin."""
    reader = Reader(data)
    length = int.from_bytes(reader.take(8, "header's length"), "little")
    if length > LONGEST_HEADER:
        raise Malformed(f"its header claims {length:,} bytes, and a header has {LONGEST_HEADER:,} at most")
    if length > len(data) - 8:
        raise Malformed(f"its header claims {length:,} bytes, and the file has {len(data) - 8:,} more")
    header = parsed(reader.take(length, "header"), "header", cost)
    return header, reader.position


def parsed(text: bytes, what: str, cost: Budget) -> dict[str, Any]:
    """A JSON object in which no key is there twice; raises `Malformed`."""
    try:
        document = files.parsed(text, cost, object_pairs_hook=_once)
    except ValueError as error:
        raise Malformed(f"its {what} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Malformed(f"its {what} is not a JSON object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise Malformed(f"{quoted(twice)} is in its header twice")
    return unique


def _tensor(name: str, fields: Any) -> tuple[Tensor, Packing | None, int, int]:
    """The tensor as it is stored, its packing, and the offsets of its first byte and of the one behind its last."""
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise Malformed(f"{quoted(name)} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], _integers(fields["shape"]), _integers(fields["data_offsets"])
    if shape is None or offsets is None or len(offsets) != 2:
        raise Malformed(f"the shape or the offsets of {quoted(name)} are not whole numbers from 0 on")
    if not isinstance(dtype, str) or dtype not in {**_DTYPES, **_PACKED}:
        raise Malformed(f"{quoted(name)} has a dtype that is not known, {quoted(dtype)}")
    stored, packing = _stored(shape, dtype)
    first, last = offsets
    if last - first != stored.size_bytes:
        raise Malformed(
            f"{quoted(name)} takes {stored.size_bytes:,} bytes by its shape, and {last - first:,} by its offsets"
        )
    return stored, packing, first, last


def _stored(shape: tuple[int, ...], dtype: str) -> tuple[Tensor, Packing | None]:
    if dtype in _DTYPES:
        return tensor(shape, _DTYPES[dtype]), None
    form, bits = _PACKED[dtype]
    return tensor((size_bytes(shape, bits),), "uint8"), Packing(form, shape)


def _integers(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        return None
    return tuple(value)


def _check_places(places: list[tuple[str, int, int]], size: int) -> None:
    """Refuse tensors that leave gaps, overlap, or do not end where the file ends."""
    end = 0
    for name, first, last in sorted(places, key=lambda place: place[1:]):
        if first != end:
            raise Malformed(f"{quoted(name)} begins at byte {first:,}, and the tensor before it ends at {end:,}")
        end = last
    if end > size:
        raise Malformed(f"it is truncated: its tensors take {end:,} bytes, and {size:,} are there")
    if end < size:
        raise Malformed(f"its last {size - end:,} bytes belong to no tensor")
