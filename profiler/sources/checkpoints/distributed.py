"""How is a folder of torch.distributed.checkpoint read? From `.metadata`, a pickle that describes the tensors.

FSDP, DTensor and trainers that use them save this format. The pickle is read without running it, as other pickles are;
of the other files only the sizes are read. torch/distributed/checkpoint/metadata.py: `Metadata` has, by name, the size
and dtype of a tensor (`TensorStorageMetadata`) or neither (`BytesStorageMetadata`); `planner_data` has the keys that a
name was joined from, and `storage_data` the file of each part.
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
from profiler.sources.checkpoints.rebuilding import TorchName

FORMAT = "torch.distributed.checkpoint"
METADATA = ".metadata"
_LONGEST = 1 << 27  # bytes of a pickle, which has each part of each tensor
_DEEPEST = 64  # keys of a name


def is_distributed(folder: str) -> bool:
    return is_file(Path(folder) / METADATA)


def read(folder: str) -> Contents:
    """Raises a `ProfileError`, which for a malformed file is `UnreadableCheckpoint`."""
    path = str(Path(folder) / METADATA)
    with opened(path) as data:
        metadata = unpickled(Reader(data, longest=_LONGEST), Budget(path, min(len(data), _LONGEST)), [])
        if not isinstance(metadata, Object) or not metadata.name.endswith(".Metadata"):
            raise Malformed("it is no pickle of torch.distributed.checkpoint's")
        entries = tuple(_entries(metadata))
        files = [shard(path, name) for name in dict.fromkeys(_files(metadata))]
    missing = [Path(name).name for name in files if not is_file(name)]
    if missing:
        raise errors.missing_shard(folder, missing, len(files))
    return Contents(FORMAT, (path, *files), entries, ())


def _entries(metadata: Object) -> Iterator[Entry]:
    """An entry for each tensor; other values have none."""
    described, keys = metadata.attribute("state_dict_metadata"), metadata.attribute("planner_data")
    if not isinstance(described, dict):
        raise Malformed("it does not say which tensors there are")
    for name, description in described.items():
        if not isinstance(description, Object):
            raise Malformed(f"{quoted(name)} is described by something that is not known")
        if description.attribute("size") is not None:
            yield _entry(name, description, keys.get(name) if isinstance(keys, dict) else None)


def _entry(name: Any, description: Object, keys: Any) -> Entry:
    size, dtype = description.attribute("size"), _dtype(description.attribute("properties"))
    if type(size) is not tuple or not all(type(each) is int and each >= 0 for each in size):
        raise Malformed(f"the size of {quoted(name)} is no shape")
    if dtype not in DTYPE_BITS:
        raise Malformed(f"{quoted(name)} has a dtype that is not known")
    return Entry(_keys(name, keys), tensor(size, dtype), None)


def _dtype(properties: Any) -> str:
    """The dtype in a tensor's properties, whose state is a dict with that name or a tuple."""
    state = properties.state if isinstance(properties, Object) else None
    dtype = properties.attribute("dtype") if isinstance(state, dict) else None
    for each in (dtype, *(state if type(state) is tuple else ())):
        if isinstance(each, TorchName) and each.name.startswith("torch."):
            return each.name.removeprefix("torch.")
    return ""


def _keys(name: Any, keys: Any) -> Keys:
    """The keys that lead to a tensor, of which those of an optimizer's state contain numbers; else its name alone."""
    if type(keys) is tuple and 0 < len(keys) <= _DEEPEST and all(type(key) in (str, int) for key in keys):
        return keys
    if not isinstance(name, str):
        raise Malformed("a tensor's name is no text")
    return (name,)


def _files(metadata: Object) -> Iterator[str]:
    locations = metadata.attribute("storage_data")
    for location in locations.values() if isinstance(locations, dict) else ():
        name = location.attribute("relative_path") if isinstance(location, Object) else None
        if not isinstance(name, str):
            raise Malformed("it does not say in which file a tensor is")
        yield name
