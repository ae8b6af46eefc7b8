"""How many of a model's weights are zero? By their values, one tensor at a time; masks of pruning are applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.engine.containers.inner import InnerTensor, inner_tensors, registered
from profiler.engine.containers.packed import Packed, packed_in, unpacked_weights
from profiler.records.trace import Weight

_ORIGINAL = "_orig"  # what torch.nn.utils.prune calls a parameter that it has put a mask on


def check_values(model: nn.Module, name: str) -> None:
    """Raise `errors.ProfileError` where weights have no values."""
    if any(weight.is_meta for weight in model.parameters()):
        raise errors.zeros_need_weights(name, "it is on the meta device")


def with_zeros(weights: list[Weight], modules: Mapping[int, nn.Module]) -> list[Weight]:
    """The weights, with their zeros counted; None stays where a format's values are not to be read."""
    with torch.inference_mode(False), torch.no_grad():
        objects = {row: _of_objects(module) for row, module in modules.items()}
        return [
            weight._replace(zeros=_zeros(weight, modules[weight.module], objects[weight.module])) for weight in weights
        ]


def _zeros(weight: Weight, module: nn.Module, objects: Mapping[str, int]) -> int | None:
    if weight.packing is not None and weight.packing.shape is None:
        return 0
    if weight.name in objects:
        return objects[weight.name]
    tensor = registered(module._parameters, weight.name)
    if tensor is None:
        return None
    tensors = inner_tensors(weight.name, tensor)
    if tensors:
        return _in_sparse(weight, tensors) if weight.packing and weight.packing.format.startswith("sparse_") else None
    if weight.packing is not None and weight.packing.shape != weight.tensor.shape:
        return None  # several weights in one element
    return tensor.numel() - int(torch.count_nonzero(_masked(weight.name, tensor, module)))


def _masked(name: str, tensor: Tensor, module: nn.Module) -> Tensor:
    if not name.endswith(_ORIGINAL):
        return tensor
    mask = registered(module._buffers, f"{name.removesuffix(_ORIGINAL)}_mask")
    return tensor if mask is None else tensor * mask


def _in_sparse(weight: Weight, tensors: list[InnerTensor]) -> int:
    """What a sparse tensor does not hold is zero, and so may be what it holds."""
    return weight.numel - int(torch.count_nonzero(tensors[0].tensor))


def _of_objects(module: nn.Module) -> dict[str, int]:
    """Of the weights in packed objects, by name."""
    return {name: count for packed in packed_in(module) for name, count in _of_object(packed)}


def _of_object(packed: Packed) -> Any:
    for name, tensor in unpacked_weights(packed.content):
        values = tensor.dequantize() if tensor.is_quantized else tensor
        yield packed.called(name), values.numel() - int(torch.count_nonzero(values))
