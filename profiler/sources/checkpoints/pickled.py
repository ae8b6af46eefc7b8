"""How is a file of torch.save read? Since 1.6 a zip of a pickle and a record a storage; before that, one stream.

A zip is laid out as torch/serialization.py and caffe2/serialize/inline_container.cc write it: `NAME/data.pkl`, and
`NAME/data/KEY` for each storage, stored as they are. An old stream is a magic number, a version, facts about the
system, the pickle, the list of storages' keys, and then each storage with its length before it.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import zips
from profiler.records.files.limits import Budget
from profiler.records.files.reading import quoted
from profiler.records.trace import DTYPE_BITS
from profiler.sources.checkpoints.contents import Contents, Entry, Keys, Place, tensor
from profiler.sources.checkpoints.objects import Object
from profiler.sources.checkpoints.pickles import asks_for
from profiler.sources.checkpoints.pickles import read as unpickled
from profiler.sources.checkpoints.reading import Bytes, Reader
from profiler.sources.checkpoints.rebuilding import StorageRef, TensorRef

FORMAT, OLD_FORMAT = "torch", "torch before 1.6"
WHOLE = ", a whole model"  # behind a format
_ZIP, _PICKLE = b"PK\x03\x04", 0x80
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_VERSION = 1001
_DEEPEST = 32  # levels of nested dicts
_LONGEST = 1 << 25  # bytes of a pickle: of a thousand tensors with AdamW's state it has half a million
_LONGEST_KEY = 4096  # characters
_LEAST = 8  # bytes of a pickle for each mention of a tensor


def looks_like(data: Bytes) -> bool:
    return data[:4] == _ZIP or data[0] == _PICKLE


def read(path: str, data: Bytes) -> Contents:
    """Raises `Malformed`."""
    return _zipped(path, data) if data[:4] == _ZIP else _stream(path, data)


# A zip ----------------------------------------------------------------------------------------------------------------


def _zipped(path: str, data: Bytes) -> Contents:
    cost = Budget(path, len(data))
    with _archive(path) as archive:
        records = _records(archive, len(data))
        root = _root(records)
        saved, length = _pickle(archive, records[f"{root}data.pkl"], cost)
        order = _order(archive, records.get(f"{root}byteorder"), cost)
    sizes = {
        name.removeprefix(f"{root}data/"): Place(path, record.header_offset, record.file_size, in_zip=True)
        for name, record in records.items()
        if name.startswith(f"{root}data/")
    }
    return _contents(FORMAT, path, saved, sizes, length)._replace(order=order)


def _archive(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # zipfile fails in many ways on a malformed directory
        raise Malformed(f"its zip directory cannot be read ({errors.first_line(error)}); it may be truncated") from None


def _records(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The records by name; their sizes, as the directory has them, add up to no more than the file."""
    try:
        return zips.records(archive, size)
    except ValueError as error:
        raise Malformed(str(error)) from None


def _root(records: Mapping[str, zipfile.ZipInfo]) -> str:
    """The folder of `data.pkl` in the zip, with its slash."""
    pickles = [name for name in records if name == "data.pkl" or name.endswith("/data.pkl")]
    top = min(pickles, key=lambda name: name.count("/"), default=None)
    if any(name.endswith(("/models/model.json", "/serialized_exported_program.json")) for name in records):
        raise Malformed("it is a program by torch.export; call it FILE.pt2")
    if top is None:
        raise Malformed("it is a zip without data.pkl, and so not by torch.save")
    root = top.removesuffix("data.pkl")
    if f"{root}constants.pkl" in records or any(name.startswith(f"{root}code/") for name in records):
        raise Malformed("it is a TorchScript archive, which holds code; save model.state_dict() with torch.save")
    for name, record in records.items():
        if name.startswith((f"{root}data/", f"{root}data.pkl")) and not zips.is_stored(record):
            raise Malformed(
                f"{quoted(name)} in it is compressed, from {record.file_size:,} to {record.compress_size:,} bytes, "
                "which torch.save does not do; unzip it and save it again"
            )
    return root


