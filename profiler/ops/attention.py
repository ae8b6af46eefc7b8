"""What does scaled dot-product attention cost? q·k and p·v are multiply-accumulates, the softmax in between is not.

A causal mask is not discounted: kernels differ in what they skip. Every score is scaled once, and a mask of numbers is
added to every score; a mask of booleans selects, which costs nothing.
"""

from __future__ import annotations

from math import prod

from profiler.ops.activation import GELU, PER_ELEMENT, softmax_cost
from profiler.ops.cost import Cost, product
from profiler.ops.elements import first
from profiler.ops.norm import layer_norm_cost
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value


def attention_cost(
    query: Tensor, key: Tensor, value: Tensor, out: Tensor, mask: Tensor | None = None, dropout_p: float = 0.0
) -> Cost:
    """Grouped queries need nothing special: every query head attends, whoever shares its keys."""
    *batch, heads = out.shape[:-2] or (1,)
    n = prod(batch)
    (q_length, width), k_length, v_width = query.shape[-2:], key.shape[-2], value.shape[-1]
    macs = product("N heads Lq Lk E", n, heads, q_length, k_length, width)
    macs += product("N heads Lq Lk Ev", n, heads, q_length, k_length, v_width)
    rows = n * heads * q_length
    scores = rows * k_length
    scaling = Cost(macs=macs, muls=scores)
    masking = Cost(adds=scores if mask is not None and mask.is_float else 0)
    dropping = Cost(muls=2 * scores if dropout_p else 0)
    return scaling + masking + softmax_cost(scores, rows) + dropping


@formula(
    "aten.scaled_dot_product_attention", "aten._scaled_dot_product_attention_math",
    "aten._scaled_dot_product_attention_math_for_mps", "aten._scaled_dot_product_fused_attention_overrideable",
)  # fmt: skip
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    return attention_cost(query, key, value, first(out), attn_mask, dropout_p)


@formula("aten._scaled_dot_product_flash_attention_for_cpu", "aten._scaled_dot_product_flash_attention.default")
def flash_attention(
    query: Tensor, key: Tensor, value: Tensor, dropout_p: float = 0.0, *_: Value,
    out: Value, attn_mask: Tensor | None = None, **__: Value,
) -> Cost:  # fmt: skip
    return attention_cost(query, key, value, first(out), attn_mask, dropout_p)


@formula("aten._scaled_dot_product_efficient_attention", "aten._scaled_dot_product_cudnn_attention")
def efficient_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: Tensor | None, compute_log_sumexp: bool,
    dropout_p: float = 0.0, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    return attention_cost(query, key, value, first(out), attn_bias, dropout_p)


def attention_gradient(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout_p: float = 0.0
) -> Cost:
    """https://arxiv.org/abs/2205.14135, algorithm 4. The weights P were not kept, and are computed again:

    P = exp(scale·QKᵀ - logsumexp); of V it is PᵀdO; dP = dO·Vᵀ, D = rowsum(dO∘O), dS = scale·P∘(dP - D); of Q it is
    dS·K, and of K it is dSᵀQ. That is three products of width E and two of width Ev. The kernels compute all three
    gradients, whichever of them are wanted.
    """
    *batch, heads = grad.shape[:-2] or (1,)
    n = prod(batch)
    (q_length, width), k_length, v_width = query.shape[-2:], key.shape[-2], value.shape[-1]
    macs = product("3 N heads Lq Lk E", 3, n, heads, q_length, k_length, width)
    macs += product("2 N heads Lq Lk Ev", 2, n, heads, q_length, k_length, v_width)
    rows = n * heads * q_length
    scores = rows * k_length
    weights = Cost(muls=scores, adds=scores + (scores if mask is not None and mask.is_float else 0), specials=scores)
    row_sums = Cost(muls=rows * v_width, adds=rows * max(v_width - 1, 0))
    through_softmax = Cost(adds=scores, muls=2 * scores)
    dropping = Cost(muls=4 * scores if dropout_p else 0)  # P, and dP
    return Cost(macs=macs) + weights + row_sums + through_softmax + dropping


@formula("aten._scaled_dot_product_flash_attention_for_cpu_backward")
def flash_attention_for_cpu_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logsumexp: Tensor, dropout_p: float,
    is_causal: bool, *, out: Value, attn_mask: Tensor | None = None, **__: Value,
) -> Cost:  # fmt: skip
    return attention_gradient(grad, query, key, value, attn_mask, dropout_p)


