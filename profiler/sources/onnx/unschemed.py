"""Shapes of operators that ONNX's inference says nothing of: ONNX Runtime's own, and one that is made of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy

from profiler.records.trace import Tensor

Inputs: TypeAlias = "Sequence[Tensor | None]"
Results: TypeAlias = "Sequence[Tensor | None]"
Known: TypeAlias = Sequence[Any]  # values of inputs
_M = "com.microsoft."
# The result is as the first input is.
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


def _concatenated(given: Inputs, attributes: Mapping[str, Any]) -> Tensor | None:
    several, axis = given[2::3], int(attributes["axis"])
    known = [tensor for tensor in several if tensor is not None]
    if not known or len(known) < len(several):
        return None
    shape = list(known[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in known)
    return Tensor(tuple(shape), known[0].dtype)


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
    f"{_M}MatMulBnb4": _packed_matmul,
    f"{_M}QGemm": _quantised_gemm,
    f"{_M}QLinearAdd": _arithmetic,
    f"{_M}QLinearMul": _arithmetic,
    f"{_M}QLinearGlobalAveragePool": _global_pool,
    f"{_M}QLinearConcat": _concatenated,
}


# Several results ------------------------------------------------------------------------------------------------------


def cache_length(past: Tensor | None, new: int, total: Any = None) -> int:
    """Of keys: as many as are told, else those of before and the new ones."""
    if total is not None and numpy.size(total) == 1:
        return int(numpy.max(total))
    return new + (past.shape[-2] if past is not None else 0)


def _group_query(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """Inputs: query, key, value, past of both, lengths, the total length. Without a key all three are in the query."""
    query, past = given[0], _at(given, 3)
    if query is None:
        return ()
    heads, shared = int(attributes["num_heads"]), int(attributes["kv_num_heads"])
    is_packed = _at(given, 1) is None
    width = query.shape[-1] // (heads + 2 * shared if is_packed else heads)
    batch, length = query.shape[:2]
    total = cache_length(past, length, known[6] if len(known) > 6 else None)
    cache = Tensor((batch, shared, total, width), past.dtype if past is not None else query.dtype)
    return Tensor((batch, length, heads * width), query.dtype), cache, cache


def _multi_head(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """Inputs: query, key, value, bias, masks, past of both. Keys and values may be packed: B × L × heads × 3 × E."""
    query, key, value, past = given[0], _at(given, 1), _at(given, 2), _at(given, 6)
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


def _attention(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """The weight holds three projections, of equal width unless told; what is kept of before is keys, then values."""
    x, weight, past = given[0], given[1], _at(given, 4)
    if x is None or weight is None:
        return ()
    heads, sizes = int(attributes["num_heads"]), list(attributes.get("qkv_hidden_sizes", ()))
    width = sizes[2] if sizes else weight.shape[-1] // 3
    cache = Tensor((2, x.shape[0], heads, cache_length(past, x.shape[1]), width // heads), x.dtype)
    return Tensor((*x.shape[:-1], width), x.dtype), cache


def _embedded(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """Inputs: ids, segments, the three tables, γ, β. Results: embeddings, a mask's index, their sum."""
    ids, table = given[0], given[2]
    if ids is None or table is None:
        return ()
    made = Tensor((*ids.shape, table.shape[-1]), table.dtype)
    return made, Tensor((ids.shape[0],), "int32"), made


def _skipped(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """Results: the norm, its mean and deviation, and the sum that it is of."""
    x = given[0]
    rows = None if x is None else Tensor((*x.shape[:-1], 1), "float32")
    return x, rows, rows, x


def _gathered(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """Rows of a table of few bits, two in a byte where it is of bytes; in the dtype of their scales."""
    data, index, scales = given[0], given[1], given[2]
    if data is None or index is None or scales is None:
        return ()
    per = 8 // int(attributes.get("bits", 4)) if data.dtype == "uint8" else 1
    axis = int(attributes.get("gather_axis", 0)) % data.ndim
    shape = (*data.shape[:-1], per * data.shape[-1])
    return (Tensor((*shape[:axis], *index.shape, *shape[axis + 1 :]), scales.dtype),)


def _fused_gemm(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    return (_matmul(given, attributes),)


def _split_gelu(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    x = given[0]
    return (x and Tensor((*x.shape[:-1], x.shape[-1] // 2), x.dtype),)


def _quantised_attention(given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """As the one in floats, whose inputs stand elsewhere; the results are as the scales are."""
    scale = _at(given, 3)
    made = _attention([given[0], given[1], None, None, _at(given, 8)], attributes, known)
    return tuple(each and Tensor(each.shape, scale.dtype if scale else "float32") for each in made)


_SEVERAL: Mapping[str, Callable[[Inputs, Mapping[str, Any], Known], Results]] = {
    f"{_M}GroupQueryAttention": _group_query,
    f"{_M}MultiHeadAttention": _multi_head,
    f"{_M}Attention": _attention,
    f"{_M}QAttention": _quantised_attention,
    f"{_M}EmbedLayerNormalization": _embedded,
    f"{_M}SkipLayerNormalization": _skipped,
    f"{_M}SkipSimplifiedLayerNormalization": _skipped,
    f"{_M}GatherBlockQuantized": _gathered,
    f"{_M}FusedGemm": _fused_gemm,
    f"{_M}GemmFastGelu": _fused_gemm,
    f"{_M}BiasSplitGelu": _split_gelu,
}


def shaped(op: str, given: Inputs, attributes: Mapping[str, Any], known: Known) -> Results:
    """The operator's results, as far as they are known. `known` are the values of inputs, where those are."""
    try:
        if op in _LIKE_FIRST:
            return tuple(given[:1])
        if op in _SEVERAL:
            return _SEVERAL[op](given, attributes, known)
        return (_SHAPES[op](given, attributes),) if op in _SHAPES else ()
    except (
        LookupError,
        TypeError,
        ValueError,
        ZeroDivisionError,
    ):  # inputs or attributes that it has to have are missing
        return ()


def _at(given: Inputs, index: int) -> Tensor | None:
    return given[index] if index < len(given) else None
