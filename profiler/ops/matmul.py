"""What does a matrix product cost? Contracting K elements is K multiply-accumulates; a bias on top is additions.

`matmul` and `einsum` have no formula on purpose: they are taken apart, so that the copies they make are seen.
"""

from __future__ import annotations

from math import prod

from profiler.ops.cost import Cost
from profiler.ops.elements import bias_cost, each, mac
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor


@formula("aten.mm")
def mm(a: Tensor, b: Tensor, *_: object, out: Tensor) -> Cost:
    (m, k), n = a.shape, b.shape[1]
    return Cost(macs=mac("M K N", m, k, n, of=a))


@formula("aten.bmm")
def bmm(a: Tensor, b: Tensor, *_: object, out: Tensor) -> Cost:
    (batch, m, k), n = a.shape, b.shape[2]
    return Cost(macs=mac("B M K N", batch, m, k, n, of=a))


@formula("aten._grouped_mm")
def grouped_mm(
    a: Tensor, b: Tensor, offsets: Tensor | None = None, bias: Tensor | None = None, *_: object, out: Tensor
) -> Cost:
    """The mixture of experts: each row of a meets the matrix of one group, b is groups × K × N.

    In the backward pass the columns of b (a is groups × M × K) or what is contracted (both are matrices) are what the
    groups share among them. A product of two batches is one of each group's own.
    """
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    if a.ndim == b.ndim == 3:
        return bmm(a, b, out=out) + bias_cost(bias, out)
    return Cost(macs=mac("M K N", m, k, n, of=a)) + bias_cost(bias, out)


@formula("transformers.grouped_mm_fallback")
def grouped_mm_fallback(rows: Tensor, stack: Tensor, offs: Tensor, *, out: Tensor) -> Cost:
    """What transformers calls where torch has no `_grouped_mm`: each row meets the matrix of one group."""
    return grouped_mm(rows, stack, offs, out=out)


@formula("transformers.grouped_mm_fallback_backward")
def grouped_mm_fallback_backward(rows: Tensor, stack: Tensor, offs: Tensor, grad: Tensor, **_: object) -> Cost:
    """The gradient of the rows and that of the stack are a product of the same size each."""
    product = grouped_mm(rows, stack, offs, out=grad)
    return product + product


def _scaled_sum(out: Tensor, beta: complex, alpha: complex) -> Cost:
    """β·bias + α·product. β = 0 leaves the bias out; a factor of 1 costs nothing."""
    return each(Cost(adds=int(beta != 0), muls=int(alpha != 1) + int(beta not in (0, 1))), out)


@formula("aten.addmm")
def addmm(
    bias: Tensor, a: Tensor, b: Tensor, *_: object, out: Tensor, beta: complex = 1, alpha: complex = 1, **__: object
) -> Cost:
    return mm(a, b, out=out) + _scaled_sum(out, beta, alpha)


@formula("aten._addmm_activation")
def addmm_activation(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor, use_gelu: bool = False, **_: object) -> Cost:
    if use_gelu:
        raise Uncovered("the fused GELU")
    return mm(a, b, out=out) + each(Cost(adds=1, comparisons=1), out)


@formula("aten.baddbmm")
def baddbmm(
    bias: Tensor, a: Tensor, b: Tensor, *_: object, out: Tensor, beta: complex = 1, alpha: complex = 1, **__: object
) -> Cost:
    return bmm(a, b, out=out) + _scaled_sum(out, beta, alpha)


@formula("aten.addbmm")
def addbmm(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor, beta: complex = 1, alpha: complex = 1) -> Cost:
    """The products of the batch are accumulated into one matrix: the batch lengthens the contraction."""
    return bmm(a, b, out=out) + _scaled_sum(out, beta, alpha)


@formula("aten.mv")
def mv(a: Tensor, b: Tensor, *, out: Tensor) -> Cost:
    m, k = a.shape
    return Cost(macs=mac("M K", m, k, of=a))


