"""A folder of torch.distributed.checkpoint: `.metadata`, a pickle that says what there is, and files of bytes.

FSDP, DTensor and their trainers save so; the pickle is read by the same inert machine as others, and of the files only
how large they are. torch/distributed/checkpoint/metadata.py: `Metadata` has, by name, a tensor's size and dtype
(`TensorStorageMetadata`) or nothing (`BytesStorageMetadata`); `planner_data` has the keys that a name was made of, and
`storage_data` the file of each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files.limits import Budget
from profiler.records.files.reading import is_file, quoted
from profiler.records.trace import DTYPE_BITS
from profiler.sources.checkpoints.contents import Contents, Entry, Keys, tensor
from profiler.sources.checkpoints.objects import Object
from profiler.sources.checkpoints.pickles import read as unpickled
from profiler.sources.checkpoints.reading import Reader, opened, shard
from profiler.sources.checkpoints.rebuilding import Known

FORMAT = "torch.distributed.checkpoint"
METADATA = ".metadata"
_LONGEST = 1 << 27  # bytes of a pickle, which has each part of each tensor
_DEEPEST = 64  # keys of a name


def is_one(folder: str) -> bool:
    return is_file(Path(folder) / METADATA)


def read(folder: str) -> Contents:
    """Raises what the user is told."""
    path = str(Path(folder) / METADATA)
    with opened(path) as data:
        made = unpickled(Reader(data, longest=_LONGEST), Budget(path, min(len(data), _LONGEST)), [])
        if not isinstance(made, Object) or not made.name.endswith(".Metadata"):
            raise Malformed("it is no pickle of torch.distributed.checkpoint's")
        entries = tuple(_entries(made))
        files = [shard(path, name) for name in dict.fromkeys(_files(made))]
    missing = [Path(name).name for name in files if not is_file(name)]
    if missing:
        raise errors.missing_shard(folder, missing, len(files))
    return Contents(FORMAT, (path, *files), entries, ())


def _entries(made: Object) -> Iterator[Entry]:
    """Of each tensor; what is no tensor is no entry."""
    described, keys = made.attribute("state_dict_metadata"), made.attribute("planner_data")
    if not isinstance(described, dict):
        raise Malformed("it does not say which tensors there are")
    for name, said in described.items():
        if not isinstance(said, Object):
            raise Malformed(f"{quoted(name)} is described by something that is not known")
        if said.attribute("size") is not None:
            yield _entry(name, said, keys.get(name) if isinstance(keys, dict) else None)


def _entry(name: Any, said: Object, keys: Any) -> Entry:
    size, dtype = said.attribute("size"), _dtype(said.attribute("properties"))
    if type(size) is not tuple or not all(type(each) is int and each >= 0 for each in size):
        raise Malformed(f"the size of {quoted(name)} is no shape")
    if dtype not in DTYPE_BITS:
        raise Malformed(f"{quoted(name)} has a dtype that is not known")
    return Entry(_keys(name, keys), tensor(size, dtype), None)


def _dtype(properties: Any) -> str:
    """The first of what a tensor's properties are made of, or the one of that name."""
    state = properties.state if isinstance(properties, Object) else None
    found = properties.attribute("dtype") if isinstance(state, dict) else None
    for each in (found, *(state if type(state) is tuple else ())):
        if isinstance(each, Known) and each.name.startswith("torch."):
            return each.name.removeprefix("torch.")
    return ""


def _keys(name: Any, keys: Any) -> Keys:
    """Those that lead to it; numbers of an optimizer's parameters among them, as texts."""
    if type(keys) is tuple and 0 < len(keys) <= _DEEPEST and all(type(key) in (str, int) for key in keys):
        return keys
    if not isinstance(name, str):
        raise Malformed("a tensor's name is no text")
    return (name,)


def _files(made: Object) -> Iterator[str]:
    held = made.attribute("storage_data")
    for said in held.values() if isinstance(held, dict) else ():
        name = said.attribute("relative_path") if isinstance(said, Object) else None
        if not isinstance(name, str):
            raise Malformed("it does not say in which file a tensor is")
        yield name
