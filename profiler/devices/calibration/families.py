"""Which family of operators is a call of, and by which sizes do the calls of a family differ in speed?

The family follows from the file of the operator's formula and from what its formula says, so that an operator that is
registered there is of a family without being listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

from profiler.devices.work import Work, work
from profiler.ops import cost
from profiler.ops.cost import Factors
from profiler.records.trace import Signature, Tensor, tensors

DEPTHWISE, GROUPED, POINTWISE, DENSE = (
    "depthwise convolution",
    "grouped convolution",
    "pointwise convolution",
    "dense convolution",
)
PRODUCT, BATCHED, ATTENTION = "matrix product", "batched product", "attention"
FOLDED, NORM, SOFTMAX, REDUCTION = "norm of stored statistics", "norm", "softmax", "reduction"
ELEMENTWISE, MAX_POOL, AVERAGE_POOL, MOVEMENT = "elementwise", "max pooling", "average pooling", "data movement"
VIEW, OTHER = "view", "other"

_CONVOLUTION = ("positions", "stride", "input channels", "output channels", "groups", "kernel", "width")
_ELEMENTS = ("elements", "read", "operations", "specials", "in place", "scattered", "row")
# The sizes of each family, by which times are interpolated; every one is a positive number.
SIZES: Mapping[str, tuple[str, ...]] = {
    DENSE: _CONVOLUTION,
    POINTWISE: _CONVOLUTION,
    DEPTHWISE: _CONVOLUTION,
    GROUPED: _CONVOLUTION,
    PRODUCT: ("rows", "contracted", "columns"),
    BATCHED: ("batch", "rows", "contracted", "columns"),
    ATTENTION: ("heads", "queries", "keys", "width"),
    FOLDED: ("elements", "row"),
    NORM: ("elements", "operations", "row"),
    SOFTMAX: ("elements", "row"),
    REDUCTION: ("elements", "results", "operations", "row"),
    ELEMENTWISE: _ELEMENTS,
    MAX_POOL: ("results", "window", "stride", "row"),
    AVERAGE_POOL: ("results", "window", "stride", "row"),
    MOVEMENT: ("bytes", "read", "run"),
    VIEW: (),
    OTHER: (),
}
# Families of which nothing is measured: what is known of the others has to do.
NOT_MEASURED = (OTHER,)
_STATISTICS = 4  # operations for each element: a norm has more where it computes the statistics, less where it has them
_SPARSE_ROWS = 2  # elements read for each that is written: more are a reduction


class Point(NamedTuple):
    """Where a call stands in its family: what it asks of a device, and its sizes in the order of `SIZES`.

    dtype: what it is computed in. flops: with comparisons, which take time as well. times: how often such a call is
    made in this one, as a gradient is of two products.
    """

    family: str
    dtype: str
    flops: float
    moved_bytes: float
    sizes: tuple[float, ...]
    times: int = 1


def point(signature: Signature) -> Point | None:
    """The point of a call with this signature; None where the operator has no formula."""
    asked = work(signature)
    if asked is None:
        return None
    if asked.is_nothing:
        return Point(VIEW, asked.vector_dtype, 0.0, 0.0, ())
    return _BY_FILE.get(asked.family or "movement", _other)(signature, asked)


def _convolution(signature: Signature, asked: Work) -> Point:
    """A gradient of two products is twice a convolution of the same sizes."""
    terms = _terms(signature)
    if not terms:
        return _other(signature, asked)
    factors = dict(terms[0])
    arguments = [tensor for tensor in tensors(signature.args) if tensor.ndim > 2]
    x = arguments[-2] if len(arguments) > 1 else arguments[0]
    inner, outer = factors.get("Cin/g", factors.get("Cin", 1)), factors.get("Cout", factors.get("Cout/g", 1))
    groups = max(1, x.shape[1] // inner) if "Cin/g" in factors else 1
    image = prod(size for name, size in factors.items() if name[0] in "DHWL" and name.endswith(("out", "in")))
    positions = factors.get("N", 1) * image
    kernel = prod(size for name, size in factors.items() if name.startswith("k"))
    entered = factors.get("N", 1) * prod(x.shape[2:])
    family = (DEPTHWISE if inner == 1 else GROUPED) if groups > 1 else POINTWISE if kernel == 1 else DENSE
    sizes = (positions, max(entered, 1) / max(positions, 1), inner, outer / groups, groups, kernel, x.shape[-1])
    return _of(family, asked.matrix_dtype, asked, sizes, len(terms))


def _matrix_product(signature: Signature, asked: Work) -> Point:
    terms = _terms(signature)
    if not terms:
        return _elements(signature, asked)
    factors = dict(terms[0])
    rows, contracted = factors.get("M", factors.get("T", 1)), factors.get("K", factors.get("in", 1))
    batch, columns = factors.get("B", 1), factors.get("N", factors.get("out", 1))
    if batch == 1:
        return _of(PRODUCT, asked.matrix_dtype, asked, (rows, contracted, columns))
    return _of(BATCHED, asked.matrix_dtype, asked, (batch, rows, contracted, columns))


def _attention(signature: Signature, asked: Work) -> Point:
    terms = _terms(signature)
    factors = dict(terms[0]) if terms else {}
    if not {"Lq", "Lk", "E"} <= factors.keys():
        return _other(signature, asked)
    heads = factors.get("N", 1) * factors.get("heads", 1)
    sizes = (heads, factors["Lq"], factors["Lk"], factors["E"])
    return _of(ATTENTION, asked.matrix_dtype, asked, sizes, max(1, len(terms) // 2))


def _norm(signature: Signature, asked: Work) -> Point:
    x, out = _largest(signature.args), _largest(signature.output)
    if out is None or x is None or x.numel > _SPARSE_ROWS * out.numel:
        return _reduction(signature, asked)
    operations = asked.vector_operations / max(1, out.numel)
    if operations < _STATISTICS:
        return _of(FOLDED, asked.vector_dtype, asked, (out.numel, _last(x)))
    return _of(NORM, asked.vector_dtype, asked, (out.numel, operations, _last(x)))


def _activation(signature: Signature, asked: Work) -> Point:
    x = _largest(signature.args)
    if "softmax" in signature.op and x is not None:
        return _of(SOFTMAX, asked.vector_dtype, asked, (x.numel, _last(x)))
    return _elements(signature, asked)


def _reduction(signature: Signature, asked: Work) -> Point:
    x, out = _largest(signature.args), _largest(signature.output)
    elements, results = _numel(x), _numel(out)
    sizes = (elements, results, asked.vector_operations / max(1, elements), _last(x))
    return _of(REDUCTION, asked.vector_dtype, asked, sizes)


def _pooling(signature: Signature, asked: Work) -> Point:
    x, out = _largest(signature.args), _largest(signature.output)
    amount = cost(signature)
    assert amount is not None
    family = MAX_POOL if amount.comparisons else AVERAGE_POOL
    results, entered = max(1, _numel(out)), max(1, _numel(x))
    sizes = (results, 1 + asked.vector_operations / results, entered / results, _last(x))
    return _of(family, asked.vector_dtype, asked, sizes)


def _elements(signature: Signature, asked: Work) -> Point:
    out, amount = _largest(signature.output), cost(signature)
    assert amount is not None
    elements = max(1, _numel(out))
    large = [tensor for tensor in tensors(signature.args) if 2 * tensor.numel >= elements]
    in_place = signature.op.split(".")[1].endswith("_")
    sizes = (
        elements,
        asked.bytes_read / elements,
        (asked.vector_operations + 1) / elements,
        (amount.specials + amount.divs) / elements + 0.25,
        2 if in_place else 1,
        1 if all(tensor.is_contiguous for tensor in large) else 2,
        _last(out),
    )
    return _of(ELEMENTWISE, asked.vector_dtype, asked, sizes)


def _movement(signature: Signature, asked: Work) -> Point:
    x = next(tensors(signature.args), None)
    run = _run(x) if x is not None else _numel(_largest(signature.output))
    return _of(MOVEMENT, asked.vector_dtype, asked, (asked.bytes_written, asked.bytes_read, run))


def _other(signature: Signature, asked: Work) -> Point:
    return _of(OTHER, asked.matrix_dtype if asked.matrix_flops else asked.vector_dtype, asked, ())


_BY_FILE: Mapping[str, Callable[[Signature, Work], Point]] = {
    "convolution": _convolution,
    "matmul": _matrix_product,
    "attention": _attention,
    "norm": _norm,
    "activation": _activation,
    "elementwise": _elements,
    "reduction": _reduction,
    "loss": _reduction,
    "pooling": _pooling,
    "movement": _movement,
    "embedding": _movement,
    "optimizer": _elements,
}


def _of(family: str, dtype: str, asked: Work, sizes: tuple[float, ...], times: int = 1) -> Point:
    sizes = tuple(float(max(size, 1e-3)) for size in sizes)
    return Point(family, dtype, asked.operations / times, asked.moved_bytes / times, sizes, times)


def _terms(signature: Signature) -> tuple[Factors, ...]:
    """The products that a call's multiply-accumulates are a sum of, factor by factor."""
    amount = cost(signature)
    return getattr(amount.macs, "terms", ()) if amount is not None else ()


def _largest(value: object) -> Tensor | None:
    return max(tensors(value), key=lambda tensor: tensor.numel, default=None)


def _numel(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.numel


def _last(tensor: Tensor | None) -> int:
    return tensor.shape[-1] if tensor is not None and tensor.ndim else 1


def _run(tensor: Tensor) -> int:
    """How many elements follow one another in memory as they do in the tensor."""
    if tensor.is_contiguous or tensor.strides is None:
        return tensor.numel
    length = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if size != 1 and stride != length:
            break
        length *= size
    return length
