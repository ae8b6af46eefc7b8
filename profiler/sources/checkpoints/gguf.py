"""How is a GGUF file read? llama.cpp's format: metadata, then a table of tensors, then their bytes, aligned.

The format is described in docs/gguf.md of ggml, and its types' block sizes in ggml-common.h of llama.cpp. A tensor's
dimensions are in the reverse of PyTorch's order; here they are in PyTorch's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from profiler.errors import Malformed
from profiler.records.files.reading import quoted
from profiler.records.trace import Packing
from profiler.sources.checkpoints.contents import LARGEST, Contents, Entry, Place, size_bytes, tensor
from profiler.sources.checkpoints.reading import Bytes, Reader

FORMAT = "gguf"
MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = "general.alignment"
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 1 << 16
_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS: Mapping[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOL: "B", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")

# Dtypes of plain elements, by ggml's number of the type.
_PLAIN: Mapping[int, str] = {
    0: "float32", 1: "float16", 24: "int8", 25: "int16", 26: "int32", 27: "int64", 28: "float64", 30: "bfloat16",
}  # fmt: skip
# Block types: name, weights in a block, and bytes of a block (scales, minima, the weights' bits).
# q8_1 (9) is a type of activations, which no file has.
_BLOCKS: Mapping[int, tuple[str, int, int]] = {
    2: ("q4_0", 32, 2 + 16),
    3: ("q4_1", 32, 2 + 2 + 16),
    6: ("q5_0", 32, 2 + 4 + 16),
    7: ("q5_1", 32, 2 + 2 + 4 + 16),
    8: ("q8_0", 32, 2 + 32),
    10: ("q2_k", 256, 16 + 64 + 2 + 2),
    11: ("q3_k", 256, 32 + 64 + 12 + 2),
    12: ("q4_k", 256, 2 + 2 + 12 + 128),
    13: ("q5_k", 256, 2 + 2 + 12 + 32 + 128),
    14: ("q6_k", 256, 128 + 64 + 16 + 2),
    15: ("q8_k", 256, 4 + 256 + 2 * 16),
    16: ("iq2_xxs", 256, 2 + 2 * 32),
    17: ("iq2_xs", 256, 2 + 2 * 32 + 8),
    18: ("iq3_xxs", 256, 2 + 64 + 32),
    19: ("iq1_s", 256, 2 + 32 + 2 * 8),
    20: ("iq4_nl", 32, 2 + 16),
    21: ("iq3_s", 256, 2 + 64 + 8 + 32 + 4),
    22: ("iq2_s", 256, 2 + 64 + 8 + 8),
    23: ("iq4_xs", 256, 2 + 2 + 4 + 128),
    29: ("iq1_m", 256, 32 + 16 + 8),
    34: ("tq1_0", 256, 48 + 4 + 2),
    35: ("tq2_0", 256, 64 + 2),
    39: ("mxfp4", 32, 1 + 16),
    40: ("nvfp4", 64, 4 + 32),
    41: ("q1_0", 128, 2 + 16),
}


class _Row(NamedTuple):
    """A tensor of the table; its offset is counted from the end of all headers."""

    entry: Entry
    offset: int
    size: int


def looks_like(data: Bytes) -> bool:
    return data[:4] == MAGIC


def read(path: str, data: Bytes) -> Contents:
    """Raises `Malformed`."""
    fields = _Fields(Reader(data, len(MAGIC)))
    version = fields.version()
    if version not in _VERSIONS:
        raise Malformed(f"it is of version {version} of the format, and {' and '.join(map(str, _VERSIONS))} are known")
    tensors, pairs = fields.number("Q"), fields.number("Q")
    metadata = _metadata(fields, pairs)
    rows = [_row(fields) for _ in fields.times(tensors, 8 + 4 + 4 + 8, "table of tensors")]
    _check_names(rows)
    alignment = _alignment(metadata)
    start = -(-fields.reader.position // alignment) * alignment
    _check_places(rows, alignment, len(data) - start)
    entries = tuple(row.entry._replace(storage=i) for i, row in enumerate(rows))
    storages = tuple(Place(path, start + row.offset, row.size) for row in rows)
    return Contents(
        FORMAT, (path,), entries, storages, {key: str(value) for key, value in metadata.items()}, fields.order
    )


def shards(path: str) -> list[str]:
    """The files of a model that was split, this one included, by what llama.cpp calls them."""
    match = _SHARD.fullmatch(Path(path).name)
    if match is None:
        return [path]
    names = (f"{match['stem']}-{i:05}-of-{match['count']}.gguf" for i in range(1, int(match["count"]) + 1))
    return [str(Path(path).with_name(name)) for name in names]


# Fields ---------------------------------------------------------------------------------------------------------------


class _Fields:
    """Reads numbers and texts one after another, in the byte order that the version number reveals."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.order = "<"

    def version(self) -> int:
        version: int = self.number("I")
        if version and not version & 0xFFFF:  # no version is so large: it is written the other way round
            self.order = ">"
            version = int.from_bytes(version.to_bytes(4, "little"), "big")
        return version

    def number(self, code: str) -> Any:
        taken = self.reader.take(struct.calcsize(code), "header")
        return struct.unpack(self.order + code, taken)[0]

    def text(self) -> str:
        taken = self.reader.take(self.number("Q"), "header, in a text")
        return taken.decode("utf-8", "replace")

    def times(self, count: int, least: int, what: str) -> range:
        """A range over `count` items of at least `least` bytes each; raises where the file is too short for them."""
        if count * least > self.reader.left:
            raise Malformed(f"its {what} claims {count:,} entries, and {self.reader.left:,} bytes are left")
        return range(count)

    def value(self, kind: int, is_inside: bool = False) -> Any:
        """A number or a text; for an array only its length as text, for a vocabulary is long."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY and not is_inside:
            return self._array()
        if kind not in _SCALARS:
            raise Malformed(f"its metadata has a value of a type that is not known, {kind}")
        number = self.number(_SCALARS[kind])
        return bool(number) if kind == _BOOL else number

    def _array(self) -> str:
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            self._skip_texts(count)
        elif kind in _SCALARS:
            self.reader.skip(count * struct.calcsize(_SCALARS[kind]), "array")
        else:
            raise Malformed(f"its metadata has an array of a type that is not known, {kind}")
        return f"[{count:,} values]"

    def _skip_texts(self, count: int) -> None:
        """Skip an array of texts; in one loop, for a vocabulary has hundreds of thousands of them."""
        reader, order = self.reader, "little" if self.order == "<" else "big"
        position, data, last = reader.position, reader.data, reader.limit - 8
        for _ in self.times(count, 8, "array of texts"):
            if position > last:
                raise Malformed("it is truncated in its array of texts")
            position += 8 + int.from_bytes(data[position : position + 8], order)  # type: ignore[arg-type]
        reader.skip(position - reader.position, "array of texts")


def _metadata(fields: _Fields, pairs: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in fields.times(pairs, 8 + 4 + 1, "metadata"):
        key = fields.text()
        if key in metadata:
            raise Malformed(f"{quoted(key)} is in its metadata twice")
        metadata[key] = fields.value(fields.number("I"))
    return metadata


def _alignment(metadata: Mapping[str, Any]) -> int:
    alignment = metadata.get(_ALIGNMENT, 32)
    if type(alignment) is not int or alignment <= 0 or alignment % 8:
        raise Malformed(f"its {_ALIGNMENT} is {quoted(alignment)}, and no multiple of 8")
    return alignment


# Tensors --------------------------------------------------------------------------------------------------------------


def _row(fields: _Fields) -> _Row:
    name, dimensions = fields.text(), fields.number("I")
    if len(name) > _LONGEST_NAME:
        raise Malformed(f"a tensor has a name of {len(name):,} characters")
    if dimensions > _MOST_DIMENSIONS:
        raise Malformed(f"{quoted(name)} has {dimensions:,} dimensions, and {_MOST_DIMENSIONS} are the most")
    shape = tuple(reversed([fields.number("Q") for _ in range(dimensions)]))
    kind, offset = fields.number("I"), fields.number("Q")
    if kind in _PLAIN:
        stored, packing = tensor(shape, _PLAIN[kind]), None
    elif kind in _BLOCKS:
        form, weights, block_bytes = _BLOCKS[kind]
        if not shape or shape[-1] % weights:
            raise Malformed(f"{quoted(name)} is {form}, and its rows are no multiple of {weights} weights")
        size = size_bytes(shape, 8) // weights * block_bytes
        stored, packing = tensor((size,), "uint8"), Packing(form, shape)
    else:
        raise Malformed(f"{quoted(name)} has a type that is not known, {kind}")
    return _Row(Entry((name,), stored, None, packing=packing), offset, stored.size_bytes)


def _check_names(rows: list[_Row]) -> None:
    names = set()
    for row in rows:
        if row.entry.keys in names:
            raise Malformed(f"{quoted(row.entry.name)} is in its table twice")
        names.add(row.entry.keys)


def _check_places(rows: list[_Row], alignment: int, size: int) -> None:
    """Refuse tensors that are not at a multiple of the alignment, that overlap, or that end behind the file."""
    end = 0
    for row in sorted(rows, key=lambda row: (row.offset, row.size)):
        if row.offset % alignment:
            raise Malformed(f"{quoted(row.entry.name)} begins at byte {row.offset:,}, no multiple of {alignment}")
        if row.offset < end:
            raise Malformed(f"{quoted(row.entry.name)} begins before the tensor before it ends")
        end = row.offset + row.size
    if end > max(size, 0) or end > LARGEST:
        raise Malformed(f"it is truncated: its tensors take {end:,} bytes, and {max(size, 0):,} are there")
