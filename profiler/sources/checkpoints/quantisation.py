"""How is a checkpoint packed? By its names and shapes, its metadata, and the configuration that stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profiler.errors import Malformed
from profiler.records.files import reading as files
from profiler.records.files.limits import Budget
from profiler.records.packing import Packings, Told, read
from profiler.records.packing.told import NOTHING, told
from profiler.records.trace import DTYPE_BITS
from profiler.sources.checkpoints import values
from profiler.sources.checkpoints.contents import Contents, Entry
from profiler.sources.checkpoints.naming import Weight
from profiler.sources.checkpoints.reading import opened
from profiler.sources.checkpoints.safetensors import parsed

# Where tools write how they quantised, the first that says something.
CONFIGURATIONS = (
    "config.json", "quantize_config.json", "hf_quant_config.json", "quant_config.json", "quantization_config.json",
)  # fmt: skip
LONGEST = 1 << 24  # bytes of a configuration
_IN_METADATA = ("quantization_config", "quantization", "config")
# A weight's shape as the values of a small tensor beside it, and the tensor that holds the weights.
_SHAPES = {"weight_shape": "weight_packed", "shape": "compressed"}
_MOST_DIMENSIONS = 8


def reading(contents: Contents, weights: Iterable[Weight]) -> Packings:
    """How each of the weights is packed, by its name; what the file's own types say is there too."""
    several = list(weights)
    known = {name: entry.packing for name, entry in several if entry.packing is not None}
    tensors = {name: entry.tensor for name, entry in several}
    found = read(tensors, _shapes(contents, several), told_of(contents), known.keys())
    return found._replace(packings={**found.packings, **known})


def told_of(contents: Contents) -> Told:
    """What the configuration beside the file says, else the metadata in it."""
    if contents.told is not None:
        return told(contents.told, contents.metadata)
    for name in CONFIGURATIONS if contents.paths else ():
        found = told(configuration(Path(contents.paths[0]).with_name(name)), contents.metadata)
        if found.method or found.modules or found.all != NOTHING.all:
            return found
    inside = {
        key: _parsed(contents.metadata[key].encode(), contents.paths[0])
        for key in _IN_METADATA
        if key in contents.metadata
    }
    return told(inside.get("config") or inside, contents.metadata)


def configuration(path: Path) -> Mapping[str, Any]:
    """A JSON object in a file; an empty one where there is none, for it is not the file that was asked for."""
    try:
        return _parsed(files.content(path, LONGEST), str(path))
    except OSError:
        return {}


def _parsed(text: bytes, path: str) -> Mapping[str, Any]:
    try:
        return parsed(text, "configuration", Budget(path, len(text)))
    except Malformed:
        return {}


def _shapes(contents: Contents, weights: Iterable[Weight]) -> dict[str, tuple[int, ...]]:
    """Shapes that are kept as values, of which each is a few bytes of the file; those that are impossible are none."""
    found = {}
    for name, entry in weights:
        path, dot, last = name.rpartition(".")
        if last in _SHAPES and entry.storage is not None and entry.tensor.dtype in ("int64", "int32"):
            shape = _numbers(contents, entry)
            if shape and all(size > 0 for size in shape):
                found[path + dot + _SHAPES[last]] = shape
    return found


def _numbers(contents: Contents, entry: Entry) -> tuple[int, ...]:
    place, size = contents.storages[entry.storage or 0], DTYPE_BITS[entry.tensor.dtype] // 8
    count = entry.tensor.numel
    if count > _MOST_DIMENSIONS or not entry.tensor.is_contiguous or not Path(place.path).is_file():
        return ()
    with opened(place.path) as data:
        first = values.start(place, data) + entry.start_bytes
        raw = data[first : first + count * size]
    order = "big" if contents.order == ">" else "little"
    return tuple(int.from_bytes(raw[i : i + size], order, signed=True) for i in range(0, len(raw), size))  # type: ignore[arg-type]
