"""Attention in one node: ONNX's own since version 23 of its operators, and those of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator

from profiler.onnx.products import product
from profiler.onnx.rules import Given, Operand, Part, Uncovered, rule


def _attend(q: Operand, k: Operand, v: Operand, mask: Operand | None, out: Operand) -> Part:
    return Part("aten.scaled_dot_product_attention.default", (q, k, v, mask), out)


def _heads(operand: Operand, heads: int) -> Operand:
    """N × L × heads·E as N × heads × L × E; of no importance where the heads are apart already."""
    if operand.ndim == 4:
        return operand
    batch, length, width = operand.shape
    return operand.as_(batch, heads, length, width // heads)


@rule("Attention")
def attention(node: Given) -> Iterator[Part]:
    """Keys and values of before, where they are given, come first; scores may be capped, which has no formula."""
    if node.attribute("softcap", 0.0) or node.optional(4) is not None:
        raise Uncovered("a cap on scores, or a cache of keys")
    q_heads = int(node.attribute("q_num_heads", 0)) or node.x.shape[1]
    k_heads = int(node.attribute("kv_num_heads", 0)) or q_heads
    q, k, v = _heads(node.x, q_heads), _heads(node.input(1), k_heads), _heads(node.input(2), k_heads)
    out = node.out.as_(*q.shape[:3], v.shape[3])
    yield _attend(q, k, v, node.optional(3), out)


@rule("com.microsoft.MultiHeadAttention")
def multi_head_attention(node: Given) -> Iterator[Part]:
    """Inputs: query, key, value, bias of the three, key padding mask, attention bias; then a cache."""
    heads = int(node.attribute("num_heads"))
    if len(node.inputs) < 3 or node.optional(2) is None or node.optional(6) is not None:
        raise Uncovered("packed inputs, or a cache of keys")
    inputs = [node.input(index) for index in range(3)]
    bias = node.optional(3)
    for index, operand in enumerate(inputs if bias is not None else ()):
        added = node.like(operand)
        assert bias is not None
        yield Part("aten.add", (operand, bias.as_(operand.shape[-1])), added)
        inputs[index] = added
    q, k, v = (_heads(operand, heads) for operand in inputs)
    yield _attend(q, k, v, node.optional(5), node.out.as_(*q.shape[:3], v.shape[3]))


@rule("com.microsoft.Attention")
def packed_attention(node: Given) -> Iterator[Part]:
    """Inputs: x, the weight of the three projections side by side, and their bias; then masks and a cache."""
    if node.optional(4) is not None or node.attribute("qkv_hidden_sizes"):
        raise Uncovered("a cache of keys, or projections of unequal width")
    x, weight, heads = node.x, node.input(1), int(node.attribute("num_heads"))
    batch, length, _ = x.shape
    projected = node.temporary(batch, length, weight.shape[1])
    yield product(x, weight, projected)
    if node.optional(2) is not None:
        yield Part("aten.add_", (projected, node.input(2)), projected)
    third = projected.as_(batch, heads, length, weight.shape[1] // 3 // heads)
    yield _attend(third, third, third, node.optional(5), node.out.as_(*third.shape))


@rule("RotaryEmbedding", "com.microsoft.RotaryEmbedding")
def rotary(node: Given) -> Iterator[Part]:
    """x·cos + rotated(x)·sin: two multiplications and an addition for each element that is turned."""
    if node.attribute("rotary_embedding_dim", 0):
        raise Uncovered("a part of the elements")
    turned = node.like(node.x)
    yield Part("aten.mul", (node.x, node.x), turned)
    yield Part("aten.addcmul", (turned, node.x, node.x), node.out)
