"""Products with scales, attention over packed sequences, and torch's primitives."""

from typing import Any

from formula_rows import b, c, f, i, row

from profiler.records.trace import Tensor, Value


def e(*shape: int) -> Tensor:
    return Tensor(shape, "float8_e4m3fn")


def h(*shape: int) -> Tensor:
    return Tensor(shape, "bfloat16")


def q(*shape: int) -> Tensor:
    return Tensor(shape, "int8")


def x2(*shape: int) -> Tensor:
    """Two numbers of 4 bits in an element."""
    return Tensor(shape, "float4_e2m1fn_x2")


SCALED = [
    # one scale a tensor: their product, and each output times it
    row(
        "aten._scaled_mm.default", e(16, 64), e(64, 32), f(), f(), out=h(16, 32),
        macs=16 * 64 * 32, muls=1 + 16 * 32,
    ),
    # a scale for each row and for each column
    row(
        "aten._scaled_mm.default", e(16, 64), e(64, 32), f(16, 1), f(1, 32), h(32), out=h(16, 32),
        macs=16 * 64 * 32, muls=2 * 16 * 32, adds=16 * 32,
    ),
    # a scale for 32 numbers along the contraction, of which there are two blocks; and one for the result
    row(
        "aten._scaled_mm.default", e(16, 64), e(64, 32), f(16, 2), f(2, 32), None, f(), out=e(16, 32),
        macs=16 * 64 * 32, muls=2 * 2 * 16 * 32 + 16 * 32,
    ),
    row(
        "aten._scaled_mm_v2.default", x2(16, 32), x2(32, 32), (f(16, 4), f()), (2, 0), (1, 0), (f(32, 4), f()), (2, 0),
        (1, 0), h(32), "bfloat16", out=h(16, 32), macs=16 * 64 * 32, muls=2 * 4 * 16 * 32 + 16 * 32, adds=16 * 32,
    ),
    row(
        "aten._scaled_grouped_mm.default", e(24, 64), e(4, 64, 32), f(24), f(4, 32), i(4), out=h(24, 32),
        macs=24 * 64 * 32, muls=2 * 24 * 32,
    ),
    row(
        "aten._weight_int8pack_mm.default", h(5, 16), q(32, 16), h(32), out=h(5, 32), macs=5 * 16 * 32, muls=5 * 32
    ),
    row(
        "aten._weight_int4pack_mm.default", h(5, 64), i(4, 2, 32, 4), 32, h(2, 32, 2), out=h(5, 32),
        macs=5 * 64 * 32, muls=64 * 32, adds=64 * 32,
    ),
    row(
        "aten._dyn_quant_matmul_4bit.default", f(5, 64), q(1000), 32, 64, 16, out=f(5, 16),
        macs=5 * 64 * 16, muls=5 * 64 + 2 * 5 * 16, adds=5 * 64, comparisons=4 * 5 * 64,
    ),
    row(
        "aten._mixed_dtypes_linear.default", h(5, 64), q(64, 16), h(16),
        kwargs={"bias": h(16), "activation": "relu"}, out=h(5, 16),
        macs=5 * 64 * 16, muls=64 * 16, adds=5 * 16, comparisons=5 * 16,
    ),
    # 2 of every 4 weights: 32 of 64
    row(
        "aten._sparse_semi_structured_linear.default", h(2, 5, 64), h(16, 32), q(16, 4), kwargs={"bias": h(16)},
        out=h(2, 5, 16), macs=2 * 5 * 16 * 32, adds=2 * 5 * 16,
    ),
    row("aten._sparse_semi_structured_mm.default", h(16, 32), q(16, 4), h(64, 5), out=h(16, 5), macs=16 * 32 * 5),
    row(
        "aten._sparse_semi_structured_addmm.default", h(16), h(16, 32), q(16, 4), h(64, 5),
        kwargs={"alpha": 2, "beta": 3}, out=h(16, 5), macs=16 * 32 * 5, adds=16 * 5, muls=2 * 16 * 5,
    ),
    row("aten._cslt_sparse_mm.default", h(16, 36), h(64, 8), h(16), out=h(16, 8), macs=16 * 32 * 8, adds=16 * 8),
]  # fmt: skip

