"""Which shapes do operators return that ONNX's own inference does not cover?

Those of ONNX Runtime, and GroupNormalization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy

from profiler.records.trace import Tensor

Inputs: TypeAlias = "Sequence[Tensor | None]"
Results: TypeAlias = "Sequence[Tensor | None]"
Values: TypeAlias = Sequence[Any]  # those of the inputs, None where they are not known
_M = "com.microsoft."
# The output has the shape and the dtype of the first input.
_LIKE_FIRST = {
    "GroupNormalization", "SimplifiedLayerNormalization",
    *(
        f"{_M}{name}"
        for name in (
            "Gelu", "FastGelu", "BiasGelu", "QuickGelu", "LayerNormalization", "SimplifiedLayerNormalization",
            "RotaryEmbedding", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "BiasAdd", "BiasSoftmax",
            "Trilu", "GroupNorm", "SkipGroupNorm", "MoE", "QMoE",
        )
    ),
}  # fmt: skip


def _quantize(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    zero = inputs[2] if len(inputs) > 2 else None
    return inputs[0] and Tensor(inputs[0].shape, zero.dtype if zero else "uint8")


def _dequantize(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    return inputs[0] and inputs[1] and Tensor(inputs[0].shape, inputs[1].dtype)


def _matmul(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """The inputs have two dimensions or more; the second may be a single matrix for the whole batch."""
    a, b = inputs[0], inputs[1]
    if a is None or b is None or a.ndim < 2 or b.ndim not in (2, a.ndim):
        return None
    rows = a.shape[-1] if attributes.get("transA", 0) else a.shape[-2]
    columns = b.shape[-2] if attributes.get("transB", 0) else b.shape[-1]
    return Tensor((*a.shape[:-2], rows, columns), "float32" if a.dtype in ("int8", "uint8") else a.dtype)


def _packed_matmul(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    return inputs[0] and Tensor((*inputs[0].shape[:-1], int(attributes["N"])), inputs[0].dtype)


def _quantised_gemm(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """Inputs: a, its scale and zero point, b, its scale and zero point, a bias, the result's scale and zero point."""
    product = _matmul((inputs[0], inputs[3]), attributes)
    zero = inputs[8] if len(inputs) > 8 else None
    return product and Tensor(product.shape, zero.dtype if zero else "float32")


