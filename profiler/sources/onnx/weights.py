"""Which initialisers are weights, and of which module? Told by their names, and by the operators that use them.

Exporters of PyTorch models keep a parameter's name (`layer1.0.conv1.weight`). A weight that they compute, such as a
transposed one or one with a batch norm folded in, gets a new name (`onnx::Conv_193`, `val_7`); its module is that of
the node that uses it. Initialisers that are settings of an operator (shapes, bounds, a scale) are no weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from onnx import NodeProto

from profiler.ops import free_reason, is_known
from profiler.records.trace import Packing, Tensor
from profiler.sources.onnx.values import BITS

# The inputs of operators that hold weights, by their positions; statistics of a batch norm are buffers.
_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "com.microsoft.FusedConv": (1, 2), "ConvInteger": (1,),
    "QLinearConv": (3, 8), "Gemm": (1, 2), "MatMul": (0, 1), "MatMulInteger": (1,), "QLinearMatMul": (3,),
    "com.microsoft.FusedMatMul": (0, 1), "com.microsoft.QGemm": (3, 6), "com.microsoft.MatMulNBits": (1, 5),
    "com.microsoft.DynamicQuantizeMatMul": (1, 4), "com.microsoft.MatMulIntegerToFloat": (1, 6),
    "BatchNormalization": (1, 2), "InstanceNormalization": (1, 2), "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2), "RMSNormalization": (1,), "SimplifiedLayerNormalization": (1,),
    "com.microsoft.LayerNormalization": (1, 2), "com.microsoft.SimplifiedLayerNormalization": (1,),
    "com.microsoft.SkipLayerNormalization": (2, 3, 4), "com.microsoft.SkipSimplifiedLayerNormalization": (2, 3),
    "com.microsoft.Attention": (1, 2), "com.microsoft.MultiHeadAttention": (3,), "com.microsoft.BiasGelu": (1,),
    "com.microsoft.FastGelu": (1,), "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3), "RNN": (1, 2, 3), "PRelu": (1,),
    "Gather": (0,), "DequantizeLinear": (0,), "com.microsoft.DequantizeLinear": (0,), "Einsum": (0, 1),
    "DeformConv": (1, 3), "com.microsoft.MatMulBnb4": (1,), "com.microsoft.GatherBlockQuantized": (0,),
    "com.microsoft.QMoE": (2, 4, 5, 7, 8, 10), "com.microsoft.MoE": (2, 3, 4, 5, 6, 7),
    "com.microsoft.NhwcConv": (1, 2),
    "com.microsoft.QAttention": (1, 2), "com.microsoft.EmbedLayerNormalization": (2, 3, 4, 5, 6),
    "com.microsoft.GroupNorm": (1, 2), "com.microsoft.FusedGemm": (1, 2), "com.microsoft.GemmFastGelu": (1, 2),
    "com.microsoft.SkipGroupNorm": (1, 2, 4), "com.microsoft.BiasAdd": (1,),
}  # fmt: skip
_STATISTICS = {"BatchNormalization": (3, 4)}
# Names that exporters give to values which were no parameters of the model.
_EXPORTERS_NAME = re.compile(r"onnx::|/|val_\d+$|Constant|_val_|const|\d+$")
# From this position on an operator's inputs are settings and no data (default: all are data).
_SETTINGS_FROM: Mapping[str, int] = {
    "Clip": 1, "Pow": 1, "Resize": 1, "Upsample": 1, "Pad": 1, "QuantizeLinear": 1, "DequantizeLinear": 1,
    "com.microsoft.QuantizeLinear": 1, "com.microsoft.DequantizeLinear": 1, "LSTM": 4, "GRU": 4, "RNN": 4,
    "QLinearConv": 6, "Dropout": 1, "OneHot": 1, "NonMaxSuppression": 2, "Trilu": 0, "Range": 0, "Expand": 1,
}  # fmt: skip


# Positions of packed weights that the operator unpacks; and of a weight, with those of its scales and zero points.
_UNPACKED: Mapping[str, tuple[int, ...]] = {
    "com.microsoft.MatMulNBits": (1,), "com.microsoft.MatMulBnb4": (1,), "com.microsoft.GatherBlockQuantized": (0,),
    "com.microsoft.QMoE": (2, 5, 8),
}  # fmt: skip
_HELPERS: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "DequantizeLinear": (0, (1, 2)), "com.microsoft.DequantizeLinear": (0, (1, 2)), "ConvInteger": (1, (3,)),
    "MatMulInteger": (1, (3,)), "QLinearConv": (3, (4, 5)), "QLinearMatMul": (3, (4, 5)),
    "com.microsoft.QGemm": (3, (4, 5)), "com.microsoft.MatMulNBits": (1, (2, 3, 4)),
    "com.microsoft.MatMulBnb4": (1, (2,)), "com.microsoft.GatherBlockQuantized": (0, (2, 3)),
    "com.microsoft.DynamicQuantizeMatMul": (1, (2, 3)), "com.microsoft.MatMulIntegerToFloat": (1, (3, 5)),
    "com.microsoft.QMoE": (2, (3, 6, 9)), "com.microsoft.QAttention": (1, (4, 7)),
}  # fmt: skip
_UNPACKING = ("DequantizeLinear", "com.microsoft.DequantizeLinear", "Cast", "Reshape", "Unsqueeze", "Squeeze")
Use: TypeAlias = "tuple[NodeProto, str, int, str]"  # node, operator, position among its inputs, and the node's path


class OnnxWeight(NamedTuple):
    """An initialiser that is a weight: the module's path, its name there, and whether it is a buffer.

    `is_computed` is whether the exporter computed it from other weights, such as an embedding's table of positions.
    """

    path: str
    name: str
    is_buffer: bool
    is_computed: bool = False
    packing: Packing | None = None


def is_named(name: str) -> bool:
    """Whether an initialiser has a parameter's name: words joined by dots, and no name that exporters give."""
    return not _EXPORTERS_NAME.match(name) and re.fullmatch(r"\w+(\.\w+)*", name) is not None