@formula("aten.addmv")
def addmv(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor, beta: complex = 1, alpha: complex = 1) -> Cost:
    return mv(a, b, out=out) + _scaled_sum(out, beta, alpha)


@formula("aten.dot", "aten.vdot", "aten.inner")
def dot(a: Tensor, b: Tensor, *, out: Tensor) -> Cost:
    """`inner` contracts the last dimensions, keeps the others of both; with vectors it is `dot`."""
    *m, k = a.shape or (1,)
    *n, _ = b.shape or (1,)
    if not (m or n):
        return Cost(macs=mac("K", k, of=a))
    return Cost(macs=mac("M K N", prod(m), k, prod(n), of=a))


@formula("aten.outer", "aten.ger", "aten.kron")
def outer(a: Tensor, b: Tensor, *, out: Tensor) -> Cost:
    """Nothing is accumulated: one multiplication for each element."""
    return each(Cost(muls=1), out)


@formula("aten.addr")
def addr(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor, beta: complex = 1, alpha: complex = 1) -> Cost:
    return outer(a, b, out=out) + _scaled_sum(out, beta, alpha)


@formula("aten.linear", "aten.mkldnn_linear")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor) -> Cost:
    rows = prod(x.shape[:-1])
    features_in, features_out = weight.shape[-1], prod(weight.shape[:-1])
    macs = mac("T in out", rows, features_in, features_out, of=x)
    return Cost(macs=macs) + bias_cost(bias, out)


@formula("aten.bilinear")
def bilinear(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor) -> Cost:
    """x Wₒ y for each output feature o: first x Wₒ, which is a vector of in2 features, then its product with y."""
    rows = prod(x.shape[:-1])
    n_out, n_in1, n_in2 = weight.shape
    macs = mac("T out in1 in2", rows, n_out, n_in1, n_in2, of=x)
    macs += mac("T out in2", rows, n_out, n_in2, of=x)
    return Cost(macs=macs) + bias_cost(bias, out)


@formula("aten._trilinear")
def trilinear(
    i1: Tensor, i2: Tensor, i3: Tensor, expand1: tuple[int, ...], expand2: tuple[int, ...], expand3: tuple[int, ...],
    sumdim: tuple[int, ...], unroll_dim: int = 1, *, out: Tensor,
) -> Cost:  # fmt: skip
    """The kernel of `bilinear` and of its gradients: Σ i1·i2·i3 over `sumdim`. A factor lacks the axes of its `expand`.

    The first two are multiplied, and summed over the axes of `sumdim` that i3 lacks; then the result and i3, over the
    others. A product that nothing is summed of is a multiplication, not a multiply-accumulate.
    """
    lacking = tuple(frozenset(axes) for axes in (expand1, expand2, expand3))
    sizes = _trilinear_sizes((i1, i2, i3), lacking)
    first, second = frozenset(sumdim) & lacking[2], frozenset(sumdim) - lacking[2]
    pair = frozenset(sizes) - (lacking[0] & lacking[1])
    triple = (pair - first) | (frozenset(sizes) - lacking[2])
    return _contraction(sizes, pair, first, i1) + _contraction(sizes, triple, second, i1)


def _trilinear_sizes(factors: tuple[Tensor, ...], lacking: tuple[frozenset[int], ...]) -> dict[int, int]:
    """The size of every axis, from a factor that has it."""
    sizes: dict[int, int] = {}
    for factor, missing in zip(factors, lacking, strict=True):
        present = (axis for axis in range(factor.ndim + len(missing)) if axis not in missing)
        sizes |= dict(zip(present, factor.shape, strict=True))
    return dict(sorted(sizes.items()))


def _contraction(sizes: dict[int, int], over: frozenset[int], summed: frozenset[int], like: Tensor) -> Cost:
    factors = [size for axis, size in sizes.items() if axis in over]
    if not summed:
        return each(Cost(muls=prod(factors)), like, 1)
    names = " ".join(f"axis{axis}" for axis in sizes if axis in over)
    return Cost(macs=mac(names, *factors, of=like))
