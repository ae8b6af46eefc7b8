"""What is a model fed? Arguments of any structure, with their tensors made ready for an engine."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.nn import Parameter

from profiler import errors
from profiler.engine.containers.forms import called, is_plain
from profiler.engine.containers.layouts import MARK, META, layout_of
from profiler.engine.containers.walk import named
from profiler.engine.meta.constants import LARGEST
from profiler.records.inputs import TensorSpec, written
from profiler.records.trace import Input


def once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, with the same answer for the same object: what was one tensor stays one."""
    answers: dict[int, tuple[Any, Any]] = {}

    def remembered(leaf: Any) -> Any:
        if id(leaf) not in answers:
            answers[id(leaf)] = leaf, function(leaf)
        return answers[id(leaf)][1]

    return remembered


def on_meta(leaf: Any) -> torch.Tensor:
    """A meta tensor in place of a `TensorSpec` or of a tensor."""
    if isinstance(leaf, TensorSpec):
        return placeholder(leaf)
    return leaf if leaf.is_meta else layout_of(leaf).empty()


class NoMetaForm(Exception):
    """An input that no meta tensor can stand for."""


def beside_meta(leaf: Any) -> torch.Tensor:
    """What a run on meta is fed: integers and flags keep their values, which models ask for; the rest has none.

    Raises `NoMetaForm` for what a model would not take for the same: sparse and nested tensors, and those of classes
    that compute by themselves.
    """
    if isinstance(leaf, TensorSpec):
        return _of_spec(leaf)
    if not is_plain(leaf):
        if leaf.is_meta:
            raise _without_values(called(leaf))
        raise NoMetaForm(f"an input is {called(leaf)}")
    if _computes(type(leaf)):
        raise NoMetaForm(f"an input is a {type(leaf).__name__}, which computes by itself")
    if leaf.is_meta or leaf.is_floating_point() or leaf.is_complex() or leaf.numel() > LARGEST:
        return _like(leaf, on_meta(leaf.detach()))
    return _like(leaf, leaf.detach().cpu())


def has_one_shape(value: Any) -> bool:
    """Whether an input is a tensor that a shape and a dtype say all of: none that is sparse or nested."""
    return isinstance(value, TensorSpec) or (isinstance(value, torch.Tensor) and is_plain(value))


def _of_spec(spec: TensorSpec) -> torch.Tensor:
    dtype = _dtype(spec)
    if dtype.is_floating_point or dtype.is_complex or prod(spec.shape) > LARGEST:
        return placeholder(spec)
    return random_values(spec)


def _computes(kind: type) -> bool:
    """Whether a subclass of tensors has operators of its own, as those made of other tensors have."""
    return kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__  # type: ignore[attr-defined]


def _like(leaf: Any, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with the class, `requires_grad` and attributes of the one that it stands for."""
    if isinstance(leaf, Parameter):
        return Parameter(tensor, leaf.requires_grad)
    if type(leaf) is not torch.Tensor and type(tensor) is not type(leaf):
        tensor = tensor.as_subclass(type(leaf))
    if leaf.requires_grad:
        tensor.requires_grad_()
    vars(tensor).update({name: value for name, value in vars(leaf).items() if name != MARK})
    return tensor


def on_device(leaf: Any, device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """A real tensor: the caller's own, or one that is made. One that a graph led to is cut off from it."""
    if isinstance(leaf, TensorSpec):
        return random_values(leaf, generator).to(device)
    if leaf.is_meta:
        if not is_plain(leaf):
            raise _without_values(called(leaf))
        spec = TensorSpec(tuple(leaf.shape), str(leaf.dtype).removeprefix("torch."))
        return _like(leaf, random_values(spec, generator).to(device))
    tensor: torch.Tensor = leaf if leaf.is_leaf else _like(leaf, leaf.detach())
    return tensor if tensor.device == device else tensor.to(device)


def placeholder(spec: TensorSpec) -> torch.Tensor:
    try:
        return torch.empty(spec.shape, dtype=_dtype(spec), device=META)
    except RuntimeError as error:  # the number of its bytes overflows
        raise errors.too_large(spec.shape) from error


def random_values(spec: TensorSpec, generator: torch.Generator | None = None) -> torch.Tensor:
    """Uniform in [0, 1) for floating-point inputs; zeros for the others, which are valid token indices.

    Raises `errors.ProfileError` for a dtype whose tensors are not made so: quantised ones have a scale as well.
    """
    dtype = _dtype(spec)
    try:
        if dtype.is_floating_point or dtype.is_complex:
            return torch.rand(spec.shape, generator=generator).to(dtype)
        return torch.zeros(spec.shape, dtype=dtype)
    except NotImplementedError as error:
        raise _not_made_of_a_shape(spec) from error


def _dtype(spec: TensorSpec) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, spec.dtype)
    return dtype


def input_records(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Input, ...]:
    """Every tensor among the arguments, with the keys and attributes that lead to it."""
    return tuple(
        Input(name, (record := layout_of(leaf).tensor).shape, record.dtype)
        for name, leaf in (*named(args), *named(kwargs))
        if isinstance(leaf, torch.Tensor)
    )


# Error messages -------------------------------------------------------------------------------------------------------


def _without_values(form: str) -> errors.ProfileError:
    return errors.ProfileError(f"an input is {form} and has no values, on the meta device; feed one that has values")


def _not_made_of_a_shape(spec: TensorSpec) -> errors.ProfileError:
    return errors.ProfileError(
        f"input {written(spec)} cannot be made of a shape; feed it from Python as a tensor, in the size that is "
        "wanted, or take another dtype"
    )