def modules_with_weights(names: Iterable[str]) -> set[str]:
    """The paths of the modules that weights with these names belong to, and of the modules around them."""
    modules: set[str] = set()
    for name in names:
        path = name.rpartition(".")[0] if is_named(name) else ""
        while path:
            modules.add(path)
            path = path.rpartition(".")[0]
    return modules


def weight_of(name: str, tensor: Tensor, uses: Iterable[Use], literal: bool) -> OnnxWeight | None:
    """The module and the name of an initialiser that is a weight; None for a constant.

    A `literal` is a constant in the model's code; it is a weight only as an input that an operator has its weights in.
    """
    several = list(uses)
    is_weight = any(position in _WEIGHTS.get(op, ()) for _, op, position, _ in several)
    is_statistic = any(position in _STATISTICS.get(op, ()) for _, op, position, _ in several)
    is_setting = bool(several) and all(
        position >= _SETTINGS_FROM.get(op, position + 1) for _, op, position, _ in several
    )
    is_parameters = is_named(name) and not _is_value(name) and not (is_setting and not is_weight)
    if is_parameters and tensor.ndim and several:
        path, _, last = name.rpartition(".")
        return OnnxWeight(path, last, is_statistic or not (tensor.is_float or is_weight))
    for _, op, position, path in several:
        if is_weight or is_statistic:
            return OnnxWeight(path, name, is_statistic)
        if tensor.is_float and tensor.numel > 1 and not literal and position < _SETTINGS_FROM.get(op, position + 1):
            return OnnxWeight(path, name, False, is_computed=True)
    return None


def _is_value(name: str) -> bool:
    """Whether torch gave the name to a value in a graph, which it calls after the operator: `unsqueeze_3`."""
    operator = re.sub(r"_\d+$", "", name)
    return "." not in name and (is_known(f"aten.{operator}") or free_reason(f"aten.{operator}") is not None)


def stored_as(tensor: Tensor, sparse: int | None, packing: Packing | None) -> tuple[Tensor, Packing | None]:
    """A tensor as the file stores it, and how it is packed. `sparse` is the size in bytes of a sparse one."""
    if sparse is not None:
        return Tensor((sparse,), "uint8"), Packing("onnx-sparse", tensor.shape)
    if tensor.dtype not in BITS:
        return tensor, packing
    size = -(-tensor.numel * BITS[tensor.dtype] // 8)
    return Tensor((size,), "uint8"), packing or Packing(f"onnx-{_short(tensor.dtype)}", tensor.shape)


def _short(dtype: str) -> str:
    return "float4" if dtype.startswith("float4") else dtype


# Weights of few bits --------------------------------------------------------------------------------------------------


def packing_of(tensor: Tensor, uses: Iterable[Use]) -> Packing | None:
    """How a tensor that an operator unpacks is packed, by the operator's attributes; None for other tensors."""
    for node, op, position, _ in uses:
        if position in _UNPACKED.get(op, ()) and tensor.dtype in ("uint8", "int8", "int32"):
            return _unpacked(tensor, op, {a.name: a.i for a in node.attribute})
    return None


def _unpacked(tensor: Tensor, op: str, attributes: Mapping[str, int]) -> Packing | None:
    bits = attributes.get("bits", attributes.get("expert_weight_bits", 4))
    if not 1 <= bits <= 8:
        return None
    form, every = f"onnx-{bits}bit", 8 * tensor.size_bytes // bits
    if "K" in attributes and "N" in attributes:
        k, n, block = attributes["K"], attributes["N"], max(attributes.get("block_size", 1), 1)
        padded = -(-k // block) * block if op.endswith("NBits") else k
        if n * k > 0 and n * padded * bits == 8 * tensor.size_bytes:
            return Packing(form, (n, k))
        return Packing(form, (every,))
    if bits == 8:
        return None
    return Packing(form, (*tensor.shape[:-1], every * tensor.shape[-1] // max(tensor.numel, 1)) if tensor.ndim else ())


def scales_of(node: NodeProto, op: str) -> Iterator[tuple[str, str]]:
    """The inputs of a node that are scales and zero points, each with the input that they belong to."""
    whose, positions = _HELPERS.get(op, (0, ()))
    for position in positions:
        if position < len(node.input) and whose < len(node.input):
            yield node.input[position], node.input[whose]


def scaled_weight(name: str, uses: Iterable[Use], scales: Mapping[str, str]) -> str:
    """The weight that a tensor, or what is unpacked from it, is a scale or a zero point of; empty for others."""
    if name in scales:
        return scales[name]
    results = [node.output[0] for node, op, position, _ in uses if position == 0 and op in _UNPACKING and node.output]
    return scales.get(results[0], "") if results and all(result in scales for result in results) else ""
