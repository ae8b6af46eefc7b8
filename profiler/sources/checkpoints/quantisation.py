"""How is a checkpoint packed? Read from its names and shapes, its metadata, and the configuration file beside it."""

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

# Files in which tools write how they quantised; the first that says so is used.
CONFIGURATIONS = (
    "config.json", "quantize_config.json", "hf_quant_config.json", "quant_config.json", "quantization_config.json",
)  # fmt: skip
LONGEST = 1 << 24  # bytes of a configuration
_IN_METADATA = ("quantization_config", "quantization", "config")
# Small tensors whose values are a weight's shape, each with the tensor beside it that holds the packed weight.
_SHAPES = {"weight_shape": "weight_packed", "shape": "compressed"}
_MOST_DIMENSIONS = 8


def reading(contents: Contents, weights: Iterable[Weight]) -> Packings:
    """How each of the weights is packed, by its name; types of the file format that pack, as GGUF's, included."""
    several = list(weights)
    native = {name: entry.packing for name, entry in several if entry.packing is not None}
    tensors = {name: entry.tensor for name, entry in several}
    packings = read(tensors, _shapes(contents, several), _configuration_of(contents), native.keys())
    return packings._replace(packings={**packings.packings, **native})


def _configuration_of(contents: Contents) -> Told:
    """What the configuration beside the file says of its packing, else what the file's metadata says."""
    if contents.configuration is not None:
        return told(contents.configuration, contents.metadata)
    for name in CONFIGURATIONS if contents.paths else ():
        statement = told(configuration(Path(contents.paths[0]).with_name(name)), contents.metadata)
        if statement.method or statement.modules or statement.all != NOTHING.all:
            return statement
    inside = {
        key: _parsed(contents.metadata[key].encode(), contents.paths[0])
        for key in _IN_METADATA
        if key in contents.metadata
    }
    return told(inside.get("config") or inside, contents.metadata)


def configuration(path: Path) -> Mapping[str, Any]:
    """A JSON object in a file; an empty one where it cannot be read, for the user did not name this file."""
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
    """Shapes of packed weights that are stored as values of small tensors; impossible ones are left out."""
    shapes = {}
    for name, entry in weights:
        path, dot, last = name.rpartition(".")
        if last in _SHAPES and entry.storage is not None and entry.tensor.dtype in ("int64", "int32"):
            shape = _numbers(contents, entry)
            if shape and all(size > 0 for size in shape):
                shapes[path + dot + _SHAPES[last]] = shape
    return shapes


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
