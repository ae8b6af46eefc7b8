"""Are there NaN or infinite values in a checkpoint? Only this question needs values; they are read piece by piece.

Numbers are examined as bits, so that dtypes which numpy does not have need no conversion: a value with all bits of its
exponent set is infinite where its fraction is 0, and NaN elsewhere (IEEE 754). float8 has codes of its own:
Micikevicius et al. 2022, arXiv:2209.05433; Noune et al. 2022, arXiv:2206.02915, for the kinds without a negative zero;
the OCP Microscaling Formats Specification 1.0 for e8m0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from profiler.errors import Malformed
from profiler.sources.checkpoints.contents import Contents, Entry, Place
from profiler.sources.checkpoints.reading import Bytes, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECE = 1 << 22  # elements examined at a time
_LOCAL_HEADER, _LOCAL_MAGIC = 30, b"PK\x03\x04"


class Bits(NamedTuple):
    """How a dtype encodes NaN and infinity: its size in bytes, and the masks of its exponent and its fraction."""

    size: int
    exponent: int
    fraction: int


_IEEE: Mapping[str, Bits] = {
    "float64": Bits(8, 0x7FF0_0000_0000_0000, 0x000F_FFFF_FFFF_FFFF),
    "float32": Bits(4, 0x7F80_0000, 0x007F_FFFF),
    "float16": Bits(2, 0x7C00, 0x03FF),
    "bfloat16": Bits(2, 0x7F80, 0x007F),
    "float8_e5m2": Bits(1, 0x7C, 0x03),
}
_PARTS: Mapping[str, str] = {"complex64": "float32", "complex128": "float64", "complex32": "float16"}
# Dtypes without infinities: a value is NaN where, with this mask applied, it is this code.
_NAN_ALONE: Mapping[str, tuple[int, int]] = {
    "float8_e4m3fn": (0x7F, 0x7F), "float8_e4m3fnuz": (0xFF, 0x80), "float8_e5m2fnuz": (0xFF, 0x80),
    "float8_e8m0fnu": (0xFF, 0xFF),
}  # fmt: skip


class NonFinite(NamedTuple):
    """A tensor with NaN or infinite values."""

    name: str
    dtype: str
    numel: int
    nans: int
    infinities: int


class Values(NamedTuple):
    """How many tensors were examined, those that are not finite, and how many were not examined, by the reason."""

    looked_at: int
    size_bytes: int
    found: tuple[NonFinite, ...]
    left_out: Mapping[str, int]


def values(contents: Contents, done: Callable[[], None] = lambda: None) -> Values:
    """Examine every value of every file. Raises what `reading.opened` raises."""
    non_finite: list[NonFinite] = []
    left_out: dict[str, int] = {}
    looked_at = size = 0
    unread = sum(entry.storage is None and entry.tensor.numel > 0 for entry in contents.entries)
    if unread:
        left_out["kept where values are not read: compressed, in parts, or not there"] = unread
    for path in contents.paths:
        with opened(path) as data:
            for entry, place in _of_file(contents, path):
                why = _why_not(entry)
                if why:
                    left_out[why] = left_out.get(why, 0) + 1
                    continue
                nans, infinities = _counted(entry, place, data, contents.order)
                looked_at, size = looked_at + 1, size + entry.tensor.size_bytes
                if nans or infinities:
                    non_finite.append(NonFinite(entry.name, entry.tensor.dtype, entry.tensor.numel, nans, infinities))
                done()
    return Values(looked_at, size, tuple(non_finite), left_out)


def _of_file(contents: Contents, path: str) -> Iterator[tuple[Entry, Place]]:
    for entry in contents.entries:
        if entry.storage is not None and contents.storages[entry.storage].path == path:
            yield entry, contents.storages[entry.storage]


def _why_not(entry: Entry) -> str:
    if entry.packing is not None:
        return f"packed as {entry.packing.format}"
    dtype = _PARTS.get(entry.tensor.dtype, entry.tensor.dtype)
    return "" if dtype in _IEEE or dtype in _NAN_ALONE else f"{dtype}, which is always finite"


def _counted(entry: Entry, place: Place, data: Bytes, order: str) -> tuple[int, int]:
    """NaN and infinite values of one tensor."""
    dtype = _PARTS.get(entry.tensor.dtype, entry.tensor.dtype)
    nans = infinities = 0
    for piece in _pieces(_bits(entry, place, data, order)):
        if dtype in _NAN_ALONE:
            mask, code = _NAN_ALONE[dtype]
            nans += int(((piece & mask) == code).sum())
            continue
        bits = _IEEE[dtype]
        special = piece[(piece & bits.exponent) == bits.exponent]
        nan = int(((special & bits.fraction) != 0).sum())
        nans, infinities = nans + nan, infinities + len(special) - nan
    return nans, infinities


def _bits(entry: Entry, place: Place, data: Any, order: str) -> NDArray[Any]:
    """A view of a tensor's elements in the file as whole numbers; a complex tensor has two for each element."""
    import numpy  # only this question needs it

    tensor, dtype = entry.tensor, _PARTS.get(entry.tensor.dtype, entry.tensor.dtype)
    size = _IEEE[dtype].size if dtype in _IEEE else 1
    parts = (2,) if tensor.dtype in _PARTS else ()
    shape, per = (*tensor.shape, *parts), size * (2 if parts else 1)
    strides = None if tensor.strides is None else (*(per * s for s in tensor.strides), *((size,) if parts else ()))
    first = start(place, data) + entry.start_bytes
    if first + entry.tensor.size_bytes > len(data):
        raise Malformed(f"it is truncated in {entry.name}")
    return numpy.ndarray(shape, f"{order}u{size}", data, first, strides)


def start(place: Place, data: Bytes) -> int:
    """Where a storage begins: in a zip behind the record's local header, which varies in length."""
    if not place.in_zip:
        return place.offset
    header = data[place.offset : place.offset + _LOCAL_HEADER]
    if header[:4] != _LOCAL_MAGIC or len(header) < _LOCAL_HEADER:
        raise Malformed("a record of its zip is not where the directory says")
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    start = place.offset + _LOCAL_HEADER + name + extra
    if start + place.size_bytes > len(data):
        raise Malformed("a record of its zip ends behind the file")
    return start


def _pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The array as flat pieces of at most `_PIECE` elements."""
    if array.size <= _PIECE:
        yield array.reshape(-1)
    elif array.flags.c_contiguous:
        flat = array.reshape(-1)
        for first in range(0, len(flat), _PIECE):
            yield flat[first : first + _PIECE]
    else:
        for row in array:
            yield from _pieces(row)
