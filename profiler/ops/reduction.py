"""What do reductions, scans, sorting and distances cost? Reducing f elements to one takes f - 1 operations.

Those are additions or comparisons. How long sorting and searching take depends on the data: they are recorded as the
comparisons of a textbook algorithm.
"""

from __future__ import annotations

from math import ceil, log2

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import each, first, rows_of
from profiler.ops.norm import statistics_cost, vector_norm_cost
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value, tensors

# What it costs to take one more element in.
FOLDS = (
    (Cost(adds=1), "sum nansum cumsum"),
    (Cost(muls=1), "prod cumprod"),
    (Cost(comparisons=1), "max min amax amin argmax argmin cummax cummin"),
    (Cost(comparisons=2), "aminmax _aminmax"),
    (NOTHING, "any all"),  # logic
)


def _rows(x: Tensor, dim: Value) -> int:
    """The number of rows along a dimension."""
    if not x.ndim:
        return 1
    size = x.shape[dim] if isinstance(dim, int) else x.numel
    return x.numel // size if size else 0


def _register(name: str, unit: Cost) -> None:
    scan = name.startswith("cum")

    @formula(f"aten.{name}")
    def fold(x: Tensor, dim: Value = None, *_: Value, out: Value, **__: Value) -> Cost:
        result = first(out)
        rows = _rows(x, dim) if scan else result.numel
        like = x if unit.comparisons else result
        return each(unit, like, max(x.numel - rows, 0))


for _unit, _names in FOLDS:
    for _name in _names.split():
        _register(_name, _unit)