def _concat(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    tensors, axis = inputs[2::3], int(attributes["axis"])
    typed = [tensor for tensor in tensors if tensor is not None]
    if not typed or len(typed) < len(tensors):
        return None
    shape = list(typed[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in typed)
    return Tensor(tuple(shape), typed[0].dtype)


def _arithmetic(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    """Inputs: two tensors, each followed by its scale and zero point; they are broadcast together."""
    a, b = inputs[0], inputs[3]
    return a and b and Tensor(tuple(map(int, numpy.broadcast_shapes(a.shape, b.shape))), a.dtype)


def _global_pool(inputs: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    x = inputs[0]
    return x and Tensor((*x.shape[:2], *(1 for _ in x.shape[2:])), x.dtype)


_SHAPES: Mapping[str, Callable[[Inputs, Mapping[str, Any]], Tensor | None]] = {
    f"{_M}QuantizeLinear": _quantize,
    f"{_M}DequantizeLinear": _dequantize,
    f"{_M}FusedMatMul": _matmul,
    f"{_M}TransposeMatMul": _matmul,
    f"{_M}DynamicQuantizeMatMul": _matmul,
    f"{_M}MatMulIntegerToFloat": _matmul,
    f"{_M}MatMulNBits": _packed_matmul,
    f"{_M}MatMulBnb4": _packed_matmul,
    f"{_M}QGemm": _quantised_gemm,
    f"{_M}QLinearAdd": _arithmetic,
    f"{_M}QLinearMul": _arithmetic,
    f"{_M}QLinearGlobalAveragePool": _global_pool,
    f"{_M}QLinearConcat": _concat,
}


# Several results ------------------------------------------------------------------------------------------------------


def cache_length(past: Tensor | None, new: int, total: Any = None) -> int:
    """How many keys there are: `total` where it is known, else the cached ones plus the new ones."""
    if total is not None and numpy.size(total) == 1:
        return int(numpy.max(total))
    return new + (past.shape[-2] if past is not None else 0)


def _group_query(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """Inputs: query, key, value, past key and value, lengths, the total length. Without a key the query holds all."""
    query, past = inputs[0], _at(inputs, 3)
    if query is None:
        return ()
    heads, shared = int(attributes["num_heads"]), int(attributes["kv_num_heads"])
    is_packed = _at(inputs, 1) is None
    width = query.shape[-1] // (heads + 2 * shared if is_packed else heads)
    batch, length = query.shape[:2]
    total = cache_length(past, length, values[6] if len(values) > 6 else None)
    cache = Tensor((batch, shared, total, width), past.dtype if past is not None else query.dtype)
    return Tensor((batch, length, heads * width), query.dtype), cache, cache


def _multi_head(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """Inputs: query, key, value, bias, masks, past key and value. They may be packed: B × L × heads × 3 × E."""
    query, key, value, past = inputs[0], _at(inputs, 1), _at(inputs, 2), _at(inputs, 6)
    if query is None:
        return ()
    heads = int(attributes["num_heads"])
    if query.ndim == 5:
        batch, length, _, _, width = query.shape
        return (Tensor((batch, length, heads * width), query.dtype),)
    width = value.shape[-1] * (heads if value.ndim == 4 else 1) if value is not None else query.shape[-1]
    new = key.shape[2 if key.ndim == 4 else 1] if key is not None else 0
    batch = query.shape[0]
    caches = (
        Tensor((batch, heads, cache_length(past, new), size // heads), query.dtype) for size in (query.shape[-1], width)
    )
    return Tensor((*query.shape[:2], width), query.dtype), *caches


def _attention(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """The weight holds three projections, equally wide unless an attribute gives their sizes; the cache has two."""
    x, weight, past = inputs[0], inputs[1], _at(inputs, 4)
    if x is None or weight is None:
        return ()
    heads, sizes = int(attributes["num_heads"]), list(attributes.get("qkv_hidden_sizes", ()))
    width = sizes[2] if sizes else weight.shape[-1] // 3
    cache = Tensor((2, x.shape[0], heads, cache_length(past, x.shape[1]), width // heads), x.dtype)
    return Tensor((*x.shape[:-1], width), x.dtype), cache


def _embed(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """Inputs: ids, segments, the three tables, γ, β. Results: embeddings, a mask's index, their sum."""
    ids, table = inputs[0], inputs[2]
    if ids is None or table is None:
        return ()
    embeddings = Tensor((*ids.shape, table.shape[-1]), table.dtype)
    return embeddings, Tensor((ids.shape[0],), "int32"), embeddings


def _skip_norm(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """Results: the normalised sum, its mean and standard deviation, and the sum itself."""
    x = inputs[0]
    rows = None if x is None else Tensor((*x.shape[:-1], 1), "float32")
    return x, rows, rows, x


def _gather(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """Rows of a quantised table, which may pack several elements in a byte; the result has the scales' dtype."""
    data, index, scales = inputs[0], inputs[1], inputs[2]
    if data is None or index is None or scales is None:
        return ()
    per = 8 // int(attributes.get("bits", 4)) if data.dtype == "uint8" else 1
    axis = int(attributes.get("gather_axis", 0)) % data.ndim
    shape = (*data.shape[:-1], per * data.shape[-1])
    return (Tensor((*shape[:axis], *index.shape, *shape[axis + 1 :]), scales.dtype),)


def _fused_gemm(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    return (_matmul(inputs, attributes),)


def _split_gelu(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    x = inputs[0]
    return (x and Tensor((*x.shape[:-1], x.shape[-1] // 2), x.dtype),)


def _quantised_attention(inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """As `_attention`, with other positions for the inputs; the results have the dtype of the scales."""
    scale = _at(inputs, 3)
    floats = _attention([inputs[0], inputs[1], None, None, _at(inputs, 8)], attributes, values)
    return tuple(result and Tensor(result.shape, scale.dtype if scale else "float32") for result in floats)


_SEVERAL: Mapping[str, Callable[[Inputs, Mapping[str, Any], Values], Results]] = {
    f"{_M}GroupQueryAttention": _group_query,
    f"{_M}MultiHeadAttention": _multi_head,
    f"{_M}Attention": _attention,
    f"{_M}QAttention": _quantised_attention,
    f"{_M}EmbedLayerNormalization": _embed,
    f"{_M}SkipLayerNormalization": _skip_norm,
    f"{_M}SkipSimplifiedLayerNormalization": _skip_norm,
    f"{_M}GatherBlockQuantized": _gather,
    f"{_M}FusedGemm": _fused_gemm,
    f"{_M}GemmFastGelu": _fused_gemm,
    f"{_M}BiasSplitGelu": _split_gelu,
}


def result_tensors(op: str, inputs: Inputs, attributes: Mapping[str, Any], values: Values) -> Results:
    """The operator's results, as far as they can be inferred; `values` are those of the inputs, None where unknown."""
    try:
        if op in _LIKE_FIRST:
            return tuple(inputs[:1])
        if op in _SEVERAL:
            return _SEVERAL[op](inputs, attributes, values)
        return (_SHAPES[op](inputs, attributes),) if op in _SHAPES else ()
    except (LookupError, TypeError, ValueError, ZeroDivisionError):  # required inputs or attributes are missing
        return ()


def _at(inputs: Inputs, index: int) -> Tensor | None:
    return inputs[index] if index < len(inputs) else None
