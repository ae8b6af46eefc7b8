"""What does a checkpoint hold? Read from headers alone: no weights, no torch, nothing that the file brings is run."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files.limits import Budget
from profiler.records.files.reading import is_file, quoted
from profiler.sources.checkpoints import distributed, gguf, hub, npz, pickled, safetensors
from profiler.sources.checkpoints.contents import Contents, Entry, Place
from profiler.sources.checkpoints.reading import LONGEST, Bytes, inside, opened, shard


class _Files(Protocol):
    """Where files are: on the disk, or on the hub."""

    formats: tuple[_Format, ...]

    def opened(self, path: str) -> AbstractContextManager[Bytes]: ...

    def is_file(self, path: str) -> bool: ...

    def each(self, read: Callable[[str], Contents], paths: Sequence[str]) -> list[Contents]: ...


class _Format(Protocol):
    """A file of this folder: a format."""

    def looks_like(self, data: Bytes) -> bool: ...

    def read(self, path: str, data: Bytes) -> Contents: ...


INDEX = ".index.json"
SUFFIXES = (".safetensors", ".gguf", ".pt", ".pth", ".pth.tar", ".ckpt", ".bin", ".npz")
# A header's length may begin with any byte, that of a pickle too; so what stands behind it is looked at first.
_FORMATS: tuple[_Format, ...] = (gguf, safetensors, npz, pickled)
_REMOTE: tuple[_Format, ...] = (gguf, safetensors)  # a pickle's place is said at the end of its file
_DEEPSPEED = "model_states.pt"  # as its folders have them, beside states of optimizers
# What trainers save beside weights: an optimizer, a scheduler, random states, their arguments.
_NO_WEIGHTS = re.compile(r"^(training_args|optimizer|scheduler|scaler|random_states|rng_state)[\w-]*\.|optim_states")
_CONFIGURATION = "config.json"
_POINTER = b"version https://git-lfs"


def read(path: str) -> Contents:
    """What a file holds, with all its shards; or the one checkpoint of a folder.

    `hf:ORGANISATION/NAME/FILE` is one of the hub, of which the headers are fetched.

    Raises `UnreadableCheckpoint`, `MissingShard`, `NoCheckpoint` or `NoSuchFile`.
    """
    place = hub.place(path)
    if place is not None:
        return _remote(path, place)
    if os.path.isdir(path):
        if distributed.is_one(path):
            return distributed.read(path)
        path = in_folder(path)
    return _whole(path, _LOCAL)


def is_remote(path: str) -> bool:
    """Whether this names weights on the hub, `hf:ORGANISATION/NAME/` or a file there, and no folder that is here."""
    place = hub.place(path)
    if place is None or os.path.exists(path.removeprefix(hub.PREFIX)):
        return False
    return not place.name or place.name.endswith(("/", INDEX, *SUFFIXES))


def _whole(path: str, files: _Files) -> Contents:
    if path.endswith(INDEX):
        return _indexed(path, files)
    shards = gguf.shards(path)
    return _joined(path, _beside(path, shards), files) if len(shards) > 1 else _file(path, files)


def _beside(path: str, shards: Sequence[str]) -> list[str]:
    """The files of a model that was split, none of which is a link out of the folder."""
    try:
        return [inside(path, name) for name in shards]
    except Malformed as error:
        raise errors.UnreadableCheckpoint(path, str(error)) from None


def in_folder(folder: str) -> str:
    """The file of a folder that is its checkpoint: an index, else the only file of a format."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise errors.UnreadableCheckpoint(folder, error.strerror or errors.first_line(error)) from None
    return str(Path(folder) / chosen(folder, names))


def chosen(folder: str, names: Sequence[str]) -> str:
    """Of a folder's names that of its checkpoint; the parts of a GGUF model are one."""
    for suffix in (f".safetensors{INDEX}", ".safetensors", ".gguf", f".bin{INDEX}", ".bin", _DEEPSPEED, ".npz"):
        found = [name for name in names if name.endswith(suffix) and not _NO_WEIGHTS.search(name)]
        if found and len(found) > len(gguf.shards(found[0])):
            raise _no_checkpoint(folder, found)
        if found:
            return found[0]
    raise _no_checkpoint(folder, [], _remedy(folder, names))


