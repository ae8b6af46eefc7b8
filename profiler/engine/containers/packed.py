"""What do the packed weights of torch.ao's quantised layers hold?

Such a layer has no parameters: its weights are in an object of one of torch's script classes, in the layout that its
kernel wants. Unpacking gives a copy of them, which is looked at and dropped: one object at a time.

What is told is what a state_dict stores: the quantised weight, its scales and zero points, and the bias. How a kernel
pads its own layout is not to be seen from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from profiler.engine.containers.layouts import TensorLayout, contiguous
from profiler.records.trace import Packing, Value

_CELL = "CellParamsBase"  # of one layer, in one direction, of a recurrent network
# Layers keep their packed weights under these names; what is behind them is what the float layer calls its weights.
_SUFFIXES: Mapping[str, str] = {
    "_packed_params": "", "_packed_weight": "", "_packed_weight_ih": "_ih", "_packed_weight_hh": "_hh", "param": "",
}  # fmt: skip
# Modules that are no layers: each does nothing but hold one packed object for the layer that it is a child of.
_HOLDERS = {
    "torch.ao.nn.quantized.modules.linear.LinearPackedParams",
    "torch.ao.nn.quantized.modules.embedding_ops.EmbeddingPackedParams",
    "torch.ao.nn.quantized.dynamic.modules.rnn.PackedParameter",
    "torch.ao.nn.sparse.quantized.linear.LinearPackedParams",
}


class PackedTensor(NamedTuple):
    """One of the tensors that a packed object holds."""

    name: str
    layout: TensorLayout
    packing: Packing | None = None


class Packed(NamedTuple):
    """A packed object, or a quantised tensor that a layer has as a plain attribute; what its parts are called."""

    content: Any
    prefix: str = ""
    suffix: str = ""

    def called(self, part: str) -> str:
        return f"{self.prefix}{part}{self.suffix}"


def is_holder(module: nn.Module) -> bool:
    """Whether a module is no layer, but holds the packed weights of its parent."""
    if type(module) is nn.ModuleList:
        return len(module) > 0 and all(map(is_holder, module))
    cls = type(module)
    return cls.__module__.startswith("torch.ao.") and f"{cls.__module__}.{cls.__qualname__}" in _HOLDERS


def packed_in(module: nn.Module) -> Iterator[Packed]:
    """The packed weights that a module holds, and those that its children hold for it."""
    if type(module).__module__.startswith("torch.nn.modules"):
        return
    yield from _own(module)
    for child in module._modules.values():
        if child is not None and is_holder(child):
            yield from _recurrent(module, child) if isinstance(child, nn.ModuleList) else _own(child)


def _own(module: nn.Module) -> Iterator[Packed]:
    for name, value in module.__dict__.items():
        kind = type(value)
        if kind is torch.ScriptObject and is_packed(value):
            yield Packed(value, "", _SUFFIXES[name]) if name in _SUFFIXES else Packed(value, f"{name}.")
        elif kind is Tensor and value.is_quantized:
            yield Packed(value) if name == "weight" else Packed(value, f"{name}.")


def _recurrent(module: nn.Module, cells: nn.ModuleList) -> Iterator[Packed]:
    """Layer by layer, and in each of them forward before backward, as `torch.nn.RNN` names its parameters."""
    directions = 2 if getattr(module, "bidirectional", False) else 1
    for index, cell in enumerate(cells):
        layer, backward = divmod(index, directions)
        for weights in _own(cell):
            yield weights._replace(suffix=f"_l{layer}" + "_reverse" * backward)


def is_packed(value: Any) -> bool:
    """Whether an object of a script class is packed weights."""
    return _class(value).endswith(("PackedParamsBase", _CELL))


def class_name(value: Any) -> str:
    return str(value._type().qualified_name())


def _class(value: Any) -> str:
    return class_name(value).rpartition(".")[2]


# What is in one -------------------------------------------------------------------------------------------------------


def unpacked_weights(content: Any) -> Iterator[tuple[str, Tensor]]:
    """Copies of the weights and biases that a packed object holds, or the quantised tensor itself, with their names."""
    if isinstance(content, Tensor):
        yield "weight", content
        return
    for suffix, inner in _cell(content) if _class(content) == _CELL else (("", content),):
        weight, *biases = _unpacked(inner)
        yield f"weight{suffix}", weight
        yield from ((f"bias{suffix}", bias) for bias in biases[:1] if bias is not None)


def parts(content: Any) -> tuple[PackedTensor, ...]:
    """The tensors that a packed object, or a quantised tensor, holds: each weight with its helpers, and the bias."""
    with torch.inference_mode(False), torch.no_grad():
        return tuple(part for name, tensor in unpacked_weights(content) for part in _parts(name, tensor))


def value(tensors: Sequence[PackedTensor]) -> Value:
    """A packed object as a signature holds it: ((weight, its helpers ...), bias or None); a cell is two of these."""
    pairs: list[tuple[list[Value], list[Value]]] = []
    for part in tensors:
        tensor = part.layout.tensor
        if part.name.startswith("bias"):
            pairs[-1][1].append(tensor)
        elif part.packing is not None and part.packing.shape is None:
            pairs[-1][0].append(tensor)
        else:
            pairs.append(([tensor], []))
    values = tuple((tuple(weight), bias[0] if bias else None) for weight, bias in pairs)
    return values if len(values) > 1 else values[0]


def _cell(content: Any) -> Iterator[tuple[str, Any]]:
    """A cell multiplies its input and its state by a packed weight each; they stand at the end of its state."""
    yield from zip(("_ih", "_hh"), content._get_method("__getstate__")()[-1], strict=True)


def _unpacked(content: Any) -> tuple[Any, ...]:
    tensors = content._get_method("unpack")()
    return tensors if isinstance(tensors, tuple) else (tensors,)


def _parts(name: str, weight: Tensor) -> Iterator[PackedTensor]:
    shape = tuple(weight.shape)
    if name.startswith("bias"):
        yield PackedTensor(name, contiguous(shape, weight.dtype))
        return
    if not weight.is_quantized:  # the one packed weight that is not is kept as float16, and unpacked to float32
        yield PackedTensor(name, contiguous(shape, torch.float16))
        return
    form = str(weight.dtype).removeprefix("torch.")
    yield PackedTensor(name, contiguous(shape, weight.dtype), Packing(form, shape))
    for helper, (size, dtype) in _scales(weight).items():
        yield PackedTensor(f"{name}_{helper}", contiguous(size, dtype), Packing(form))


def _scales(weight: Tensor) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """A scale and a zero point for the whole tensor, or for each channel."""
    if weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return {"scale": ((), torch.float64), "zero_point": ((), torch.int64)}
    scales, zeros = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
    return {"scales": (tuple(scales.shape), scales.dtype), "zero_points": (tuple(zeros.shape), zeros.dtype)}
