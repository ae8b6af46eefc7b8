"""What the model is fed: arguments of any structure, with their tensors made ready for an engine."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any, cast

import torch
from torch.nn.utils.rnn import PackedSequence

from profiler import errors
from profiler.inputs import TensorSpec
from profiler.records import Input
from profiler.trace.constants import LARGEST
from profiler.trace.forms import is_plain
from profiler.trace.layouts import META, layout_of


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to every tensor and `TensorSpec` inside lists, tuples, mappings and dataclasses."""
    if isinstance(value, (torch.Tensor, TensorSpec)):
        return function(value)
    if isinstance(value, PackedSequence):  # its lengths are read on the CPU
        return value._replace(data=function(value.data))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_leaves(function, item) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(map_leaves(function, item) for item in value)
    if isinstance(value, dict):
        mapped = copy.copy(value)  # whatever kind of dict it is
        mapped.update((key, map_leaves(function, item)) for key, item in value.items())
        return mapped
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        return dataclasses.replace(value, **{n: map_leaves(function, getattr(value, n)) for n in names})
    return value


def once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, with the same answer for the same object: what was one tensor stays one."""
    found: dict[int, tuple[Any, Any]] = {}

    def remembered(leaf: Any) -> Any:
        if id(leaf) not in found:
            found[id(leaf)] = leaf, function(leaf)
        return found[id(leaf)][1]

    return remembered


def leaves(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor inside lists, tuples, mappings and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, Mapping):
        yield from leaves(list(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from leaves([getattr(value, field.name) for field in dataclasses.fields(value)])


def on_meta(leaf: Any) -> torch.Tensor:
    """A meta tensor in place of a `TensorSpec` or of a tensor."""
    if isinstance(leaf, TensorSpec):
        return placeholder(leaf)
    return leaf if leaf.is_meta else layout_of(leaf).empty()


def beside_meta(leaf: Any) -> torch.Tensor:
    """What a run on meta is fed: integers and flags keep their values, which models ask for; the rest has none."""
    if isinstance(leaf, TensorSpec):
        dtype = _dtype(leaf)
        if dtype.is_floating_point or dtype.is_complex or prod(leaf.shape) > LARGEST:
            return placeholder(leaf)
        return torch.zeros(leaf.shape, dtype=dtype)
    if not is_plain(leaf):
        return cast(torch.Tensor, leaf)  # the first operator that meets it asks for values
    is_constant = type(leaf) is torch.Tensor and not (leaf.is_floating_point() or leaf.is_complex())
    if not is_constant or leaf.is_meta or leaf.layout is not torch.strided or leaf.numel() > LARGEST:
        return on_meta(leaf)
    kept: torch.Tensor = leaf.cpu()
    return kept


def on_device(leaf: Any, device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """A real tensor: the caller's own, or one that is made."""
    made: torch.Tensor = random_values(leaf, generator) if isinstance(leaf, TensorSpec) else leaf
    return made.to(device)


def placeholder(spec: TensorSpec) -> torch.Tensor:
    try:
        return torch.empty(spec.shape, dtype=_dtype(spec), device=META)
    except RuntimeError as error:  # the number of its bytes overflows
        raise errors.TooLarge(spec.shape) from error


def random_values(spec: TensorSpec, generator: torch.Generator) -> torch.Tensor:
    """Uniform in [0, 1) for floating-point inputs; zeros for the others, which are valid token indices."""
    dtype = _dtype(spec)
    if dtype.is_floating_point:
        return torch.rand(spec.shape, generator=generator).to(dtype)
    return torch.zeros(spec.shape, dtype=dtype)


def _dtype(spec: TensorSpec) -> torch.dtype:
    found: torch.dtype = getattr(torch, spec.dtype)
    return found


def input_records(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Input, ...]:
    found: list[Input] = []

    def walk(name: str | None, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            record = layout_of(value).tensor
            found.append(Input(name, record.shape, record.dtype))
        elif isinstance(value, (list, tuple)):
            for item in value:
                walk(name, item)
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(f"{name}.{key}" if name else str(key), item)

    walk(None, args)
    walk(None, kwargs)
    return tuple(found)