def _pickle(archive: zipfile.ZipFile, record: zipfile.ZipInfo, cost: Budget) -> tuple[Any, int]:
    """The value that was saved, and the length of its pickle."""
    if record.file_size > _LONGEST:
        raise Malformed(f"its data.pkl claims {record.file_size:,} bytes, and {_LONGEST:,} are the most that is read")
    content = _content(archive, record, cost)
    code_names: list[str] = []
    return _checked(unpickled(Reader(content), Budget(cost.path, len(content)), code_names), code_names), len(content)


def _checked(saved: Any, code_names: list[str]) -> Any:
    """The value that was saved; refused where its pickle names foreign classes and it holds no model."""
    if code_names and not _has_module(saved):
        raise asks_for(code_names[0])
    return saved


def _has_module(saved: Any) -> bool:
    """Whether the value is a module, or a dict with one: a training script saves a model beside an epoch."""
    several = [saved, *(saved.values() if isinstance(saved, dict) else ())]
    return any(isinstance(each, Object) and each.is_module for each in several)


def _content(archive: zipfile.ZipFile, record: zipfile.ZipInfo, cost: Budget) -> bytes:
    try:
        return zips.unpacked(archive, record, cost)
    except ValueError as error:
        raise Malformed(str(error)) from None


def _order(archive: zipfile.ZipFile, record: zipfile.ZipInfo | None, cost: Budget) -> str:
    if record is None or record.file_size > len("little"):
        return "<"
    return ">" if _content(archive, record, cost) == b"big" else "<"


# A stream -------------------------------------------------------------------------------------------------------------


def _stream(path: str, data: Bytes) -> Contents:
    reader, cost = Reader(data, longest=_LONGEST), Budget(path, min(len(data), _LONGEST))
    if unpickled(reader, cost) != _OLD_MAGIC:
        raise Malformed("it is a pickle, and not by torch.save; save tensors with torch.save or as safetensors")
    if unpickled(reader, cost) != _OLD_VERSION:
        raise Malformed(f"it is of an old version of torch's format that is not {_OLD_VERSION}")
    unpickled(reader, cost)  # byte order and sizes of C's types
    start = reader.position
    code_names: list[str] = []
    saved = _checked(unpickled(reader, cost, code_names), code_names)
    length = reader.position - start
    keys = unpickled(reader, cost)
    storages = {storage.key: storage for _, ref in _tensors(saved, length) if (storage := ref.storage) is not None}
    return _contents(OLD_FORMAT, path, saved, _following(path, data, reader.position, keys, storages), length)


def _following(
    path: str, data: Bytes, position: int, keys: Any, storages: Mapping[str, StorageRef]
) -> dict[str, Place]:
    """Where each storage lies: in the order of `keys`, each behind an integer, the number of its elements."""
    if not isinstance(keys, list):
        raise Malformed("it has no list of storages")
    places = {}
    for key in map(str, keys):
        storage = storages.get(key)
        if storage is None:
            raise Malformed(f"it holds a storage of which nothing is known, {quoted(key)}")
        size = storage.numel * DTYPE_BITS[storage.dtype] // 8
        if position + 8 + size > len(data):
            raise Malformed(f"it is truncated: storage {quoted(key)} takes {size:,} bytes")
        if int.from_bytes(data[position : position + 8], "little") != storage.numel:
            raise Malformed(f"storage {quoted(key)} has another length than the pickle says")
        places[key] = Place(path, position + 8, size)
        position += 8 + size
    return places


# Tensors --------------------------------------------------------------------------------------------------------------


def _contents(format: str, path: str, saved: Any, places: Mapping[str, Place], length: int) -> Contents:
    """The tensors of the value that was saved; storages are in the order in which tensors refer to them."""
    format = f"{format}{WHOLE}" if _has_module(saved) else format
    indices: dict[str, int] = {}
    entries = [_entry(keys, ref, places, indices) for keys, ref in _tensors(saved, length)]
    return Contents(format, (path,), tuple(entries), tuple(places[key] for key in indices), _settings(saved))


