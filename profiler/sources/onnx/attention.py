"""How is attention in one node translated? ONNX's own since version 23 of its operators, and ONNX Runtime's.

Where past keys and values are inputs, the new ones are appended: a copy, and an output of the node. All products
of queries with keys count, those that a mask, a window or a causal order hides included, as for torch's own operator.
Runtime's operators: docs/ContribOperators.md in microsoft/onnxruntime.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.trace import Tensor
from profiler.sources.onnx.products import product
from profiler.sources.onnx.quantised import dequantised
from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule
from profiler.sources.onnx.unschemed import cache_length

_M = "com.microsoft."


def _attend(node: OnnxNode, q: Operand, k: Operand, v: Operand, mask: Operand | None) -> Iterator[Part]:
    """Capped scores are softcap·tanh(score / softcap): three operations more for each."""
    out = node.out.as_(*q.shape[:3], v.shape[3])
    yield Part("aten.scaled_dot_product_attention.default", (q, k, v, mask), out)
    if node.attribute("softcap", 0.0):
        scores = node.temporary(*q.shape[:3], k.shape[2])
        yield Part("aten.div", (scores, 1.0), scores)
        yield Part("aten.tanh", (scores,), scores)
        yield Part("aten.mul", (scores, 1.0), scores)


def _heads(operand: Operand, heads: int) -> Operand:
    """N × L × heads·E as N × heads × L × E; unchanged where the heads have a dimension already."""
    if operand.ndim == 4:
        return operand
    batch, length, width = operand.shape
    return operand.as_(batch, heads, length, width // heads)


def _cached(node: OnnxNode, new: Operand, past: Operand | None, output: int, length: int) -> tuple[Operand, list[Part]]:
    """All keys or values so far, and the copy that puts them together."""
    present = node.outputs[output] if output < len(node.outputs) else None
    if past is None and present is None:
        return new, []
    shape = (*new.shape[:2], length, new.shape[3])
    whole = present.as_(*shape) if present is not None else node.temporary(*shape)
    parts = (new,) if past is None else (past, new)
    return whole, [Part("aten.cat", (parts, 2), whole)]


def _tensor(operand: Operand | None) -> Tensor | None:
    return None if operand is None else operand.tensor


@rule("Attention")
def attention(node: OnnxNode) -> Iterator[Part]:
    """Inputs: query, key, value, mask, past of both; since version 24 how many keys are no padding."""
    q_heads = int(node.attribute("q_num_heads", 0)) or node.x.shape[1]
    k_heads = int(node.attribute("kv_num_heads", 0)) or node.input(1).shape[1]
    q, k, v = _heads(node.x, q_heads), _heads(node.input(1), k_heads), _heads(node.input(2), k_heads)
    for index, new in enumerate((k, v)):
        past = node.optional(4 + index)
        whole, copies = _cached(node, new, past, 1 + index, cache_length(_tensor(past), new.shape[2]))
        yield from copies
        k, v = (whole, v) if index == 0 else (k, whole)
    yield from _attend(node, q, k, v, node.optional(3))


@rule(f"{_M}MultiHeadAttention")
def multi_head_attention(node: OnnxNode) -> Iterator[Part]:
    """Inputs: query, key, value, bias of the three, key padding mask, attention bias, past of both."""
    heads, bias = int(node.attribute("num_heads")), node.optional(3)
    new = _unpacked(node)
    for index, operand in enumerate(new if bias is not None else ()):
        added = node.like(operand)
        yield Part("aten.add", (operand, bias and bias.as_(operand.shape[-1])), added)
        new[index] = added
    q, *both = (_heads(operand, heads) for operand in new)
    caches = []
    for index, operand in enumerate(both):
        past = node.optional(6 + index)
        length = cache_length(_tensor(past), operand.shape[2])
        whole, copies = _cached(node, operand, past, 1 + index, length)
        yield from copies
        caches.append(whole)
    yield from _attend(node, q, caches[0], caches[1], node.optional(5))


def _unpacked(node: OnnxNode) -> list[Operand]:
    """Queries, keys and values, which may be one tensor, B × L × heads × 3 × E, or two."""
    query, key, value = node.x, node.optional(1), node.optional(2)
    if query.ndim == 5:
        batch, length, heads, _, width = query.shape
        return [query.as_(batch, length, heads * width)] * 3
    if key is not None and key.ndim == 5:
        batch, length, heads, _, width = key.shape
        return [query, *[key.as_(batch, length, heads * width)] * 2]
    if key is None or value is None:
        raise Uncovered("keys or values are missing")
    return [query, key, value]


@rule(f"{_M}GroupQueryAttention")
def group_query_attention(node: OnnxNode) -> Iterator[Part]:
    """Inputs: query, key, value, past of both, lengths, total length, cos, sin, positions, attention bias."""
    heads, shared = int(node.attribute("num_heads")), int(node.attribute("kv_num_heads"))
    batch, length = node.x.shape[:2]
    is_packed = node.optional(1) is None
    width = node.x.shape[2] // (heads + 2 * shared if is_packed else heads)
    q = node.x.as_(batch, heads, length, width)
    k, v = ((node.x if is_packed else node.input(index)).as_(batch, shared, length, width) for index in (1, 2))
    if node.attribute("do_rotary", 0):
        cos = node.optional(7)
        turned = 2 * cos.shape[-1] if cos is not None else width
        for operand in (q, k):
            yield from _turned(node, operand, turned, node.like(operand))
    caches = []
    for index, new in enumerate((k, v)):
        past = node.optional(3 + index)
        total = cache_length(_tensor(past), length, node.constant(6))
        whole, copies = _cached(node, new, past, 1 + index, total)
        yield from copies
        caches.append(whole)
    yield from _attend(node, q, caches[0], caches[1], node.optional(10))


@rule(f"{_M}Attention")
def packed_attention(node: OnnxNode) -> Iterator[Part]:
    """Inputs: x, the weight of the three projections side by side, their bias, a mask, the past, an attention bias."""
    x, weight = node.x, node.input(1)
    projected = node.temporary(*x.shape[:2], weight.shape[1])
    yield product(x, weight, projected)
    if node.optional(2) is not None:
        yield Part("aten.add_", (projected, node.input(2)), projected)
    yield from _projected_attention(node, projected, node.optional(4), node.optional(5))


@rule(f"{_M}QAttention")
def quantised_attention(node: OnnxNode) -> Iterator[Part]:
    """Inputs: x, weight, bias, the scales of x and weight, a mask, their zero points, the past of both."""
    x, weight = node.x, node.input(1)
    sums = node.temporary(*x.shape[:2], weight.shape[1], dtype="int32")
    projected = node.temporary(*sums.shape, dtype="float32")
    yield product(x, weight, sums)
    yield from dequantised(sums, projected, False)
    yield Part("aten.add_", (projected, node.input(2)), projected)
    yield from _projected_attention(node, projected, node.optional(8), None)


def _projected_attention(
    node: OnnxNode, projected: Operand, past: Operand | None, mask: Operand | None
) -> Iterator[Part]:
    """Of queries, keys and values side by side; the two caches are one tensor."""
    heads, (batch, length, wide) = int(node.attribute("num_heads")), projected.shape
    widths = [int(size) // heads for size in node.attribute("qkv_hidden_sizes", ())] or [wide // 3 // heads] * 3
    q, k, v = (projected.as_(batch, heads, length, width) for width in widths)
    present = node.outputs[1] if len(node.outputs) > 1 else None
    total = length + (past.shape[3] if past is not None else 0)
    if past is not None or present is not None:
        whole = present if present is not None else node.temporary(2, batch, heads, total, widths[2])
        yield Part("aten.cat", ((projected,) if past is None else (past, projected), 3), whole)
        k, v = whole.as_(batch, heads, total, widths[1]), whole.as_(batch, heads, total, widths[2])
    yield from _attend(node, q, k, v, mask)


# Positions ------------------------------------------------------------------------------------------------------------


@rule("RotaryEmbedding", f"{_M}RotaryEmbedding")
def rotary(node: OnnxNode) -> Iterator[Part]:
    """Inputs: x, and two tables in which each number is for two elements; in ONNX Runtime positions before them."""
    tables = [operand for operand in node.inputs[1:] if operand is not None and operand.tensor.is_float]
    heads = int(node.attribute("num_heads", 0))
    width = node.x.shape[-1] if node.x.ndim == 4 else node.x.shape[-1] // heads if heads else 0
    turned = int(node.attribute("rotary_embedding_dim", 0)) or (2 * tables[0].shape[-1] if tables else width)
    x, out = node.x, node.out
    rows = x.tensor.numel // (width or turned)
    yield from _turned(node, x.as_(rows, width or turned), turned, out.as_(rows, width or turned))


def _turned(node: OnnxNode, x: Operand, turned: int, out: Operand) -> Iterator[Part]:
    """x·cos + rotated(x)·sin: two multiplications and an addition for each element that is turned."""
    *rows, width = x.shape
    if not 0 < turned <= width:
        raise Uncovered(f"{turned} of {width} elements are turned")
    part = x.as_(*rows, turned)
    times = node.like(part)
    yield Part("aten.mul", (part, part), times)
    if turned == width:
        yield Part("aten.addcmul", (times, part, part), out)
    else:
        whole = node.like(part)
        yield Part("aten.addcmul", (times, part, part), whole)
        yield Part("aten.cat", ((whole, x.as_(*rows, width - turned)), -1), out)