# Three sequences of 5, 0 and 2 tokens, which meet 4, 3 and 2 keys: 4 heads of 16, and values of 8.
Q, K, V, OUT = f(7, 4, 16), f(9, 4, 16), f(9, 4, 8), f(7, 4, 8)
CUM_Q, CUM_K = (i(4), (0, 5, 5, 7)), (i(4), (0, 4, 7, 9))
S, R = 4 * (5 * 4 + 2 * 2), 4 * (5 + 2)
SOFTMAX = {"comparisons": S - R, "adds": S + S - R, "specials": S, "divs": S}
GRADIENT = {"muls": S + 2 * S + R * 8, "adds": S + S + R * 7, "specials": S}
BACK = {"macs": S * (3 * 16 + 2 * 8), **GRADIENT}
LSE, SEED = f(4, 7), i(2)

# 2 sequences of 5 tokens and 7 keys, in 4 heads: written by tokens, and by heads
D_Q, D_K, D_V = f(2, 5, 4, 16), f(2, 7, 4, 16), f(2, 7, 4, 8)
D_S, D_R = 2 * 4 * 5 * 7, 2 * 4 * 5
DENSE = {"comparisons": D_S - D_R, "adds": 2 * D_S - D_R, "specials": D_S, "divs": D_S, "muls": D_S}
# A query sees its own key, the one before and the two before that: of 6 tokens 1 + 2 + 3 * 4.
WINDOW = 4 * (1 + 2 + 3 * 4)

RAGGED = [
    row(
        "torch_attn._varlen_attn.default", Q, K, V, CUM_Q, CUM_K, 5, 4, out=(OUT, LSE, SEED),
        macs=S * 16 + S * 8, muls=S, **SOFTMAX,
    ),
    # a causal mask is not discounted
    row(
        "torch_attn._varlen_attn.default", Q, K, V, CUM_Q, CUM_K, 5, 4, True, None, (-1, 0), out=(OUT, LSE, SEED),
        macs=S * 16 + S * 8, muls=S, **SOFTMAX,
    ),
    row(
        "torch_attn._varlen_attn.default", f(6, 4, 16), f(6, 4, 16), f(6, 4, 16), (i(2), (0, 6)), None, 6, 6, False,
        None, (2, 0), out=(f(6, 4, 16), f(4, 6), SEED), macs=2 * WINDOW * 16, muls=WINDOW, comparisons=WINDOW - 4 * 6,
        adds=2 * WINDOW - 4 * 6, specials=WINDOW, divs=WINDOW,
    ),
    row(
        "torch_attn._varlen_attn_backward.default", OUT, Q, K, V, OUT, LSE, CUM_Q, CUM_K, 5, 4, False, SEED,
        out=(Q, K, V), **BACK,
    ),
    row(
        "aten._flash_attention_forward.default", Q, K, V, CUM_Q, CUM_K, 5, 4, 0.1, False, False,
        out=(OUT, LSE, SEED, SEED, f()), macs=S * 16 + S * 8, muls=S + 2 * S, **SOFTMAX,
    ),
    row(
        "aten._flash_attention_forward.default", D_Q, D_K, D_V, None, None, 5, 7, 0.0, True, False,
        out=(f(2, 5, 4, 8), LSE, SEED, SEED, f()), macs=D_S * 16 + D_S * 8, **DENSE,
    ),
    # each query, its own key and the one after: 5 * 2 of 7 keys, the last of both side by side
    row(
        "aten._flash_attention_forward.default", D_Q, D_K, D_K, None, None, 5, 7, 0.0, False, False,
        kwargs={"window_size_left": 0, "window_size_right": 1}, out=(D_Q, LSE, SEED, SEED, f()),
        macs=2 * 4 * 9 * 16 * 2, muls=2 * 4 * 9, comparisons=2 * 4 * (9 - 5), adds=2 * 4 * (2 * 9 - 5),
        specials=2 * 4 * 9, divs=2 * 4 * 9,
    ),
    row(
        "aten._flash_attention_backward.default", OUT, Q, K, V, OUT, LSE, CUM_Q, CUM_K, 5, 4, 0.0, False, SEED, SEED,
        out=(Q, K, V), **BACK,
    ),
    row(
        "aten._efficient_attention_forward.default", f(1, 7, 4, 16), f(1, 9, 4, 16), f(1, 9, 4, 8), None, CUM_Q, CUM_K,
        5, 4, 0.0, 0, out=(f(1, 7, 4, 8), LSE, i(), i(), 5, 4), macs=S * 16 + S * 8, muls=S, **SOFTMAX,
    ),
    row(
        "aten._efficient_attention_forward.default", D_Q, D_K, D_V, None, None, None, None, None, 0.0, 0,
        out=(f(2, 5, 4, 8), LSE, i(), i(), 5, 7), macs=D_S * 16 + D_S * 8, **DENSE,
    ),
    row(
        "aten._efficient_attention_backward.default", f(1, 7, 4, 8), f(1, 7, 4, 16), f(1, 9, 4, 16), f(1, 9, 4, 8),
        None, f(1, 7, 4, 8), CUM_Q, CUM_K, 5, 4, LSE, 0.0, i(), i(), 0, False, out=(Q, K, V, None), **BACK,
    ),
    row(
        "aten._cudnn_attention_forward.default", Q, K, V, None, CUM_Q, CUM_K, 5, 4, True,
        out=(OUT, LSE, i(4), i(4), 5, 4, SEED, SEED, f()), macs=S * 16 + S * 8, muls=S, **SOFTMAX,
    ),
    row(
        "aten._transform_bias_rescale_qkv.default", f(2, 5, 24), f(24), 4, out=(f(2, 4, 5, 2),) * 3,
        adds=2 * 5 * 24, divs=2 * 5 * 8,
    ),
]  # fmt: skip