def _entry(keys: Keys, ref: TensorRef, places: Mapping[str, Place], indices: dict[str, int]) -> Entry:
    stored = tensor(ref.shape, ref.dtype, ref.strides)
    stored = replace(stored, strides=None) if stored.is_contiguous else stored
    name = quoted(".".join(map(str, keys)))
    if ref.storage is None:
        return Entry(keys, stored, None, is_buffer=ref.is_buffer)
    if ref.storage.key not in places:
        raise Malformed(f"the storage {quoted(ref.storage.key)} of {name} is missing")
    bits, place = DTYPE_BITS[ref.dtype], places[ref.storage.key]
    last = sum((size - 1) * stride for size, stride in zip(ref.shape, ref.strides, strict=True))
    end = ((ref.offset + last + 1) * bits + 7) // 8 if stored.numel else 0
    claimed = max(end, ref.storage.numel * DTYPE_BITS[ref.storage.dtype] // 8)
    if claimed > place.size_bytes:
        raise Malformed(f"{name} takes {claimed:,} bytes of its storage, which has {place.size_bytes:,}")
    index = indices.setdefault(ref.storage.key, len(indices))
    return Entry(keys, stored, index, ref.offset * bits // 8, is_buffer=ref.is_buffer)


def _tensors(saved: Any, length: int) -> Iterator[tuple[Keys, TensorRef]]:
    """Every tensor in the value that was saved, with the keys that lead to it, in order.

    length: the pickle's, which bounds the number of tensors: a pickle may refer to one dict from several places, and
    with such dicts in each other lead to exponentially many.
    """
    members = _leading_to_tensors(saved)
    left = length // _LEAST + 1000
    waiting: list[tuple[Keys, Any]] = [((), saved)]
    while waiting:
        left -= 1
        if left < 0:
            raise Malformed("its pickle holds the same values over and over; it is refused as one that never ends")
        keys, value = waiting.pop()
        if isinstance(value, TensorRef):
            yield keys or ("tensor",), value
            continue
        inside = members.get(id(value), [])
        if inside and len(keys) >= _DEEPEST:
            raise Malformed(f"its pickle is nested more than {_DEEPEST} deep")
        waiting += [((*keys, _key(key)), item) for key, item in reversed(inside)]


def _leading_to_tensors(saved: Any) -> dict[int, list[tuple[Any, Any]]]:
    """The dicts, lists and objects that lead to tensors, by identity, each with those of its items that do."""
    inside: dict[int, list[tuple[Any, Any]]] = {}
    holders: dict[int, list[int]] = defaultdict(list)
    waiting, leading = [saved], []
    while waiting:
        value = waiting.pop()
        if id(value) in inside:
            continue
        inside[id(value)] = _inside(value)
        for _, item in inside[id(value)]:
            if isinstance(item, TensorRef):
                leading.append(id(value))
            else:
                holders[id(item)].append(id(value))
                waiting.append(item)
    holders_of_tensors: set[int] = set()
    while leading:
        holder = leading.pop()
        if holder not in holders_of_tensors:
            holders_of_tensors.add(holder)
            leading += holders[holder]
    return {
        holder: [
            (key, item) for key, item in inside[holder] if isinstance(item, TensorRef) or id(item) in holders_of_tensors
        ]
        for holder in holders_of_tensors
    }


def _inside(value: Any) -> list[tuple[Any, Any]]:
    """The items of a container that are tensors, or containers themselves."""
    if isinstance(value, dict):
        return [(key, item) for key, item in value.items() if _is_more(item)]
    if isinstance(value, Object):
        return [(key, item) for key, item in value.members() if _is_more(item)]
    if isinstance(value, list) or type(value) is tuple:
        return [(i, item) for i, item in enumerate(value) if _is_more(item)]
    return []


def _is_more(value: Any) -> bool:
    return isinstance(value, (dict, list, TensorRef, Object)) or type(value) is tuple


def _key(key: Any) -> str | int:
    if type(key) is int:
        return key
    text = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else key
    name = text if isinstance(text, str) else quoted(key)
    if len(name) > _LONGEST_KEY:
        raise Malformed(f"its pickle has a key of {len(name):,} characters")
    return name


def _settings(saved: Any) -> dict[str, str]:
    """The plain values beside the tensors: an epoch, a version."""
    if not isinstance(saved, dict):
        return {}
    plain = (str, int, float, bool)
    return {str(key): str(value)[:200] for key, value in saved.items() if isinstance(value, plain)}