def _remedy(folder: str, names: Sequence[str]) -> str:
    """What else of a folder can be named."""
    if _CONFIGURATION in names and not folder.startswith(hub.PREFIX):
        return f"write {hub.PREFIX}{folder} for the model of its {_CONFIGURATION}"
    code = next((name for name in names if name.endswith(".py") and not name.startswith("_")), None)
    return "name a file" if code is None else f"name a file, like {Path(folder) / code}:CALLABLE"


def with_tensors(path: str) -> Contents:
    """The same of a file that holds some: for what says something about each of them."""
    found = read(path)
    if not found.entries:
        raise errors.UnreadableCheckpoint(path, "it holds no tensor")
    return found


def _file(path: str, files: _Files) -> Contents:
    """By what it begins with, whatever it is called."""
    with files.opened(path) as data:
        for form in files.formats:
            if form.looks_like(data):
                return form.read(path, data)
        raise Malformed(_otherwise(path, data))


def _otherwise(path: str, data: Bytes) -> str:
    if data[: len(_POINTER)] == _POINTER:
        return "it is a pointer by Git LFS, and not the file; git lfs pull fetches that"
    if isinstance(data, hub.RemoteBytes) and pickled.looks_like(data):
        return "it is torch's own format or numpy's, of which no headers are read on the hub; download the file"
    if path.endswith(".safetensors"):
        return "it does not begin as safetensors do, with the length of a header and the header"
    why = f"it begins with {data[:8]!r}, as no format does that is known here: safetensors, torch.save's, GGUF"
    is_other = not path.endswith(SUFFIXES)
    return f"{why}; other models are named as FILE.py:CALLABLE, FILE.pt2, FILE.onnx or FILE.json" if is_other else why


class _Disk:
    """The files that are here."""

    formats = _FORMATS

    def opened(self, path: str) -> AbstractContextManager[Bytes]:
        return opened(path)

    def is_file(self, path: str) -> bool:
        return is_file(path)

    def each(self, read: Callable[[str], Contents], paths: Sequence[str]) -> list[Contents]:
        return [read(path) for path in paths]


_LOCAL = _Disk()


def _remote(path: str, place: hub.HubFile) -> Contents:
    """One of the hub, with the configuration that is beside it there."""
    files = hub.Files(hub.Hub(), _REMOTE)
    if not place.name or place.name.endswith("/"):
        place = place._replace(name=place.name + chosen(path, files.names(place)))
    found = _whole(place.text, files)
    return found._replace(size_bytes=sum(files.sizes[name] for name in found.paths), told=files.configuration(place))


# Several files --------------------------------------------------------------------------------------------------------


def _indexed(path: str, files: _Files) -> Contents:
    """An index has the file of each tensor by its name."""
    with files.opened(path) as data:
        if len(data) > LONGEST:
            raise Malformed(f"it has {len(data):,} bytes, and {LONGEST:,} are the most that is read")
        weights = safetensors.parsed(bytes(data[:]), "index", Budget(path, len(data))).get("weight_map")
        if not isinstance(weights, dict) or not weights:
            raise Malformed("it has no weight_map, which says where each tensor is")
        shards = {name: shard(path, name) for name in dict.fromkeys(map(_text, weights.values()))}
    found = _joined(path, list(shards.values()), files)
    by_path = {place: name for name, place in shards.items()}
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


def _joined(path: str, shards: Sequence[str], files: _Files) -> Contents:
    missing = [Path(name).name for name in shards if not files.is_file(name)]
    if missing:
        raise errors.missing_shard(path, missing, len(shards))
    found = files.each(lambda name: _file(name, files), shards)
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


# Error messages -------------------------------------------------------------------------------------------------------


def _no_checkpoint(folder: str, files: Sequence[str], remedy: str = "name a file") -> errors.ProfileError:
    """`files` are the several that a folder has; where it has none, `remedy` says what else of it can be named."""
    count = f"it has several, {errors.some(files)}" if files else "it has none"
    return errors.ProfileError(f"{folder} is a folder, of which one checkpoint is meant, and {count}; {remedy}")