PRIMITIVES = [
    row("prims.exp.default", f(3, 4), out=f(3, 4), specials=12),
    row("prims.sum.default", f(3, 4), (1,), out=f(3), adds=3 * 3),
    row("prims.prod.default", f(3, 4), (1,), out=f(3), muls=3 * 3),
    row("prims.amax.default", f(3, 4), (0, 1), out=f(), comparisons=11),
    row("prims.amin.default", f(3, 4), (0, 1), out=f(), comparisons=11),
    row("prims.xor_sum.default", b(3, 4), (0, 1), out=b()),
    row("prims.svd.default", f(9, 6), kwargs={"full_matrices": False}, out=(f(9, 6), f(6), f(6, 6)),
        muls=7 * 9 * 36 + 4 * 6**3, adds=7 * 9 * 36 + 4 * 6**3),
    row("prims.fft_c2c.default", c(2, 8), kwargs={"dim": (1,), "forward": True}, out=c(2, 8),
        muls=2 * 4 * 12, adds=2 * 6 * 12),
    row("prims.fft_r2c.default", f(2, 8), kwargs={"dim": (1,), "onesided": True}, out=c(2, 5),
        muls=2 * 4 * 6, adds=2 * 6 * 6),
    row("prims.fft_c2r.default", c(2, 5), kwargs={"dim": (1,), "last_dim_size": 8}, out=f(2, 8),
        muls=2 * 4 * 6, adds=2 * 6 * 6),
]  # fmt: skip

REFUSED_PRODUCTS: dict[str, tuple[str, tuple[Any, ...], Value]] = {
    "sequences of lengths that are not known": (
        "torch_attn._varlen_attn.default", (Q, K, V, i(4), i(4), 5, 4), (OUT, LSE, SEED)
    ),
    "the gradient of sequences of lengths that are not known": (
        "torch_attn._varlen_attn_backward.default", (OUT, Q, K, V, OUT, LSE, i(4), i(4), 5, 4, False, SEED), (Q, K, V)
    ),
    "keys in pages": (
        "torch_attn._varlen_attn.default", (Q, K, V, CUM_Q, CUM_K, 5, 4, False, None, None, False, i(3)), (OUT, LSE)
    ),
    "another mode of QR": ("aten.linalg_qr.default", (f(5, 5), "raw"), (f(5, 5), f(5, 5))),
}  # fmt: skip
