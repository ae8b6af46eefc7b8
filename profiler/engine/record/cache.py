"""What does a model keep of the tokens it has read? Keys and values, or states, in any object that holds tensors.

Nothing is assumed of its class: tensors are found by walking attributes, lists and mappings.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from profiler.engine.containers.builtin import attribute, entries, is_mapping, items
from profiler.engine.containers.forms import is_plain
from profiler.engine.record.known_tensors import KnownTensors
from profiler.records.trace import Cached

# What models call it, among what they return and among what they take.
# transformers 5.24 calls all of its own "cache", and warns where one of the older names is looked up.
NAMES = ("cache", "past_key_values", "cache_params", "past_buckets_states", "state", "mems")
_DEPTH = 8  # of objects in objects


class CachedTensor(NamedTuple):
    """A tensor in a cache: where it is ("layers.3.keys"), and the class of the object that has it as an attribute."""

    path: str
    owner: str
    tensor: Tensor


def returned(output: Any) -> tuple[str, Any] | None:
    """The cache that a forward pass returned, with its name; None where it returned none that holds tensors."""
    for name in NAMES:
        cache = dict(entries(output)).get(name) if is_mapping(output) else attribute(output, name)
        if cache is not None and next(held(cache), None) is not None:
            return name, cache
    return None


def taken_as(model: Any) -> str:
    """The name by which a model's forward pass takes a cache."""
    names = inspect.signature(model.forward).parameters
    return next((name for name in NAMES if name in names), "past_key_values")


def held(cache: Any) -> Iterator[CachedTensor]:
    """Every tensor in a cache, each once."""
    yield from _walk(cache, (), type(cache).__name__, set())


def records(output: Any, tensors: KnownTensors) -> tuple[Cached, ...]:
    """The tensors of the cache that a model returned, where it returned one; without those that no operator saw."""
    named = returned(output)
    if named is None:
        return ()
    name, cache = named
    stored = [(item, tensors.storage_of(item.tensor)) for item in held(cache)]
    return tuple(
        Cached(f"{name}.{item.path}", item.owner, tensors.record_of(item.tensor), storage)
        for item, storage in stored
        if storage is not None
    )


def _walk(value: Any, path: tuple[str, ...], owner: str, visited: set[int]) -> Iterator[CachedTensor]:
    if id(value) in visited or len(path) > _DEPTH:
        return
    if isinstance(value, Tensor) and not _is_wrapper(value):
        visited.add(id(value))
        yield CachedTensor(".".join(path), owner, value)
        return
    for name, item, owned_by in _inside(value, owner):
        if not isinstance(item, (str, int, float, bool, type(None))):
            visited.add(id(value))
            yield from _walk(item, (*path, name), owned_by, visited)


def _is_wrapper(tensor: Tensor) -> bool:
    """Whether it is made of others, as packed ones are: those are what takes memory."""
    return type(tensor) is not Tensor and hasattr(tensor, "__tensor_flatten__")


def _inside(value: Any, owner: str) -> Iterable[tuple[str, Any, str]]:
    if isinstance(value, Tensor):
        return [(name, getattr(value, name), owner) for name in value.__tensor_flatten__()[0]]  # type: ignore[attr-defined]
    if is_mapping(value):
        return [(str(name), item, owner) for name, item in entries(value)]
    if isinstance(value, (list, tuple)):
        return [(str(i), item, owner) for i, item in enumerate(items(value))]
    if isinstance(value, (type, torch.dtype, torch.device)) or callable(value):
        return []
    return [(name, item, type(value).__name__) for name, item in getattr(value, "__dict__", {}).items()]


def fresh(cache: Any) -> Any:
    """A copy, on storages of its own: a run changes the cache that it is given."""
    storages: dict[int, torch.UntypedStorage] = {}
    return copy.deepcopy(cache, {id(item.tensor): _copied(item.tensor, storages) for item in held(cache)})


def _copied(tensor: Tensor, storages: dict[int, torch.UntypedStorage]) -> Tensor:
    """Tensors that shared a storage share one again. What the run that made a tensor noted on it is not copied."""
    if not is_plain(tensor):
        return tensor.clone()
    storage = tensor.untyped_storage()
    if storage._cdata not in storages:
        empty = torch.UntypedStorage(storage.nbytes(), device=storage.device)
        storages[storage._cdata] = empty if tensor.is_meta else empty.copy_(storage)
    copied = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return copied.set_(storages[storage._cdata], tensor.storage_offset(), tensor.shape, tensor.stride())
