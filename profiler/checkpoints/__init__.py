"""What does a checkpoint hold? Read from headers alone: no weights, no torch, nothing that the file brings is run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from profiler import errors
from profiler.checkpoints import gguf, pickled, safetensors
from profiler.checkpoints.contents import Contents, Entry, Malformed, Place, quoted
from profiler.checkpoints.reading import LONGEST, Bytes, opened, shard


class _Format(Protocol):
    """A file of this folder: a format."""

    def looks_like(self, data: Bytes) -> bool: ...

    def read(self, path: str, data: Bytes) -> Contents: ...


INDEX = ".index.json"
SUFFIXES = (".safetensors", ".gguf", ".pt", ".pth", ".pth.tar", ".ckpt", ".bin")
# A header's length may begin with any byte, that of a pickle too; so what stands behind it is looked at first.
_FORMATS: tuple[_Format, ...] = (gguf, safetensors, pickled)
_POINTER = b"version https://git-lfs"


def read(path: str) -> Contents:
    """What a file holds, with all its shards; or the one checkpoint of a folder.

    Raises `UnreadableCheckpoint`, `MissingShard`, `NoCheckpoint` or `NoSuchFile`.
    """
    if Path(path).is_dir():
        path = in_folder(path)
    if path.endswith(INDEX):
        return _indexed(path)
    shards = gguf.shards(path)
    return _joined(path, shards) if len(shards) > 1 else _file(path)


def in_folder(folder: str) -> str:
    """The file of a folder that is its checkpoint: an index, else the only file of a format."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise errors.UnreadableCheckpoint(folder, error.strerror or errors.first_line(error)) from None
    for suffix in (f".safetensors{INDEX}", ".safetensors", ".gguf", f".bin{INDEX}", ".bin"):
        found = [name for name in names if name.endswith(suffix)]
        if len(found) > 1:
            raise errors.NoCheckpoint(folder, found)
        if found:
            return str(Path(folder) / found[0])
    raise errors.NoCheckpoint(folder, [])


def with_tensors(path: str) -> Contents:
    """The same of a file that holds some: for what says something about each of them."""
    found = read(path)
    if not found.entries:
        raise errors.UnreadableCheckpoint(path, "it holds no tensor")
    return found


def _file(path: str) -> Contents:
    """By what it begins with, whatever it is called."""
    with opened(path) as data:
        for form in _FORMATS:
            if form.looks_like(data):
                return form.read(path, data)
        raise Malformed(_otherwise(path, data))


def _otherwise(path: str, data: Bytes) -> str:
    if data[: len(_POINTER)] == _POINTER:
        return "it is a pointer by Git LFS, and not the file; git lfs pull fetches that"
    if path.endswith(".safetensors"):
        return "it does not begin as safetensors do, with the length of a header and the header"
    return f"it begins with {data[:8]!r}, as no format does that is known here: safetensors, torch.save's, GGUF"


# Several files --------------------------------------------------------------------------------------------------------


def _indexed(path: str) -> Contents:
    """An index has the file of each tensor by its name."""
    with opened(path) as data:
        if len(data) > LONGEST:
            raise Malformed(f"it has {len(data):,} bytes, and {LONGEST:,} are the most that is read")
        weights = safetensors.parsed(bytes(data[:]), "index").get("weight_map")
        if not isinstance(weights, dict) or not weights:
            raise Malformed("it has no weight_map, which says where each tensor is")
        files = {name: shard(path, name) for name in dict.fromkeys(map(_text, weights.values()))}
    found = _joined(path, list(files.values()))
    by_path = {place: name for name, place in files.items()}
    held = {
        (entry.name, by_path[found.storages[entry.storage].path])
        for entry in found.entries
        if entry.storage is not None
    }
    for name, file in weights.items():
        if (name, file) not in held:
            raise errors.UnreadableCheckpoint(path, f"{quoted(name)} is not in {quoted(file)}, where it says it is")
    return found


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise Malformed("it names a shard by something that is no file name")
    return name


def _joined(path: str, shards: Sequence[str]) -> Contents:
    missing = [Path(name).name for name in shards if not Path(name).is_file()]
    if missing:
        raise errors.MissingShard(path, missing, len(shards))
    found = [_file(name) for name in shards]
    entries: list[Entry] = []
    storages: list[Place] = []
    for one in found:
        entries += [_moved(entry, len(storages)) for entry in one.entries]
        storages += one.storages
    twice = [keys for keys, times in Counter(entry.keys for entry in entries).items() if times > 1]
    if twice:
        raise errors.UnreadableCheckpoint(path, f"{quoted('.'.join(map(str, twice[0])))} is in two of its files")
    return Contents(found[0].format, tuple(shards), tuple(entries), tuple(storages), _metadata(found), found[0].order)


def _moved(entry: Entry, by: int) -> Entry:
    return entry if entry.storage is None else entry._replace(storage=entry.storage + by)


def _metadata(found: Iterable[Contents]) -> dict[str, str]:
    """The first that says something."""
    said: dict[str, str] = {}
    for one in found:
        said = {**one.metadata, **said}
    return said
