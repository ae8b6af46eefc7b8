"""What does a lookup in an embedding cost? No computation; it reads only the rows it touches, not the table."""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import first, from_gradient
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value

SUM, MEAN, MAX = range(3)


@formula("aten.embedding")
def embedding(weight: Tensor, indices: Tensor, *_: Value, out: Tensor) -> Cost:
    return Cost(bytes_read=out.size_bytes + indices.size_bytes)


@formula("aten.embedding_dense_backward")
def embedding_backward(
    grad: Tensor, indices: Tensor, num_weights: int, padding_idx: int, scale_grad_by_freq: bool, *, out: Tensor
) -> Cost:
    """A scatter: each row of the gradient is added to the row of the table that was looked up.

    The table's gradient is written whole. If it is scaled, each row is divided by how often it was looked up.
    """
    scaling = Cost(divs=indices.numel, muls=grad.numel) if scale_grad_by_freq else NOTHING
    return Cost(adds=grad.numel) + scaling


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


def _bag_gradient(grad: Tensor, indices: Tensor, mode: int, weighted: bool) -> Cost:
    """The gradient of a bag is added to each of its rows, times its weight; a maximum's, to the one it came from."""
    rows = indices.numel * grad.shape[-1]
    if mode == MAX:
        return Cost(adds=grad.numel)
    return Cost(adds=rows, divs=grad.numel if mode == MEAN else 0, muls=rows if weighted else 0)


@formula("aten._embedding_bag_backward")
def embedding_bag_backward(
    grad: Tensor, indices: Tensor, offsets: Tensor, offset2bag: Tensor, bag_size: Tensor, maximum_indices: Tensor,
    num_weights: int, scale_grad_by_freq: bool, mode: int, sparse: bool, per_sample_weights: Tensor | None,
    *_: Value, out: Tensor,
) -> Cost:  # fmt: skip
    if scale_grad_by_freq:
        raise Uncovered("bags scaled by frequency")
    return _bag_gradient(grad, indices, mode, per_sample_weights is not None)


@formula("aten._embedding_bag_dense_backward")
def embedding_bag_dense_backward(
    grad: Tensor, indices: Tensor, offset2bag: Tensor, bag_size: Tensor, maximum_indices: Tensor, num_weights: int,
    scale_grad_by_freq: bool, mode: int, per_sample_weights: Tensor | None, *_: Value, out: Tensor,
) -> Cost:  # fmt: skip
    if scale_grad_by_freq:
        raise Uncovered("bags scaled by frequency")
    return _bag_gradient(grad, indices, mode, per_sample_weights is not None)


@formula("aten._embedding_bag_per_sample_weights_backward")
def embedding_bag_weights_backward(
    grad: Tensor, weight: Tensor, indices: Tensor, offsets: Tensor, offset2bag: Tensor, *_: Value, out: Tensor
) -> Cost:
    """Each row that was looked up times the gradient of its bag, summed: one number for each index."""
    width = grad.shape[-1]
    rows = Tensor((indices.numel, width), grad.dtype)
    return from_gradient(Cost(muls=width, adds=width - 1) * indices.numel, grad, rows, indices, offsets, offset2bag)
