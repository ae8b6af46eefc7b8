"""What is a parameter kept in, that is not one tensor of its weights? Told from its shape, dtype and attributes.

- A sparse tensor consists of the values that it holds and their indices.
- A tensor subclass that stands for others says so by `__tensor_flatten__`, as torchao's quantised tensors do.
- bitsandbytes hangs a `quant_state` on a 4-bit weight, with its shape, its scales and its codebook, and `SCB`, the
  scales of its rows, on an 8-bit one, or keeps that in its layer's `state`.
- The layers of GPTQ, AWQ and others keep buffers with names, shapes and dtypes that `profiler.records.packing` knows.

Nothing of these packages is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from profiler.engine.containers.forms import INDICES, pieces
from profiler.engine.containers.layouts import layout_of
from profiler.records.packing import packings
from profiler.records.trace import Packing

_PLAIN_TYPES = (Tensor, Parameter)
_PACKED_DTYPES = {torch.uint8, torch.int8, torch.int32, torch.float8_e4m3fn, torch.float8_e5m2}


class InnerTensor(NamedTuple):
    """A tensor that a parameter is kept in, and what it holds of it. The first of several has the weights."""

    name: str
    tensor: Tensor
    packing: Packing


def is_ordinary(tensor: Tensor) -> bool:
    """Whether a parameter is an ordinary tensor of its weights, as nearly all are."""
    return type(tensor) in _PLAIN_TYPES and tensor.layout is torch.strided


def inner_tensors(name: str, tensor: Tensor) -> list[InnerTensor]:
    """What a parameter is kept in; nothing where it is an ordinary tensor."""
    if tensor.layout in INDICES:
        return list(_sparse(name, tensor))
    if type(tensor) in _PLAIN_TYPES:
        return []
    state = getattr(tensor, "quant_state", None)
    if state is not None:
        return list(_four_bits(name, tensor, state))
    if hasattr(tensor, "__tensor_flatten__"):
        return _flattened(name, tensor)
    return []


def _sparse(name: str, tensor: Tensor) -> Iterator[InnerTensor]:
    form = str(tensor.layout).removeprefix("torch.")
    values, *indices = pieces(tensor)
    yield InnerTensor(name, values, Packing(form, tuple(tensor.shape)))
    for part, index in zip(INDICES[tensor.layout], indices, strict=True):
        yield InnerTensor(f"{name}.{part.strip('_')}", index, Packing(form))


def _flattened(name: str, tensor: Tensor) -> list[InnerTensor]:
    """The largest of the inner tensors holds the weights."""
    form = type(tensor).__name__
    by_size = sorted(_inner(tensor), key=lambda item: -item[1].nbytes)
    parts = [InnerTensor(f"{name}.{path}", part, Packing(form)) for path, part in by_size]
    return [InnerTensor(name, part, Packing(form, tuple(tensor.shape))) for _, part, _ in parts[:1]] + parts[1:]


def _inner(tensor: Any) -> Iterator[tuple[str, Tensor]]:
    """The ordinary tensors that one stands for, with the attributes that lead to them."""
    for attribute in tensor.__tensor_flatten__()[0]:
        part = getattr(tensor, attribute)
        if not isinstance(part, Tensor):  # the devices that a distributed tensor is spread over
            continue
        if hasattr(part, "__tensor_flatten__"):
            yield from ((f"{attribute}.{path}", inner) for path, inner in _inner(part))
        else:
            yield attribute, part


# bitsandbytes ---------------------------------------------------------------------------------------------------------


def _four_bits(name: str, tensor: Tensor, state: Any) -> Iterator[InnerTensor]:
    form, shape = str(getattr(state, "quant_type", "4bit")), getattr(state, "shape", None)
    yield InnerTensor(name, tensor, Packing(form, tuple(map(int, shape or (2 * tensor.nbytes,)))))
    nested = getattr(state, "state2", None)
    yield from _helper(f"{name}.absmax", getattr(state, "absmax", None), form)
    yield from _helper(f"{name}.quant_map", getattr(state, "code", None), form)
    yield from _helper(f"{name}.nested_absmax", getattr(nested, "absmax", None), form)
    yield from _helper(f"{name}.nested_quant_map", getattr(nested, "code", None), form)
    yield from _helper(f"{name}.nested_offset", getattr(state, "offset", None), form)


def _helper(name: str, tensor: Any, form: str) -> Iterator[InnerTensor]:
    if isinstance(tensor, Tensor):
        yield InnerTensor(name, tensor, Packing(form))


def scales_of(module: nn.Module) -> Iterator[InnerTensor]:
    """The scales of an 8-bit weight, which are not among its layer's parameters and buffers."""
    weight = registered(module._parameters, "weight")
    if weight is None or weight.dtype is not torch.int8 or "SCB" in module._buffers:
        return
    for holder in (weight, getattr(module, "state", None)):
        scales = getattr(holder, "SCB", None)
        if isinstance(scales, Tensor):
            yield InnerTensor("SCB", scales, Packing("int8"))
            return


def may_be_packed(module: nn.Module) -> bool:
    """Whether it has a tensor of a dtype that weights are packed in. Asked of every module, so in a hurry."""
    for registry in (module._parameters, module._buffers):
        if registry:
            for tensor in registry.values():
                if tensor is not None and tensor.dtype in _PACKED_DTYPES:
                    return True
    return False


def registered(registry: Any, name: str) -> Tensor | None:
    """A module's parameter or buffer by name. A scripted module has them in something that is only nearly a dict."""
    if name not in registry:
        return None
    tensor: Tensor | None = registry[name]
    return tensor


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor | None]]:
    yield from module._parameters.items()
    yield from module._buffers.items()


# By names -------------------------------------------------------------------------------------------------------------


def packings_of(module: nn.Module) -> Mapping[str, Packing]:
    """How a module's own parameters and buffers are packed, by their names."""
    records = {name: layout_of(tensor).tensor for name, tensor in _own(module) if tensor is not None}
    records |= {scales.name: layout_of(scales.tensor).tensor for scales in scales_of(module)}
    return packings(records)
