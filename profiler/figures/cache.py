"""What is in a cache of tokens? Its tensors by kind, as a trace recorded them in the object that the model returned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from profiler.records.trace import Cached, Tensor, Trace


class Part(NamedTuple):
    """So many tensors of a cache that are alike. `kind` is "full", "sliding", "latent", "cross" or "state"."""

    kind: str
    name: str
    owner: str
    shape: tuple[int, ...]
    dtype: str
    tensors: int
    size_bytes: int


def contents(trace: Trace) -> Iterator[Cached]:
    """What a cache holds of tokens; numbers that it counts with, such as a position, are left out."""
    for cached in trace.cache:
        if cached.tensor.numel and (cached.tensor.ndim or cached.tensor.is_float):
            yield cached


def cache_bytes(trace: Trace) -> int:
    """The contents of the cache after the run."""
    return sum(part.tensor.size_bytes for part in contents(trace))


def parts(trace: Trace) -> list[Part]:
    """The contents of the cache, tensors that are alike together, in the order in which they occur."""
    latent = _latent(trace)
    alike: dict[tuple[str, str, str, Tensor], int] = {}
    for cached in contents(trace):
        key = _kind(cached, latent), _name(cached), cached.owner, replace(cached.tensor, strides=None)
        alike[key] = alike.get(key, 0) + 1
    return [
        Part(kind, name, owner, tensor.shape, tensor.dtype, count, count * tensor.size_bytes)
        for (kind, name, owner, tensor), count in alike.items()
    ]


def by_kind(trace: Trace) -> dict[str, int]:
    """Bytes of each kind."""
    sizes: Counter[str] = Counter()
    for part in parts(trace):
        sizes[part.kind] += part.size_bytes
    return dict(sizes)


def _kind(cached: Cached, latent: set[str]) -> str:
    if "cross_attention" in cached.path:
        return "cross"
    if "state" in _name(cached):
        return "state"
    if "Sliding" in cached.owner:
        return "sliding"
    return "latent" if _layer(cached) in latent else "full"


def _name(cached: Cached) -> str:
    """The attribute that holds it."""
    words = [word for word in cached.path.split(".") if not word.isdecimal()]
    return words[-1].strip("_") if words else cached.path


def _layer(cached: Cached) -> str:
    return cached.path.rpartition(".")[0]


def _latent(trace: Trace) -> set[str]:
    """Layers that keep one head for all, of keys and values that are not of one width: what both are projected from."""
    widths: dict[str, set[int]] = {}
    for cached in contents(trace):
        if cached.tensor.ndim == 4 and cached.tensor.shape[1] == 1 and _name(cached) in ("keys", "values"):
            widths.setdefault(_layer(cached), set()).add(cached.tensor.shape[-1])
    return {layer for layer, of_layer in widths.items() if len(of_layer) > 1}
