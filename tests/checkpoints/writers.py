"""Files of each format, written byte by byte, so that any of them can be wrong in any way."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BYTES = {
    "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U32": 4, "U8": 1, "I8": 1, "I16": 2, "F8_E4M3": 1, "F8_E8M0": 1,
    "F64": 8, "BOOL": 1,
}  # fmt: skip
Tensors = Mapping[str, tuple[str, Sequence[int]]]


def product(shape: Sequence[int]) -> int:
    numel = 1
    for size in shape:
        numel *= size
    return numel


# safetensors ----------------------------------------------------------------------------------------------------------


def header(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> tuple[dict[str, Any], int]:
    """A header that is right, and how many bytes of tensors belong to it."""
    found: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    end = 0
    for name, (dtype, shape) in tensors.items():
        first, end = end, end + BYTES[dtype] * product(shape)
        found[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [first, end]}
    return found, end


def safetensors(said: Mapping[str, Any] | bytes, size: int, length: int | None = None) -> bytes:
    """A file of this header, with zeros for tensors; `length` is what it says of its header, where that is a lie."""
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(size)


def whole(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> bytes:
    return safetensors(*header(tensors, metadata))


def sparse(path: Path, tensors: Tensors) -> None:
    """A file as large as its tensors are, of which nothing but the header is on the disk."""
    said, size = header(tensors)
    content = safetensors(said, 0)
    with path.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + size)


def sharded(folder: Path, tensors: Tensors, shards: int, name: str = "model") -> Path:
    """Shards of equally many tensors and their index."""
    names, weights = list(tensors), {}
    for i in range(shards):
        held = names[len(names) * i // shards : len(names) * (i + 1) // shards]
        file = f"{name}-{i + 1:05}-of-{shards:05}.safetensors"
        sparse(folder / file, {one: tensors[one] for one in held})
        weights |= dict.fromkeys(held, file)
    index = folder / f"{name}.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weights}))
    return index


# GGUF -----------------------------------------------------------------------------------------------------------------

STRING, ARRAY, UINT32 = 8, 9, 4


def text(value: str | bytes) -> bytes:
    content = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(content)) + content


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def gguf(
    rows: Sequence[tuple[str, Sequence[int], int, int]],
    size: int,
    pairs: Sequence[bytes] = (),
    *,
    version: int = 3,
    tensors: int | None = None,
    count: int | None = None,
    alignment: int = 32,
) -> bytes:
    """Rows are name, dimensions as ggml has them, type and offset; `tensors` and `count` may lie about how many."""
    counts = len(rows) if tensors is None else tensors, len(pairs) if count is None else count
    content = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(pairs)
    for name, dimensions, kind, offset in rows:
        content += text(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        content += struct.pack("<IQ", kind, offset)
    return content + bytes(-len(content) % alignment) + bytes(size)
