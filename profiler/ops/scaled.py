"""What do products in 8 bits or less cost, with scales beside them? float8, int8 and int4 weights, 2:4 sparsity.

A contraction has the MACs of its float twin, in whatever numbers. Beside it stands what the scales are multiplied with:
the accumulators, once for each scale that an output has; or a weight, where that is dequantised before the product.
"""

from __future__ import annotations

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import first, mac, rows_of
from profiler.ops.quantized import BIAS, DEQUANTISE, QUANTISE, RANGE
from profiler.ops.registry import Uncovered, formula, formula_of, free
from profiler.records.trace import Tensor, Value

_HALVES = ("float4_e2m1fn_x2",)  # dtypes of which one element holds two numbers


def _length(x: Tensor) -> int:
    """What is contracted, of the left operand."""
    return x.shape[-1] * (2 if x.dtype in _HALVES else 1)


def _scales(x: Tensor, scale: Tensor, out: Tensor) -> Cost:
    """One factor for a tensor or a row: once for each output; one for each block: once for the blocks of its row."""
    rows = rows_of(x)
    blocks = max(scale.numel // rows, 1) if rows else 0
    return Cost(muls=out.numel * blocks)


def _biased(bias: Tensor | None, out: Tensor) -> Cost:
    return NOTHING if bias is None else BIAS * out.numel


@formula("aten._scaled_mm")
def scaled_mm(
    a: Tensor, b: Tensor, scale_a: Tensor, scale_b: Tensor, bias: Tensor | None = None,
    scale_result: Tensor | None = None, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    """(a·b)·(sₐ·s_b), one product of the two scales where both are of a tensor, and else one after the other."""
    result = first(out)
    macs = Cost(macs=mac("M K N", a.shape[0], _length(a), b.shape[1], of=a))
    of_tensors = scale_a.numel == scale_b.numel == 1
    scaling = Cost(muls=1 + result.numel) if of_tensors else _scales(a, scale_a, result) * 2
    return macs + scaling + _biased(bias, result) + Cost(muls=0 if scale_result is None else result.numel)


@formula("aten._scaled_mm_v2")
def scaled_mm_v2(
    a: Tensor, b: Tensor, scales_a: tuple[Tensor, ...], recipe_a: Value, swizzle_a: Value,
    scales_b: tuple[Tensor, ...], recipe_b: Value, swizzle_b: Value, bias: Tensor | None = None, *_: Value,
    out: Value, **__: Value,
) -> Cost:  # fmt: skip
    """A second scale on each side is one of the whole tensor."""
    result = first(out)
    second = Cost(muls=result.numel) if len(scales_a) > 1 or len(scales_b) > 1 else NOTHING
    return scaled_mm(a, b, scales_a[0], scales_b[0], bias, out=result) + second


@formula("aten._scaled_grouped_mm")
def scaled_grouped_mm(
    a: Tensor, b: Tensor, scale_a: Tensor, scale_b: Tensor, offsets: Tensor | None = None, bias: Tensor | None = None,
    *_: Value, out: Tensor, **__: Value,
) -> Cost:  # fmt: skip
    products: Cost = formula_of("aten._grouped_mm")(a, b, offsets, bias, out=out)
    return products + _scales(a, scale_a, out) * 2


def _weight_only(x: Tensor, weights: Cost, out: Tensor) -> Cost:
    k, n = x.shape[-1], out.shape[-1]
    macs = mac("M K N", x.numel // k if k else 0, k, n, of=x)
    return Cost(macs=macs) + weights


@formula("aten._weight_int8pack_mm")
def weight_int8(x: Tensor, weight: Tensor, scales: Tensor, *, out: Tensor) -> Cost:
    """One scale for each output channel, on the sums."""
    return _weight_only(x, Cost(muls=out.numel), out)


@formula(
    "aten._weight_int4pack_mm", "aten._weight_int4pack_mm_for_cpu", "aten._weight_int4pack_mm_with_scales_and_zeros",
    "quantized.int4mm_packed_weight_cpu",
)  # fmt: skip
def weight_int4(x: Tensor, packed: Tensor, *_: Value, out: Tensor) -> Cost:
    """Each weight is dequantised with the scale and the zero point of its group."""
    return _weight_only(x, DEQUANTISE * (x.shape[-1] * out.shape[-1]), out)


@formula("aten._dyn_quant_matmul_4bit")
def dynamic_int4(
    x: Tensor, packed: Tensor, block_size: int, in_features: int, out_features: int, *, out: Tensor
) -> Cost:
    """The input is quantised by its own range; each block's sum is multiplied with its scale."""
    blocks = max(in_features // block_size, 1) if block_size else 1
    return _weight_only(x, (RANGE + QUANTISE) * x.numel + Cost(muls=out.numel * blocks), out)


ACTIVATIONS = {None: NOTHING, "none": NOTHING, "relu": Cost(comparisons=1), "silu": Cost(specials=1, muls=1)}


def _activated(activation: str | None, out: Tensor) -> Cost:
    if activation not in ACTIVATIONS:
        raise Uncovered(f"the activation {activation!r}")
    return ACTIVATIONS[activation] * out.numel


@formula("aten._mixed_dtypes_linear")
def mixed_dtypes_linear(
    x: Tensor, weight: Tensor, scale: Tensor, *, out: Tensor, bias: Tensor | None = None, activation: str | None = None
) -> Cost:
    """Weights of 8 or 4 bits, each times the scale of its output channel."""
    weights = Cost(muls=x.shape[-1] * out.shape[-1])
    return _weight_only(x, weights, out) + _biased(bias, out) + _activated(activation, out)


# Two of every four weights are zero, and left out: a compressed row of K/2 weights is K/2 MACs for each output --------


@formula("aten._sparse_semi_structured_linear")
def semi_structured_linear(
    x: Tensor, weight: Tensor, meta: Tensor, *, out: Tensor, bias: Tensor | None = None,
    activation: str | None = None, **_: Value,
) -> Cost:  # fmt: skip
    rows = rows_of(x)
    macs = mac("M N K/2", rows, weight.shape[0], weight.shape[1], of=x)
    return Cost(macs=macs) + _biased(bias, out) + _activated(activation, out)


@formula("aten._sparse_semi_structured_mm")
def semi_structured_mm(compressed: Tensor, meta: Tensor, dense: Tensor, *, out: Tensor, **_: Value) -> Cost:
    return Cost(macs=mac("M K/2 N", *compressed.shape, dense.shape[1], of=compressed))


@formula("aten._sparse_semi_structured_addmm")
def semi_structured_addmm(
    x: Tensor, compressed: Tensor, meta: Tensor, dense: Tensor, *, out: Tensor, alpha: complex = 1, beta: complex = 1,
    **_: Value,
) -> Cost:  # fmt: skip
    factors = int(alpha != 1) + int(beta not in (0, 1))
    return semi_structured_mm(compressed, meta, dense, out=out) + Cost(adds=1, muls=factors) * out.numel


@formula("aten._cslt_sparse_mm")
def cslt_sparse_mm(
    compressed: Tensor, dense: Tensor, bias: Tensor | None = None, alpha: Tensor | None = None, *_: Value, out: Tensor,
    **__: Value,
) -> Cost:  # fmt: skip
    """The compressed operand holds its places too: its shape does not say what it stands for, the other's does."""
    k, n = dense.shape
    macs = mac("M K/2 N", out.numel // n if n else 0, k // 2, n, of=dense)
    return Cost(macs=macs) + _biased(bias, out) + Cost(muls=0 if alpha is None else out.numel)


PACKING = """
    _convert_weight_to_int4pack _convert_weight_to_int4pack_for_cpu _dyn_quant_pack_4bit_weight _cslt_compress
    _to_sparse_semi_structured
"""
free(
    "weights in another order, as a kernel wants them: data moves", *(f"aten.{name}" for name in PACKING.split()),
    reads=True, writes=True,
)  # fmt: skip
