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
from profiler.sources.suffixes import INDEX, SUFFIXES


class _Files(Protocol):
    """Access to the files of one place: the disk, or the hub."""

    formats: tuple[_Format, ...]

    def opened(self, path: str) -> AbstractContextManager[Bytes]: ...

    def is_file(self, path: str) -> bool: ...

    def each(self, read: Callable[[str], Contents], paths: Sequence[str]) -> list[Contents]: ...


class _Format(Protocol):
    """A file of this folder: a format."""

    def looks_like(self, data: Bytes) -> bool: ...

    def read(self, path: str, data: Bytes) -> Contents: ...


# safetensors before pickles: a file of theirs begins with the header's length, whose first byte may be a pickle's.
_FORMATS: tuple[_Format, ...] = (gguf, safetensors, npz, pickled)
_REMOTE: tuple[_Format, ...] = (gguf, safetensors)  # a zip's directory, with the pickle's place, is at the file's end
_DEEPSPEED = "model_states.pt"  # the file of weights in a folder of DeepSpeed's, beside optimizer states
# What trainers save beside weights: an optimizer, a scheduler, random states, their arguments.
_NO_WEIGHTS = re.compile(r"^(training_args|optimizer|scheduler|scaler|random_states|rng_state)[\w-]*\.|optim_states")
_CONFIGURATION = "config.json"
_POINTER = b"version https://git-lfs"


def read(path: str) -> Contents:
    """The contents of a file with all its shards, or of the only checkpoint of a folder.

    `hf:ORGANISATION/NAME/FILE` names a file on the hub, whose headers are fetched.

    Raises a `ProfileError`, which for a malformed file is `UnreadableCheckpoint`.
    """
    place = hub.place(path)
    if place is not None:
        return _remote(path, place)
    if os.path.isdir(path):
        if distributed.is_distributed(path):
            return distributed.read(path)
        path = in_folder(path)
    return _whole(path, _LOCAL)


def is_remote(path: str) -> bool:
    """Whether this names weights on the hub, `hf:ORGANISATION/NAME/` or a file there, and no folder on the disk."""
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
    """The name, among a folder's, of its checkpoint; the shards of a GGUF model are one checkpoint."""
    for suffix in (f".safetensors{INDEX}", ".safetensors", ".gguf", f".bin{INDEX}", ".bin", _DEEPSPEED, ".npz"):
        candidates = [name for name in names if name.endswith(suffix) and not _NO_WEIGHTS.search(name)]
        if candidates and len(candidates) > len(gguf.shards(candidates[0])):
            raise _no_checkpoint(folder, candidates)
        if candidates:
            return candidates[0]
    raise _no_checkpoint(folder, [], _remedy(folder, names))


def _remedy(folder: str, names: Sequence[str]) -> str:
    """What the user can write instead of a folder without a checkpoint."""
    if _CONFIGURATION in names and not folder.startswith(hub.PREFIX):
        return f"write {hub.PREFIX}{folder} for the model of its {_CONFIGURATION}"
    code = next((name for name in names if name.endswith(".py") and not name.startswith("_")), None)
    return "name a file" if code is None else f"name a file, like {Path(folder) / code}:CALLABLE"


def with_tensors(path: str) -> Contents:
    """As `read`, but a file without tensors is an error."""
    contents = read(path)
    if not contents.entries:
        raise errors.UnreadableCheckpoint(path, "it holds no tensor")
    return contents


def _file(path: str, files: _Files) -> Contents:
    """Read one file; its format is recognised by its first bytes, whatever its name."""
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
    """Files on the disk."""

    formats = _FORMATS

    def opened(self, path: str) -> AbstractContextManager[Bytes]:
        return opened(path)

    def is_file(self, path: str) -> bool:
        return is_file(path)

    def each(self, read: Callable[[str], Contents], paths: Sequence[str]) -> list[Contents]:
        return [read(path) for path in paths]


_LOCAL = _Disk()


def _remote(path: str, place: hub.HubFile) -> Contents:
    """A checkpoint on the hub, with the configuration file beside it."""
    files = hub.Files(hub.Hub(), _REMOTE)
    if not place.name or place.name.endswith("/"):
        place = place._replace(name=place.name + chosen(path, files.names(place)))
    contents = _whole(place.text, files)
    size = sum(files.sizes[name] for name in contents.paths)
    return contents._replace(size_bytes=size, configuration=files.configuration(place))


# Several files --------------------------------------------------------------------------------------------------------


def _indexed(path: str, files: _Files) -> Contents:
    """Read all files of an index, a JSON object that maps each tensor's name to its file."""
    with files.opened(path) as data:
        if len(data) > LONGEST:
            raise Malformed(f"it has {len(data):,} bytes, and {LONGEST:,} are the most that is read")
        weights = safetensors.parsed(bytes(data[:]), "index", Budget(path, len(data))).get("weight_map")
        if not isinstance(weights, dict) or not weights:
            raise Malformed("it has no weight_map, which says where each tensor is")
        shards = {name: shard(path, name) for name in dict.fromkeys(map(_text, weights.values()))}
    contents = _joined(path, list(shards.values()), files)
    by_path = {place: name for name, place in shards.items()}
    locations = {
        (entry.name, by_path[contents.storages[entry.storage].path])
        for entry in contents.entries
        if entry.storage is not None
    }
    for name, file in weights.items():
        if (name, file) not in locations:
            raise errors.UnreadableCheckpoint(path, f"{quoted(name)} is not in {quoted(file)}, where it says it is")
    return contents


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise Malformed("it names a shard by something that is no file name")
    return name


def _joined(path: str, shards: Sequence[str], files: _Files) -> Contents:
    missing = [Path(name).name for name in shards if not files.is_file(name)]
    if missing:
        raise errors.missing_shard(path, missing, len(shards))
    parts = files.each(lambda name: _file(name, files), shards)
    entries: list[Entry] = []
    storages: list[Place] = []
    for part in parts:
        entries += [_moved(entry, len(storages)) for entry in part.entries]
        storages += part.storages
    twice = [keys for keys, times in Counter(entry.keys for entry in entries).items() if times > 1]
    if twice:
        raise errors.UnreadableCheckpoint(path, f"{quoted('.'.join(map(str, twice[0])))} is in two of its files")
    return Contents(parts[0].format, tuple(shards), tuple(entries), tuple(storages), _metadata(parts), parts[0].order)


def _moved(entry: Entry, by: int) -> Entry:
    return entry if entry.storage is None else entry._replace(storage=entry.storage + by)


def _metadata(parts: Iterable[Contents]) -> dict[str, str]:
    """The metadata of all files together; of a key that is in several the first value."""
    metadata: dict[str, str] = {}
    for part in parts:
        metadata = {**part.metadata, **metadata}
    return metadata


# Error messages -------------------------------------------------------------------------------------------------------


def _no_checkpoint(folder: str, files: Sequence[str], remedy: str = "name a file") -> errors.ProfileError:
    """`files` are the candidates where a folder has several; where it has none, `remedy` is what to write instead."""
    count = f"it has several, {errors.some(files)}" if files else "it has none"
    return errors.ProfileError(f"{folder} is a folder, of which one checkpoint is meant, and {count}; {remedy}")
