"""What are the weights of a checkpoint? Its values as tensors, read from the file's bytes: nothing is unpickled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.engine.run.subject import Rebuilt, Subject
from profiler.errors import Malformed
from profiler.sources import checkpoints
from profiler.sources.checkpoints import naming
from profiler.sources.checkpoints.contents import Contents, Entry, Place
from profiler.sources.checkpoints.reading import Bytes, opened
from profiler.sources.checkpoints.values import start


def with_weights(subject: Subject, path: str) -> Subject:
    """The subject with the weights of a checkpoint that matches it; raises `errors.ProfileError`."""
    if not any(weight.is_meta for weight in subject.model.parameters()) or subject.rebuild is None:
        _load(subject.model, path)
        return dataclasses.replace(subject, rebuild=None)
    build = subject.rebuild

    def rebuilt() -> nn.Module | Rebuilt:
        built = build()
        _load(built.model if isinstance(built, Rebuilt) else built, path)
        return built

    return dataclasses.replace(subject, rebuild=rebuilt)


def _load(model: nn.Module, path: str) -> None:
    """Copy the values into a model that they match."""
    with torch.no_grad():
        state = model.state_dict(keep_vars=True)
        for name, value in tensors(path).items():
            weight = state[name]
            weight.copy_(value.reshape(weight.shape))


def tensors(path: str) -> Mapping[str, Tensor]:
    """The model's weights by their names in the file; raises `errors.ProfileError`."""
    if checkpoints.is_remote(path):
        raise errors.UnreadableCheckpoint(path, "it is on the hub, of which headers alone are read; download it")
    contents = checkpoints.with_tensors(path)
    weights = naming.told_apart(contents).named
    found: dict[str, Tensor] = {}
    for file in contents.paths:
        with opened(file) as data:
            for name, (_, entry) in weights.items():
                place = None if entry.storage is None else contents.storages[entry.storage]
                if place is not None and place.path == file:
                    found[name] = _values(entry, place, data, contents)
    missing = [name for name in weights if name not in found]
    if missing:
        raise errors.UnreadableCheckpoint(path, f"the values of {missing[0]} are kept where they are not read")
    return found


def _values(entry: Entry, place: Place, data: Any, contents: Contents) -> Tensor:
    tensor = entry.tensor
    dtype = getattr(torch, tensor.dtype, None)
    if entry.packing is not None or not isinstance(dtype, torch.dtype) or contents.order != "<":
        raise Malformed(f"{entry.name} is packed, as {tensor.dtype}, or in another byte order: give plain weights")
    if not tensor.numel:
        return torch.empty(tensor.shape, dtype=dtype)
    strides = tensor.strides or _contiguous(tensor.shape)
    elements = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, strides, strict=True))
    size = elements * dtype.itemsize
    first = start(place, data) + entry.start_bytes
    if first + size > _end(place, data):
        raise Malformed(f"it is truncated in {entry.name}")
    flat = torch.frombuffer(bytearray(data[first : first + size]), dtype=dtype)
    return flat.as_strided(tensor.shape, strides)


def _end(place: Place, data: Bytes) -> int:
    return min(len(data), start(place, data) + place.size_bytes)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)