@formula("aten._scaled_dot_product_flash_attention_backward")
def flash_attention_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logsumexp: Tensor, cum_seq_q: Value,
    cum_seq_k: Value, max_q: int, max_k: int, dropout_p: float, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    return attention_gradient(grad, query, key, value, None, dropout_p)


@formula("aten._scaled_dot_product_efficient_attention_backward")
def efficient_attention_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, attn_bias: Tensor | None, result: Tensor,
    logsumexp: Tensor, philox_seed: Value, philox_offset: Value, dropout_p: float, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    return attention_gradient(grad, query, key, value, attn_bias, dropout_p)


@formula("aten._scaled_dot_product_cudnn_attention_backward")
def cudnn_attention_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logsumexp: Tensor, philox_seed: Value,
    philox_offset: Value, attn_bias: Tensor | None, cum_seq_q: Value, cum_seq_k: Value, max_q: int, max_k: int,
    dropout_p: float, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    return attention_gradient(grad, query, key, value, attn_bias, dropout_p)


@formula("aten._scaled_dot_product_fused_attention_overrideable_backward")
def overrideable_attention_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, attn_bias: Tensor | None, grad_input_mask: Value,
    result: Tensor, logsumexp: Tensor, cum_seq_q: Value, cum_seq_k: Value, max_q: int, max_k: int, dropout_p: float,
    *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    return attention_gradient(grad, query, key, value, attn_bias, dropout_p)


def _projection(rows: tuple[int, int], features_in: int, features_out: int) -> Cost:
    """A linear layer with bias over N sequences of length L."""
    macs = product("N L in out", *rows, features_in, features_out)
    return Cost(macs=macs, adds=prod(rows) * features_out)


@formula("aten._native_multi_head_attention")
def native_multi_head_attention(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, qkv_weight: Tensor, qkv_bias: Tensor,
    proj_weight: Tensor, proj_bias: Tensor, mask: Tensor | None = None, need_weights: bool = True,
    average_attn_weights: bool = True, mask_type: int | None = None, *, out: Value,
) -> Cost:  # fmt: skip
    """nn.MultiheadAttention's fast path: three projections in, attention, one projection out."""
    (n, q_length, _), k_length = query.shape, key.shape[1]
    dtype = query.dtype
    q = Tensor((n, num_head, q_length, embed_dim // num_head), dtype)
    k = Tensor((n, num_head, k_length, embed_dim // num_head), dtype)
    weights = n * q_length * k_length if need_weights and average_attn_weights else 0
    return (
        _projection((n, q_length), embed_dim, embed_dim)
        + _projection((n, k_length), embed_dim, embed_dim)
        + _projection((n, k_length), embed_dim, embed_dim)
        + attention_cost(q, k, k, q, mask)
        + _projection((n, q_length), embed_dim, embed_dim)
        + Cost(adds=weights * (num_head - 1), divs=weights)
    )


@formula("aten._transformer_encoder_layer_fwd")
def transformer_encoder_layer(
    src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor,
    proj_bias: Tensor, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Tensor, norm_bias_1: Tensor,
    norm_weight_2: Tensor, norm_bias_2: Tensor, ffn_weight_1: Tensor, ffn_bias_1: Tensor, ffn_weight_2: Tensor,
    ffn_bias_2: Tensor, mask: Tensor | None = None, mask_type: int | None = None, *, out: Tensor,
) -> Cost:  # fmt: skip
    """nn.TransformerEncoderLayer's fast path: attention, two layers of feed-forward, two norms, two residual sums."""
    if src.ndim != 3:
        raise Uncovered("nested tensors")
    n, length, _ = src.shape
    hidden = ffn_weight_1.shape[0]
    activation = GELU["none"] if use_gelu else PER_ELEMENT["relu"]
    attention = native_multi_head_attention(
        src, src, src, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False, out=out
    )
    return (
        attention
        + _projection((n, length), embed_dim, hidden)
        + activation * (n * length * hidden)
        + _projection((n, length), hidden, embed_dim)
        + layer_norm_cost(n * length, embed_dim, scale=True, shift=True) * 2
        + Cost(adds=2 * src.numel)
    )
