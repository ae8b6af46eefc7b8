"""What do attention kernels called by their own names cost? On equally long sequences, or on some packed end to end.

In a packed batch the lengths are values: cumulative sums, that a call holds beside their tensor where they were known,
as (tensor, (0, l₁, l₁ + l₂, …)). Each sequence attends to its own keys: Σ Lq·Lk pairs. Without the values a call is
unknown. A causal mask is not discounted, as everywhere; a sliding window is, since kernels skip what is outside of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import NamedTuple

from profiler.ops.activation import softmax_cost
from profiler.ops.attention import attention_cost, attention_gradient
from profiler.ops.cost import Cost, product
from profiler.ops.elements import first
from profiler.ops.lattice import clamped_floor_sum
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value

UNBOUNDED = (None, -1)


class _Pairs(NamedTuple):
    """What meets in attention: pairs of a query and a key, and queries that have any; of one head."""

    scores: int
    rows: int


def _lengths(cumulative: Value) -> list[int]:
    """Of each sequence, from a tensor of cumulative sums and its values."""
    match cumulative:
        case (Tensor(), tuple() as values) if values and all(isinstance(value, int) for value in values):
            return [after - before for before, after in pairwise(values)]
    raise Uncovered("sequences whose lengths are not known")


def _in_window(queries: int, keys: int, left: Value, right: Value) -> int:
    """Pairs of a query and a key that is at most so many places before or after; the last of both are side by side."""
    if left in UNBOUNDED and right in UNBOUNDED:
        return queries * keys
    offset = keys - queries
    before = 0 if left in UNBOUNDED else _clamped(queries, offset - _number(left), keys)
    until = queries * keys if right in UNBOUNDED else _clamped(queries, offset + _number(right) + 1, keys)
    return max(until - before, 0)


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise Uncovered(f"a window of {value!r}")
    return value


def _clamped(queries: int, first_key: int, keys: int) -> int:
    """Σ of first_key, first_key + 1, …, each held between 0 and the number of keys."""
    return clamped_floor_sum(queries, 1, first_key, 1, keys)


def _packed(cum_q: Value, cum_k: Value, window: tuple[Value, Value]) -> _Pairs:
    queries = _lengths(cum_q)
    keys = queries if cum_k is None else _lengths(cum_k)
    both = list(zip(queries, keys, strict=True))
    return _Pairs(sum(_in_window(q, k, *window) for q, k in both), sum(q for q, k in both if k))


def _window(is_causal: Value, left: Value, right: Value) -> tuple[Value, Value]:
    """Whatever is left open. A causal mask alone, which is a window without keys behind, is not discounted."""
    if left in UNBOUNDED:
        return -1, -1 if is_causal or right == 0 else right
    return left, 0 if is_causal else right


def _forward(
    heads: int, pairs: _Pairs, width: int, v_width: int, has_bias: bool = False, dropout_p: float = 0.0
) -> Cost:
    macs = product("heads ΣLqLk E", heads, pairs.scores, width)
    macs += product("heads ΣLqLk Ev", heads, pairs.scores, v_width)
    scores = heads * pairs.scores
    beside = Cost(muls=scores + (2 * scores if dropout_p else 0), adds=scores if has_bias else 0)
    return Cost(macs=macs) + beside + softmax_cost(scores, min(heads * pairs.rows, scores))


def _backward(
    heads: int, pairs: _Pairs, width: int, v_width: int, has_bias: bool = False, dropout_p: float = 0.0
) -> Cost:
    """See `attention_gradient`."""
    macs = product("3 heads ΣLqLk E", 3, heads, pairs.scores, width)
    macs += product("2 heads ΣLqLk Ev", 2, heads, pairs.scores, v_width)
    scores, rows = heads * pairs.scores, heads * pairs.rows
    weights = Cost(muls=scores, adds=scores + (scores if has_bias else 0), specials=scores)
    row_sums = Cost(muls=rows * v_width, adds=rows * max(v_width - 1, 0))
    through_softmax = Cost(adds=scores, muls=2 * scores)
    return Cost(macs=macs) + weights + row_sums + through_softmax + Cost(muls=4 * scores if dropout_p else 0)


def _by_heads(*tensors: Tensor) -> Iterator[Tensor]:
    """N × L × heads × E as N × heads × L × E."""
    for x in tensors:
        n, length, heads, width = x.shape
        yield Tensor((n, heads, length, width), x.dtype)


def _dense(query: Tensor, key: Tensor, window: tuple[Value, Value]) -> _Pairs | None:
    """Of equally long sequences: None where all pairs meet."""
    if window[0] in UNBOUNDED and window[1] in UNBOUNDED:
        return None
    n, queries, keys = query.shape[0], query.shape[1], key.shape[1]
    return _Pairs(n * _in_window(queries, keys, *window), n * queries)


@formula("aten._flash_attention_forward.default")
def flash_forward(
    query: Tensor, key: Tensor, value: Tensor, cum_q: Value, cum_k: Value, max_q: int, max_k: int, dropout_p: float,
    is_causal: bool, return_debug_mask: bool, *, out: Value, window_size_left: int | None = None,
    window_size_right: int | None = None, seqused_k: Tensor | None = None, alibi_slopes: Tensor | None = None,
    block_table: Tensor | None = None, **_: Value,
) -> Cost:  # fmt: skip
    if seqused_k is not None or block_table is not None:
        raise Uncovered("keys in pages")
    window = _window(is_causal, window_size_left, window_size_right)
    pairs = _dense(query, key, window) if cum_q is None else _packed(cum_q, cum_k, window)
    if pairs is None:
        q, k, v = _by_heads(query, key, value)
        return attention_cost(q, k, v, Tensor((*q.shape[:-1], v.shape[-1]), q.dtype), None, dropout_p)
    return _forward(query.shape[-2], pairs, query.shape[-1], value.shape[-1], alibi_slopes is not None, dropout_p)


@formula("aten._flash_attention_backward")
def flash_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logsumexp: Tensor, cum_q: Value,
    cum_k: Value, max_q: int, max_k: int, dropout_p: float, is_causal: bool, *_: Value, out: Value,
    window_size_left: int | None = None, window_size_right: int | None = None, **__: Value,
) -> Cost:  # fmt: skip
    window = _window(is_causal, window_size_left, window_size_right)
    pairs = _dense(query, key, window) if cum_q is None else _packed(cum_q, cum_k, window)
    if pairs is None:
        g, q, k, v = _by_heads(grad, query, key, value)
        return attention_gradient(g, q, k, v, None, dropout_p)
    return _backward(query.shape[-2], pairs, query.shape[-1], value.shape[-1], dropout_p=dropout_p)


@formula("aten._efficient_attention_forward")
def efficient_forward(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, cum_q: Value, cum_k: Value, max_q: Value,
    max_k: Value, dropout_p: float, *_: Value, out: Value, seqlen_k: Tensor | None = None,
    window_size: int | None = None, **__: Value,
) -> Cost:  # fmt: skip
    _refuse_efficient(seqlen_k, window_size)
    if cum_q is None:
        q, k, v = _by_heads(query, key, value)
        return attention_cost(q, k, v, Tensor((*q.shape[:-1], v.shape[-1]), q.dtype), bias, dropout_p)
    pairs = _packed(cum_q, cum_k, (-1, -1))
    return _forward(query.shape[-2], pairs, query.shape[-1], value.shape[-1], bias is not None, dropout_p)


@formula("aten._efficient_attention_backward")
def efficient_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, result: Tensor, cum_q: Value,
    cum_k: Value, max_q: int, max_k: int, logsumexp: Tensor, dropout_p: float, *_: Value, out: Value,
    window_size: int | None = None, **__: Value,
) -> Cost:  # fmt: skip
    _refuse_efficient(None, window_size)
    if cum_q is None:
        g, q, k, v = _by_heads(grad, query, key, value)
        return attention_gradient(g, q, k, v, bias, dropout_p)
    pairs = _packed(cum_q, cum_k, (-1, -1))
    return _backward(query.shape[-2], pairs, query.shape[-1], value.shape[-1], bias is not None, dropout_p)


def _refuse_efficient(seqlen_k: Tensor | None, window_size: int | None) -> None:
    if seqlen_k is not None or window_size:
        raise Uncovered("a window, or keys of which only some are used")


@formula("torch_attn._varlen_attn")
def varlen(
    query: Tensor, key: Tensor, value: Tensor, cum_q: Value, cum_k: Value, max_q: int, max_k: int,
    is_causal: bool = False, scale: float | None = None, window_size: tuple[int, ...] | None = None,
    enable_gqa: bool = False, seqused_k: Tensor | None = None, block_table: Tensor | None = None, *_: Value,
    out: Value, **__: Value,
) -> Cost:  # fmt: skip
    if seqused_k is not None or block_table is not None:
        raise Uncovered("keys in pages")
    pairs = _packed(cum_q, cum_k, _window(is_causal, *(window_size or (-1, -1))))
    return _forward(query.shape[-2], pairs, query.shape[-1], value.shape[-1])


@formula("torch_attn._varlen_attn_backward")
def varlen_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logsumexp: Tensor, cum_q: Value,
    cum_k: Value, max_q: int, max_k: int, is_causal: bool, rng_state: Tensor, scale: float | None = None,
    window_size: tuple[int, ...] | None = None, *, out: Value, **_: Value,
) -> Cost:  # fmt: skip
    pairs = _packed(cum_q, cum_k, _window(is_causal, *(window_size or (-1, -1))))
    return _backward(query.shape[-2], pairs, query.shape[-1], value.shape[-1])


@formula("aten._cudnn_attention_forward")
def cudnn_forward(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, cum_q: Value, cum_k: Value, max_q: int, max_k: int,
    compute_log_sumexp: bool, dropout_p: float = 0.0, *_: Value, out: Value, **__: Value,
) -> Cost:  # fmt: skip
    if cum_q is None:
        return attention_cost(query, key, value, first(out), bias, dropout_p)
    pairs = _packed(cum_q, cum_k, (-1, -1))
    return _forward(query.shape[-2], pairs, query.shape[-1], value.shape[-1], bias is not None, dropout_p)


@formula("aten._transform_bias_rescale_qkv")
def bias_and_rescale(qkv: Tensor, bias: Tensor, heads: int, *, out: Value) -> Cost:
    """Three biases, and the query divided by √E."""
    return Cost(adds=qkv.numel, divs=prod(first(out).shape))
