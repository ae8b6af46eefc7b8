"""What do operators on sparse tensors cost? What is not stored is not computed.

One multiply-accumulate for each stored element and column: nnz·N for a sparse M×K matrix times a K×N one (Davis, Direct
Methods for Sparse Linear Systems, section 2).

A block that is stored counts whole, its zeros included: kernels compute them. Of a product of two sparse matrices it
depends on where their elements are, and is not known from their shapes.
"""

from __future__ import annotations

from math import prod

from profiler.ops.cost import Cost
from profiler.ops.elements import bias_cost, each, mac
from profiler.ops.registry import Uncovered, of_sparse
from profiler.records.trace import Tensor


def _product(sparse: Tensor, columns: int) -> Cost:
    return Cost(macs=mac("nnz N", sparse.stored, columns, of=sparse))


@of_sparse("aten.mm", "aten._sparse_mm", "aten.smm", "aten.bmm", "aten._sparse_sparse_matmul")
def mm(a: Tensor, b: Tensor, *_: object, out: Tensor) -> Cost:
    if a.is_sparse and b.is_sparse:
        raise Uncovered("where the elements of two sparse matrices meet")
    return _product(a, b.shape[-1]) if a.is_sparse else _product(b, a.shape[-2])


@of_sparse("aten.mv")
def mv(a: Tensor, b: Tensor, *, out: Tensor) -> Cost:
    return Cost(macs=mac("nnz", a.stored, of=a))


@of_sparse("aten.addmm", "aten.sspaddmm", "aten.hspmm", "aten.baddbmm", "aten._sparse_addmm")
def addmm(bias: Tensor, a: Tensor, b: Tensor, *scales: complex, out: Tensor, **named: complex) -> Cost:
    beta, alpha = (named.get(name, scales[at] if len(scales) > at else 1) for at, name in enumerate(("beta", "alpha")))
    return mm(a, b, out=out) + _scaled(out, beta, alpha)


def _scaled(out: Tensor, beta: complex, alpha: complex) -> Cost:
    """β·bias + α·product on what the result stores."""
    return each(Cost(adds=int(beta != 0), muls=int(alpha != 1) + int(beta not in (0, 1))), out, out.stored)


@of_sparse("aten.addmv")
def addmv(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor, beta: complex = 1, alpha: complex = 1) -> Cost:
    return mv(a, b, out=out) + _scaled(out, beta, alpha)


@of_sparse("aten.linear")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor) -> Cost:
    if x.is_sparse:
        raise Uncovered("a sparse input of a linear layer")
    return _product(weight, prod(x.shape[:-1])) + bias_cost(bias, out)


@of_sparse("aten.sparse_sampled_addmm")
def sampled_addmm(pattern: Tensor, a: Tensor, b: Tensor, *, out: Tensor, beta: complex = 1, alpha: complex = 1) -> Cost:
    """A dense product at the stored positions of a sparse matrix alone."""
    return Cost(macs=mac("nnz K", pattern.stored, a.shape[-1], of=a)) + _scaled(out, beta, alpha)


@of_sparse("aten._sparse_mm_reduce_impl")
def mm_reduce(a: Tensor, b: Tensor, reduce: str, *, out: object) -> Cost:
    if reduce not in ("sum", "mean"):
        return each(Cost(muls=1, comparisons=1), b, a.stored * b.shape[1])
    return _product(a, b.shape[1])
