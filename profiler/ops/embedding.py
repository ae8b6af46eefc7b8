"""Embeddings: a lookup computes nothing and reads only the rows it touches, not the table."""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.cost import Cost
from profiler.ops.elements import first
from profiler.ops.registry import Uncovered, formula
from profiler.records import Tensor, Value

SUM, MEAN, MAX = range(3)


@formula("aten.embedding")
def embedding(weight: Tensor, indices: Tensor, *_: Value, out: Tensor) -> Cost:
    return Cost(bytes_read=out.size_bytes + indices.size_bytes)


@formula("aten.embedding_bag", "aten._embedding_bag", "aten._embedding_bag_forward_only")
def embedding_bag(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = SUM,
    sparse: bool = False, per_sample_weights: Tensor | None = None, *_: Value, out: Value,
) -> Cost:  # fmt: skip
    """The rows of each bag are reduced to one: k - 1 operations for each feature of a bag of k, if none is empty."""
    bags = first(out)
    rows = Tensor((indices.numel, weight.shape[1]), weight.dtype)
    reduced = max(rows.numel - bags.numel, 0)
    if mode == SUM:
        cost = Cost(adds=reduced, muls=rows.numel if per_sample_weights is not None else 0)
    elif mode == MEAN:
        cost = Cost(adds=reduced, divs=bags.numel)
    elif mode == MAX:
        cost = Cost(comparisons=reduced)
    else:
        raise Uncovered(f"mode {mode}")
    others = (indices, offsets) if per_sample_weights is None else (indices, offsets, per_sample_weights)
    return replace(cost, bytes_read=rows.size_bytes + sum(t.size_bytes for t in others))
