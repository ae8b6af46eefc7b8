"""What do the headers of a checkpoint say? Its tensors by name, and where their bytes are. No values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from profiler.errors import Malformed
from profiler.records.trace import DTYPE_BITS, Packing, Tensor

Keys: TypeAlias = tuple["str | int", ...]
LARGEST = 1 << 62  # bytes: no tensor is larger


class Place(NamedTuple):
    """A storage's bytes: from `offset` on in a file, or, `in_zip`, behind the local header of a record there."""

    path: str
    offset: int
    size_bytes: int
    in_zip: bool = False


class Entry(NamedTuple):
    """One tensor. `keys` lead to it through the dicts and lists of the file; a flat file has one key a tensor.

    `storage` indexes `Contents.storages` (None: it has none), in which the tensor begins at `start_bytes`. `is_buffer`
    is whether it is no parameter, where the file says so.
    """

    keys: Keys
    tensor: Tensor
    storage: int | None
    start_bytes: int = 0
    packing: Packing | None = None
    is_buffer: bool | None = None

    @property
    def name(self) -> str:
        return ".".join(map(str, self.keys))


class Contents(NamedTuple):
    """One checkpoint, however many files it is in; `paths` are those that hold tensors.

    `order` is the byte order in `struct`'s notation. `configuration` is that of a model on the hub, and `size_bytes` is
    the size of its files; both are None for files on the disk, where a configuration is looked for when needed.
    """

    format: str
    paths: tuple[str, ...]
    entries: tuple[Entry, ...]
    storages: tuple[Place, ...]
    metadata: Mapping[str, str] = {}
    order: str = "<"
    configuration: Mapping[str, Any] | None = None
    size_bytes: int | None = None


def size_bytes(shape: tuple[int, ...], bits: int) -> int:
    """The bytes of a tensor with so many bits an element; raises `Malformed` where none can be so large."""
    numel = 1
    for size in shape:
        numel *= size
        if numel > LARGEST:
            raise Malformed(f"a shape of {_by(shape)} is larger than any tensor can be")
    return (numel * bits + 7) // 8


def tensor(shape: tuple[int, ...], dtype: str, strides: tuple[int, ...] | None = None) -> Tensor:
    """A tensor of the shape that a file claims; raises `Malformed` where it is no shape."""
    if len(shape) > 64 or any(size < 0 for size in shape):
        raise Malformed(f"{_by(shape)} is no shape")
    size_bytes(tuple(max(size, 1) for size in shape), DTYPE_BITS[dtype])
    return Tensor(shape, dtype, strides)


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) if abs(size) < LARGEST else "…" for size in shape[:8]) + ", …" * (len(shape) > 8)