@formula("aten.mean", "aten.nanmean")
def mean(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    return each(Cost(adds=1), out, max(x.numel - out.numel, 0)) + Cost(divs=out.numel * (1 + out.is_complex))


@formula("aten.var", "aten.var_mean")
def var(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    """The mean, then the mean of the squared distances to it; that of complex numbers is the sum of both parts'."""
    rows = first(out).numel
    real = statistics_cost(rows, x.numel // rows if rows else 0)
    return real * 2 + Cost(adds=rows) if x.is_complex else real


@formula("aten.std", "aten.std_mean")
def std(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    return var(x, out=out) + Cost(specials=first(out).numel)


@formula("aten.logsumexp", "aten.special_logsumexp")
def logsumexp(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    """max + log Σ exp(x - max)"""
    sums = max(x.numel - out.numel, 0)
    return Cost(comparisons=sums, adds=x.numel + sums + out.numel, specials=x.numel + out.numel)


@formula("aten.logcumsumexp", "aten._logcumsumexp")
def logcumsumexp(x: Tensor, dim: int, *, out: Tensor) -> Cost:
    """logaddexp of the sum so far and the next: max + log1p(exp(-|x - y|))."""
    return Cost(comparisons=2, adds=3, specials=2) * (x.numel - _rows(x, dim))


@formula("aten.trace")
def trace(x: Tensor, *, out: Tensor) -> Cost:
    return each(Cost(adds=1), out, max(min(x.shape) - 1, 0))


def _sorting(count: int) -> int:
    return count * ceil(log2(count)) if count > 1 else 0


@formula("aten.sort", "aten.argsort", "aten.msort")
def sort(x: Tensor, dim: int = -1, *_: Value, out: Value, **__: Value) -> Cost:
    """n·log₂ n comparisons a row, as a merge sort makes at most."""
    rows = _rows(x, dim)
    return Cost(comparisons=rows * _sorting(x.numel // rows if rows else 0))


@formula("aten.topk")
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, ordered: bool = True, *, out: Value) -> Cost:
    """A selection compares each element once with the pivot, and in linear time; then k results are sorted."""
    rows = _rows(x, dim)
    return Cost(comparisons=x.numel + rows * _sorting(k) * ordered)


@formula("aten.median", "aten.nanmedian", "aten.kthvalue", "aten.mode", "aten.histc", "aten.bincount")
def select(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    """Selection and binning look at each element once."""
    return Cost(comparisons=x.numel)


def _search(values: int, edges: int) -> Cost:
    """A binary search for each value."""
    return Cost(comparisons=values * ceil(log2(edges))) if edges > 1 else NOTHING


@formula("aten.histogram.bin_ct", "aten._histogramdd_from_bin_cts")
def histogram(x: Tensor, *_: Value, out: Value, density: bool = False, **__: Value) -> Cost:
    """Bins of one width: (x - least)·bins/range, rounded down, for each coordinate; then a count or weight added."""
    counts = first(out)
    points = x.numel if counts.ndim == 1 else rows_of(x)
    placing = Cost(adds=1, muls=1, specials=1) * x.numel
    return placing + Cost(adds=points) + _density(counts, density)


@formula("aten.histogram.bins_tensor", "aten._histogramdd_from_bin_tensors")
def histogram_of_edges(x: Tensor, edges: Value, *_: Value, out: Value, density: bool = False, **__: Value) -> Cost:
    """Bins of any width are searched for."""
    counts = first(out)
    axes = list(tensors(edges))
    points = x.numel if len(axes) == 1 else x.numel // len(axes)
    searching = sum((_search(points, axis.numel) for axis in axes), NOTHING)
    return searching + Cost(adds=points) + _density(counts, density)


def _density(counts: Tensor, wanted: bool) -> Cost:
    """Divided by their sum, and by the volume of each bin."""
    n = counts.numel
    return Cost(adds=max(n - 1, 0), divs=2 * n) if wanted else NOTHING


@formula("aten._histogramdd_bin_edges")
def histogram_edges(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    """The range of each coordinate, and its parts."""
    return Cost(comparisons=2 * x.numel) + Cost(adds=1, muls=1) * sum(edges.numel for edges in tensors(out))


# What a segment takes in, one element more.
SEGMENTS = {
    "sum": Cost(adds=1),
    "mean": Cost(adds=1),
    "prod": Cost(muls=1),
    "max": Cost(comparisons=1),
    "min": Cost(comparisons=1),
}


@formula("aten.segment_reduce")
def segment_reduce(x: Tensor, reduce: str, *, out: Tensor, **_: Value) -> Cost:
    """Segments of any length, none empty: together f - 1 operations for a segment of f."""
    folds = each(SEGMENTS[reduce], x, max(x.numel - out.numel, 0))
    return folds + (Cost(divs=out.numel) if reduce == "mean" else NOTHING)


@formula("aten._segment_reduce_backward")
def segment_reduce_backward(grad: Tensor, y: Tensor, x: Tensor, reduce: str, *, out: Tensor, **_: Value) -> Cost:
    """A sum's is a copy; a mean's is divided by the length; a product's is g·y/x; a maximum's goes where it was."""
    units = {"sum": NOTHING, "mean": Cost(divs=1), "prod": Cost(muls=1, divs=1), "max": Cost(comparisons=1)}
    return units.get(reduce, Cost(comparisons=1)) * x.numel


@formula(
    "aten.nonzero", "aten.nonzero_numpy", "aten.nonzero_static", "aten.argwhere", "aten.where.default",
    "aten.count_nonzero", "aten.equal",
)  # fmt: skip
def nonzero(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    return Cost(comparisons=x.numel)


@formula("aten.allclose")
def allclose(x: Tensor, y: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    """|x - y| ≤ a + r·|y|"""
    return Cost(adds=2, muls=1, comparisons=3) * max(x.numel, y.numel)


@formula("aten.hash_tensor")
def hash_tensor(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    """Exclusive ors of bits."""
    return NOTHING


@formula("aten.unique_dim_consecutive")
def unique_dim_consecutive(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    """Each slice with the one before."""
    return Cost(comparisons=x.numel)


@formula("aten._unique2", "aten._unique", "aten.unique_consecutive", "aten.unique_dim")
def unique(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
    """Sorted, then each compared with the one before."""
    return Cost(comparisons=_sorting(x.numel) + max(x.numel - 1, 0))


@formula("aten.isin")
def isin(x: Tensor | float, y: Tensor | float, *_: Value, out: Tensor, **__: Value) -> Cost:
    """Every element with every test element."""
    return Cost(comparisons=out.numel * (y.numel if isinstance(y, Tensor) else 1))


@formula("aten.diff")
def diff(x: Tensor, n: int = 1, *_: Value, out: Tensor) -> Cost:
    """Repeated, the first passes are longer, each by one a row."""
    dim = next((d for d in _ if isinstance(d, int)), -1)
    rows = _rows(out, dim) if out.numel else 0
    return each(Cost(adds=1), out, n * out.numel + rows * (n * (n - 1) // 2))


@formula("aten.searchsorted", "aten.bucketize")
def searchsorted(x: Tensor | float, y: Tensor | float, *_: Value, out: Tensor, **__: Value) -> Cost:
    """A binary search for each value: searchsorted(boundaries, values), bucketize(values, boundaries)."""
    boundaries = [t.shape[-1] for t in (x, y) if isinstance(t, Tensor) and t.ndim and t.shape != out.shape]
    return Cost(comparisons=out.numel * ceil(log2(max(boundaries, default=out.shape[-1] if out.ndim else 1) + 1)))


def _distances(pairs: int, length: int, p: float) -> Cost:
    """The p-norm of x - y for each pair."""
    return Cost(adds=pairs * length) + vector_norm_cost(pairs * length, pairs, p)


def _distances_gradient(pairs: int, length: int, p: float) -> Cost:
    """For each coordinate of each pair (x - y)·|x - y|ᵖ⁻²·(g/dᵖ⁻¹), added to the point's; the last factor once a pair.

    For p = 1 and p = ∞ it is sign(x - y)·g, in the latter case if |x - y| is the largest.
    """
    if p == 0:
        return NOTHING
    if p == 1:
        return Cost(adds=1 + 1, comparisons=2, muls=1) * (pairs * length)
    if p == 2:
        return Cost(adds=1 + 1, muls=1) * (pairs * length) + Cost(divs=1) * pairs
    if p == float("inf"):
        return Cost(adds=1 + 1, comparisons=2 + 2, muls=1) * (pairs * length)
    return Cost(adds=1 + 1, comparisons=1, specials=1, muls=2) * (pairs * length) + Cost(specials=1, divs=1) * pairs


@formula("aten._cdist_backward")
def cdist_backward(grad: Tensor, x: Tensor, y: Tensor, p: float, distances: Tensor, *, out: Tensor) -> Cost:
    """Of x alone. That of y is another call."""
    return _distances_gradient(distances.numel, x.shape[-1], p)


@formula("aten._pdist_backward")
def pdist_backward(grad: Tensor, x: Tensor, p: float, distances: Tensor, *, out: Tensor) -> Cost:
    """Of both points of each pair: what is added to one is subtracted from the other."""
    both = Cost(adds=distances.numel * x.shape[-1] if p else 0)
    return _distances_gradient(distances.numel, x.shape[-1], p) + both


@formula("aten.cdist", "aten._cdist_forward", "aten._euclidean_dist")
def cdist(x: Tensor, y: Tensor, p: float = 2.0, compute_mode: int | None = None, *, out: Tensor) -> Cost:
    """By the definition, though above 25 rows the kernel finds 2-norms by a matrix product."""
    return _distances(out.numel, x.shape[-1], p)


@formula("aten.pdist", "aten._pdist_forward")
def pdist(x: Tensor, p: float = 2.0, *, out: Tensor) -> Cost:
    return _distances(out.numel, x.shape[-1], p)


@formula("aten.pairwise_distance")
def pairwise_distance(
    x: Tensor, y: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False, *, out: Tensor
) -> Cost:
    """The p-norm of x - y + ε."""
    length = max(x.shape[-1], y.shape[-1])
    return _distances(out.numel, length, p) + Cost(adds=out.numel * length)


@formula("aten.dist")
def dist(x: Tensor, y: Tensor, p: float = 2.0, *, out: Tensor) -> Cost:
    """The p-norm of x - y, of all elements."""
    return _distances(1, max(x.numel, y.numel), p)


@formula("aten.cosine_similarity")
def cosine_similarity(x: Tensor, y: Tensor, dim: int = 1, eps: float = 1e-8, *, out: Tensor) -> Cost:
    """x·y / (max(‖x‖, ε)·max(‖y‖, ε))"""
    length = max(x.shape[dim], y.shape[dim])
    product_sum = Cost(muls=length, adds=length - 1)
    return (product_sum * 3 + Cost(specials=2, comparisons=2, muls=1, divs=1)) * out.numel
