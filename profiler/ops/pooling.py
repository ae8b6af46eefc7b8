"""What does pooling cost? A window of k is k - 1 comparisons or additions, and an average one division more.

Windows are counted as the kernels walk them, cut off where they reach into the padding.
"""

from __future__ import annotations

from math import prod

from profiler.ops.cost import Cost
from profiler.ops.elements import first, from_gradient
from profiler.ops.lattice import adaptive_taps, window_taps
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value

Setting = int | tuple[int, ...]  # one number for every axis, or a number for each


def _per_axis(setting: Setting, rank: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    values = (setting,) if isinstance(setting, int) else setting or default
    return values * rank if len(values) == 1 else values


def _visited(
    x: Tensor, out: Tensor, rank: int, kernel: Setting, stride: Setting, padding: Setting, dilation: Setting = 1
) -> int:
    """How many input elements all windows hold together: the axes' totals multiply."""
    kernels = _per_axis(kernel, rank)
    settings = zip(
        x.shape[-rank:], out.shape[-rank:], kernels, _per_axis(stride, rank, kernels), _per_axis(padding, rank),
        _per_axis(dilation, rank), strict=True,
    )  # fmt: skip
    return prod(out.shape[:-rank]) * prod(window_taps(*axis) for axis in settings)


def _adaptive_visited(x: Tensor, out: Tensor, rank: int) -> int:
    axes = zip(x.shape[-rank:], out.shape[-rank:], strict=True)
    return prod(out.shape[:-rank]) * prod(adaptive_taps(size, windows) for size, windows in axes)


def _maximum(visited: int, out: Tensor) -> Cost:
    return Cost(comparisons=max(visited - out.numel, 0))


def _average(visited: int, out: Tensor) -> Cost:
    return Cost(adds=max(visited - out.numel, 0), divs=out.numel)


def _spread(visited: int, grad: Tensor) -> Cost:
    """An average's gradient: divided by the window's size, then added to each element of the window."""
    return from_gradient(Cost(adds=visited, divs=grad.numel), grad)


def _returned(grad: Tensor, indices: Tensor) -> Cost:
    """A maximum's gradient is added to where the maximum was."""
    return from_gradient(Cost(adds=grad.numel), grad, indices)


def _register(rank: int) -> None:
    @formula(
        f"aten.max_pool{rank}d", f"aten.max_pool{rank}d_with_indices",
        *([f"aten.mkldnn_max_pool{rank}d"] if rank > 1 else []),
    )  # fmt: skip
    def max_pool(
        x: Tensor, kernel_size: Setting, stride: Setting = (), padding: Setting = 0, dilation: Setting = 1, *_: Value,
        out: Value,
    ) -> Cost:  # fmt: skip
        result = first(out)
        return _maximum(_visited(x, result, rank, kernel_size, stride, padding, dilation), result)

    @formula(f"aten.avg_pool{rank}d")
    def avg_pool(
        x: Tensor, kernel_size: Setting, stride: Setting = (), padding: Setting = 0, *_: Value, out: Tensor
    ) -> Cost:
        return _average(_visited(x, out, rank, kernel_size, stride, padding), out)

    @formula(f"aten.adaptive_max_pool{rank}d")
    def adaptive_max_pool(x: Tensor, *_: Value, out: Value) -> Cost:
        result = first(out)
        return _maximum(_adaptive_visited(x, result, rank), result)

    @formula(
        f"aten.adaptive_avg_pool{rank}d", *([f"aten._adaptive_avg_pool{rank}d"] if rank > 1 else []),
        *(["aten.mkldnn_adaptive_avg_pool2d"] if rank == 2 else []),
    )  # fmt: skip
    def adaptive_avg_pool(x: Tensor, *_: Value, out: Tensor) -> Cost:
        return _average(_adaptive_visited(x, out, rank), out)


for _rank in (1, 2, 3):
    _register(_rank)


def _register_backward(rank: int) -> None:
    @formula(f"aten.max_pool{rank}d_with_indices_backward")
    def max_pool_backward(
        grad: Tensor, x: Tensor, kernel_size: Setting, stride: Setting, padding: Setting, dilation: Setting,
        ceil_mode: bool, indices: Tensor, *, out: Tensor,
    ) -> Cost:  # fmt: skip
        return _returned(grad, indices)

    @formula(f"aten.adaptive_max_pool{rank}d_backward")
    def adaptive_max_pool_backward(grad: Tensor, x: Tensor, indices: Tensor, *, out: Tensor) -> Cost:
        return _returned(grad, indices)

    @formula(f"aten.fractional_max_pool{rank}d_backward")
    def fractional_max_pool_backward(
        grad: Tensor, x: Tensor, kernel_size: Setting, output_size: Setting, indices: Tensor, *, out: Tensor
    ) -> Cost:
        return _returned(grad, indices)

    @formula(f"aten.avg_pool{rank}d_backward")
    def avg_pool_backward(
        grad: Tensor, x: Tensor, kernel_size: Setting, stride: Setting, padding: Setting, *_: Value, out: Tensor
    ) -> Cost:
        return _spread(_visited(x, grad, rank, kernel_size, stride, padding), grad)

    @formula(f"aten._adaptive_avg_pool{rank}d_backward")
    def adaptive_avg_pool_backward(grad: Tensor, x: Tensor, *, out: Tensor) -> Cost:
        return _spread(_adaptive_visited(x, grad, rank), grad)


for _rank in (2, 3):
    _register_backward(_rank)


@formula("aten.fractional_max_pool2d", "aten.fractional_max_pool3d")
def fractional_max_pool(x: Tensor, kernel_size: tuple[int, ...], *_: Value, out: Value) -> Cost:
    """The windows lie at random places, all inside the image. https://arxiv.org/abs/1412.6071"""
    result = first(out)
    return _maximum(result.numel * prod(kernel_size), result)
