"""Shapes of operators that ONNX's inference says nothing of: ONNX Runtime's own, and one that is made of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from profiler.records import Tensor

Inputs = Sequence[Tensor | None]
_M = "com.microsoft."
# The result is as the first input is.
_LIKE_FIRST = {
    "GroupNormalization", "SimplifiedLayerNormalization",
    *(
        f"{_M}{name}"
        for name in (
            "Gelu", "FastGelu", "BiasGelu", "QuickGelu", "LayerNormalization", "SimplifiedLayerNormalization",
            "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "RotaryEmbedding", "QLinearSigmoid",
            "QLinearLeakyRelu", "MultiHeadAttention",
        )
    ),
}  # fmt: skip


def _quantize(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    zero = given[2] if len(given) > 2 else None
    return given[0] and Tensor(given[0].shape, zero.dtype if zero else "uint8")


def _dequantize(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    return given[0] and given[1] and Tensor(given[0].shape, given[1].dtype)


def _matmul(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """Both are at least matrices, and the second may be one for all of the batch."""
    a, b = given[0], given[1]
    if a is None or b is None or a.ndim < 2 or b.ndim not in (2, a.ndim):
        return None
    rows = a.shape[-1] if attributes.get("transA", 0) else a.shape[-2]
    columns = b.shape[-2] if attributes.get("transB", 0) else b.shape[-1]
    return Tensor((*a.shape[:-2], rows, columns), "float32" if a.dtype in ("int8", "uint8") else a.dtype)


def _packed_matmul(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    return given[0] and Tensor((*given[0].shape[:-1], int(attributes["N"])), given[0].dtype)


def _quantised_gemm(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """Inputs: a, its scale and zero point, b and its two, a bias, and those of the result."""
    made = _matmul((given[0], given[3]), attributes)
    zero = given[8] if len(given) > 8 else None
    return made and Tensor(made.shape, zero.dtype if zero else "float32")


def _packed_attention(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """The weight holds three projections of equal width."""
    x, weight = given[0], given[1]
    return x and weight and Tensor((*x.shape[:-1], weight.shape[-1] // 3), x.dtype)


def _arithmetic(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """Two tensors, each with its scale and zero point, one of them repeated where it is smaller."""
    a, b = given[0], given[3]
    return a and b and Tensor(tuple(map(int, numpy.broadcast_shapes(a.shape, b.shape))), a.dtype)


def _global_pool(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    x = given[0]
    return x and Tensor((*x.shape[:2], *(1 for _ in x.shape[2:])), x.dtype)


_SHAPES: Mapping[str, Callable[[Inputs, Mapping[str, Any]], Tensor | None]] = {
    f"{_M}QuantizeLinear": _quantize,
    f"{_M}DequantizeLinear": _dequantize,
    f"{_M}FusedMatMul": _matmul,
    f"{_M}TransposeMatMul": _matmul,
    f"{_M}DynamicQuantizeMatMul": _matmul,
    f"{_M}MatMulIntegerToFloat": _matmul,
    f"{_M}MatMulNBits": _packed_matmul,
    f"{_M}QGemm": _quantised_gemm,
    f"{_M}Attention": _packed_attention,
    f"{_M}QLinearAdd": _arithmetic,
    f"{_M}QLinearMul": _arithmetic,
    f"{_M}QLinearGlobalAveragePool": _global_pool,
}


def shaped(op: str, given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """The operator's first result; None where that is not known."""
    if op in _LIKE_FIRST:
        return given[0] if given else None
    found = _SHAPES.get(op)
    try:
        return None if found is None else found(given, attributes)
    except (LookupError, TypeError, ValueError):  # inputs or attributes that it has to have are missing
        return None
