"""What does it cost to move data? These touch less of it than all their inputs once, or add while they move it.

Like `embedding`, a gather reads the elements that it returns. A scatter in place writes the elements that it replaces;
its functional twin copies the whole tensor besides.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from profiler.ops.cost import NO_TRAFFIC, NOTHING, Cost
from profiler.ops.elements import each
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value, tensors


@formula("aten.to", "aten.type_as")
def to(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    """A cast moves the data; to the dtype that it has already, it is the same tensor."""
    return NO_TRAFFIC if x.dtype == out.dtype else NOTHING


@formula("aten.copy_")
def copy_(x: Tensor, source: Tensor, *_: Value, out: Tensor) -> Cost:
    """What stood in `x` is overwritten unread."""
    return Cost(bytes_read=source.size_bytes)


def _size_bytes(values: Value) -> int:
    return sum(t.size_bytes for t in tensors(values))


@formula(
    "aten.index_select", "aten.gather", "aten.index", "aten._unsafe_index", "aten.take", "aten.take_along_dim",
    "aten.masked_select",
)  # fmt: skip
def gather(x: Tensor, *arguments: Value, out: Tensor, **_: Value) -> Cost:
    """Reads the elements that it returns, and the indices."""
    return Cost(bytes_read=out.size_bytes + _size_bytes(arguments))


# What happens to an element where a value arrives, by the name of the reduction.
REDUCTIONS = {
    None: NOTHING,
    "sum": Cost(adds=1),
    "add": Cost(adds=1),
    "mean": Cost(adds=1),  # and a division, counted in `scatter_reduce`
    "prod": Cost(muls=1),
    "multiply": Cost(muls=1),
    "amax": Cost(comparisons=1),
    "amin": Cost(comparisons=1),
}


def _scatter(x: Tensor, elements: int, arguments: Value, reduction: str | None, in_place: bool) -> Cost:
    """`elements` values arrive in `x`, each with this reduction; `arguments` says which and where."""
    cost = each(REDUCTIONS[reduction], x, elements)
    if not in_place:
        return cost
    touched = Tensor((elements,), x.dtype).size_bytes
    read = _size_bytes(arguments) + (touched if reduction else 0)
    return replace(cost, bytes_read=read, bytes_written=touched)


def _register(in_place: bool) -> None:
    twin = "_" if in_place else ""

    @formula(f"aten.scatter{twin}")
    def scatter(x: Tensor, dim: int, index: Tensor, source: Value, *, out: Tensor, reduce: str | None = None) -> Cost:
        return _scatter(x, index.numel, (index, source), reduce, in_place)

    @formula(f"aten.scatter_add{twin}")
    def scatter_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor) -> Cost:
        return _scatter(x, index.numel, (index, source), "add", in_place)

    @formula(f"aten.scatter_reduce{twin}")
    def scatter_reduce(
        x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, out: Tensor, include_self: bool = True
    ) -> Cost:
        cost = _scatter(x, index.numel, (index, source), reduce, in_place)
        return replace(cost, divs=x.numel) if reduce == "mean" else cost

    @formula(f"aten.index_reduce{twin}")
    def index_reduce(
        x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, out: Tensor, include_self: bool = True
    ) -> Cost:
        cost = _scatter(x, source.numel, (index, source), reduce, in_place)
        return replace(cost, divs=x.numel) if reduce == "mean" else cost

    @formula(f"aten.index_copy{twin}")
    def index_copy(x: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor) -> Cost:
        return _scatter(x, source.numel, (index, source), None, in_place)

    @formula(f"aten.index_add{twin}")
    def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor, alpha: complex = 1) -> Cost:
        cost = _scatter(x, source.numel, (index, source), "add", in_place)
        return cost if alpha == 1 else replace(cost, muls=cost.muls + source.numel)

    @formula(f"aten.index_fill{twin}")
    def index_fill(x: Tensor, dim: int, index: Tensor, value: Value, *, out: Tensor) -> Cost:
        elements = index.numel * prod(size for d, size in enumerate(x.shape) if d != dim % x.ndim)
        return _scatter(x, elements, (index, value), None, in_place)

    @formula(f"aten.put{twin}")
    def put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False, *, out: Tensor) -> Cost:
        return _scatter(x, index.numel, (index, source), "add" if accumulate else None, in_place)

    @formula(f"aten.index_put{twin}", f"aten._index_put_impl{twin}", *([] if in_place else ["aten._unsafe_index_put"]))
    def index_put(
        x: Tensor, indices: tuple[Tensor | None, ...], values: Tensor, accumulate: bool = False, *_: Value, out: Tensor
    ) -> Cost:
        reduction = "add" if accumulate else None
        return _scatter(x, _indexed(x, indices), (indices, values), reduction, in_place)


@formula("aten._unsafe_masked_index_put_accumulate")
def masked_index_put(
    x: Tensor, mask: Tensor, indices: tuple[Tensor | None, ...], values: Tensor, *, out: Tensor
) -> Cost:
    """Every value is added, those outside of the mask as zeros."""
    return _scatter(x, values.numel, (mask, indices, values), "add", in_place=False)


def _indexed(x: Tensor, indices: tuple[Tensor | None, ...]) -> int:
    """How many elements x[indices] selects; all of them, at most, when a mask of booleans does."""
    tensors = [index for index in indices if index is not None]
    if any(index.dtype in ("bool", "uint8") for index in tensors):
        return x.numel
    whole = [size for d, size in enumerate(x.shape) if d >= len(indices) or indices[d] is None]
    return max((index.numel for index in tensors), default=1) * prod(whole)


for _in_place in (False, True):
    _register(_in_place)
