"""What do normalisations and vector norms cost? They are counted from their definitions.

A mean over a row of f elements is f - 1 additions and a division. Batch norm in inference folds its scale and shift per
channel first, as every kernel does, so that an element costs one multiplication and one addition.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from profiler.ops.complex_numbers import COMPLEX
from profiler.ops.cost import NOTHING, Cost
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value


def statistics_cost(rows: int, length: int) -> Cost:
    """Mean and variance of each row: mean; centre every element; square it; mean of the squares."""
    n, sums = rows * length, rows * max(length - 1, 0)
    return Cost(adds=sums + n + sums, muls=n, divs=2 * rows)


def layer_norm_cost(rows: int, length: int, *, scale: bool, shift: bool) -> Cost:
    """(x - mean)·rsqrt(var + ε)·γ + β. Centring every element is counted with the statistics, and not again."""
    n = rows * length
    return statistics_cost(rows, length) + Cost(
        adds=rows + (n if shift else 0),
        specials=rows,
        muls=n + (n if scale else 0),
    )


@formula("aten.layer_norm", "aten.native_layer_norm")
def layer_norm(
    x: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, bias: Tensor | None = None,
    *_: Value, out: Value,
) -> Cost:  # fmt: skip
    length = prod(normalized_shape)
    return layer_norm_cost(_rows(x, length), length, scale=weight is not None, shift=bias is not None)


def _rows(x: Tensor, length: int) -> int:
    return x.numel // length if length else 0


@formula("aten.group_norm")
def group_norm(
    x: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, *_: Value, out: Value
) -> Cost:
    """A layer norm of each group of channels of each sample, with scale and shift per channel."""
    rows = x.shape[0] * num_groups
    length = x.numel // rows if rows else 0
    return layer_norm_cost(rows, length, scale=weight is not None, shift=bias is not None)


@formula("aten.native_group_norm")
def native_group_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, c: int, hxw: int, group: int, eps: float,
    *, out: Value,
) -> Cost:  # fmt: skip
    return group_norm(x, group, weight, bias, out=out)


@formula("aten.rms_norm", "aten._fused_rms_norm")
def rms_norm(x: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, *_: Value, out: Value) -> Cost:
    """x·rsqrt(mean(x²) + ε)·γ, https://arxiv.org/abs/1910.07467."""
    length = prod(normalized_shape)
    rows, n = _rows(x, length), x.numel
    return Cost(adds=(n - rows) + rows, muls=2 * n + (n if weight is not None else 0), divs=rows, specials=rows)


def layer_norm_gradient(
    rows: int, length: int, *, centred: bool, scale: bool, wanted: tuple[bool, ...], channels: int
) -> Cost:
    """The gradients of a layer norm, x̂ = (x - mean)·r being what it normalised to, r = rsqrt(var + ε), h = g·γ:

    of the input   r·(h - mean(h) - x̂·mean(h·x̂)), the two means over each row
    of γ           Σ g·x̂ over all rows, one for each of so many `channels`
    of β           Σ g

    as https://arxiv.org/abs/1607.06450 follows from https://arxiv.org/abs/1502.03167, section 3. RMS norm is not
    `centred`: there is no mean to subtract, neither from x nor from h. It has no β.
    """
    for_input, for_scale, for_shift = wanted
    n, sums = rows * length, rows * max(length - 1, 0)
    totals = max(n - channels, 0)
    cost = Cost(muls=n, adds=n if centred else 0) if for_input or for_scale else NOTHING  # x̂
    if for_input:
        cost += Cost(muls=n if scale else 0)  # h
        cost += Cost(muls=n, adds=sums, divs=rows)  # mean(h·x̂)
        cost += Cost(adds=sums, divs=rows) if centred else NOTHING  # mean(h)
        cost += Cost(muls=n, adds=2 * n if centred else n)  # h - mean(h) - x̂·mean(h·x̂)
        cost += Cost(muls=n)  # times r
    if for_scale:
        cost += Cost(muls=n, adds=totals)
    if for_shift:
        cost += Cost(adds=totals)
    return cost


@formula("aten.native_layer_norm_backward")
def layer_norm_backward(
    grad: Tensor, x: Tensor, normalized_shape: tuple[int, ...], mean: Tensor, rstd: Tensor, weight: Tensor | None,
    bias: Tensor | None, output_mask: tuple[bool, ...], *, out: Value,
) -> Cost:  # fmt: skip
    length = prod(normalized_shape)
    return layer_norm_gradient(
        _rows(x, length), length, centred=True, scale=weight is not None, wanted=output_mask, channels=length
    )


@formula("aten.native_group_norm_backward")
def group_norm_backward(
    grad: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor | None, n: int, c: int, hxw: int, group: int,
    output_mask: tuple[bool, ...], *, out: Value,
) -> Cost:  # fmt: skip
    rows = n * group
    length = x.numel // rows if rows else 0
    return layer_norm_gradient(rows, length, centred=True, scale=weight is not None, wanted=output_mask, channels=c)


@formula("aten._fused_rms_norm_backward")
def rms_norm_backward(
    grad: Tensor, x: Tensor, normalized_shape: tuple[int, ...], rstd: Tensor, weight: Tensor | None,
    output_mask: tuple[bool, ...], *, out: Value,
) -> Cost:  # fmt: skip
    length = prod(normalized_shape)
    return layer_norm_gradient(
        _rows(x, length), length, centred=False, scale=weight is not None, wanted=(*output_mask, False),
        channels=length,
    )  # fmt: skip


def _scale_and_shift(elements: int, channels: int, weight: Tensor | None, bias: Tensor | None) -> Cost:
    """scale = γ·rsqrt(var + ε) and shift = β - mean·scale per channel, then x·scale + shift."""
    folding = Cost(
        adds=1 + int(bias is not None),  # var + ε, β - ...
        specials=1,
        muls=1 + int(weight is not None),
    )
    return folding * channels + Cost(muls=1, adds=1) * elements


def _batch_norm(
    x: Tensor, channels: int, weight: Tensor | None, bias: Tensor | None, training: bool, tracked: bool
) -> Cost:
    cost = _scale_and_shift(x.numel, channels, weight, bias)
    if not training:
        return cost
    cost += statistics_cost(channels, x.numel // channels if channels else 0)
    if not tracked:
        return cost
    # running = (1 - m)·running + m·batch for mean and variance; the variance unbiased, times n/(n-1)
    return cost + Cost(muls=5, adds=2) * channels


@formula(
    "aten.batch_norm", "aten.native_batch_norm", "aten._batch_norm_impl_index", "aten.cudnn_batch_norm",
    "aten.miopen_batch_norm", "aten._native_batch_norm_legit", "aten._native_batch_norm_legit_functional",
)  # fmt: skip
def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, *_: Value, out: Value,
) -> Cost:  # fmt: skip
    return _batch_norm(x, x.shape[1], weight, bias, training, running_mean is not None)


@formula("aten._native_batch_norm_legit.no_stats")
def batch_norm_no_stats(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, training: bool, *_: Value, out: Value
) -> Cost:
    return _batch_norm(x, x.shape[1], weight, bias, training, tracked=False)


@formula("aten._native_batch_norm_legit_no_training", "aten._batch_norm_no_update")
def batch_norm_inference(x: Tensor, weight: Tensor | None, bias: Tensor | None, *_: Value, out: Value) -> Cost:
    return _batch_norm(x, x.shape[1], weight, bias, training=False, tracked=True)


@formula("aten._batch_norm_with_update", "aten._batch_norm_with_update_functional")
def batch_norm_with_update(x: Tensor, weight: Tensor | None, bias: Tensor | None, *_: Value, out: Value) -> Cost:
    return _batch_norm(x, x.shape[1], weight, bias, training=True, tracked=True)


def _batch_norm_gradient(x: Tensor, weight: Tensor | None, training: bool, wanted: tuple[bool, ...]) -> Cost:
    """https://arxiv.org/abs/1502.03167, section 3, with what is the same for a whole channel computed once:

    s = Σ g, d = Σ g·(x - mean); of β it is s, of γ it is d·r, r = rsqrt(var + ε), and of the input
    (g - s/m - (x - mean)·k)·(γ·r) with k = d·r·r/m, m elements in a channel.

    In inference the statistics are constants, and the input's is g·(γ·r) alone; but r is computed anew.
    """
    for_input, for_scale, for_shift = wanted
    n, channels = x.numel, x.shape[1]
    sums = max(n - channels, 0)
    through_statistics = for_input and training
    cost = NOTHING
    if for_shift or through_statistics:
        cost += Cost(adds=sums)  # s
    if for_scale or through_statistics:
        cost += Cost(adds=n + sums, muls=n)  # d
    if for_scale:
        cost += Cost(muls=channels)
    if for_input:
        cost += Cost(muls=n + (channels if weight is not None else 0))  # times γ·r
    if through_statistics:
        cost += Cost(muls=2, divs=2) * channels + Cost(adds=2, muls=1) * n
    if not training and (for_input or for_scale):
        cost += Cost(adds=1, specials=1) * channels
    return cost


@formula("aten.native_batch_norm_backward", "aten.batch_norm_backward")
def batch_norm_backward(
    grad: Tensor, x: Tensor, weight: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    save_mean: Tensor | None, save_invstd: Tensor | None, train: bool, eps: float, output_mask: tuple[bool, ...],
    *_: Value, out: Value,
) -> Cost:  # fmt: skip
    return _batch_norm_gradient(x, weight, train, output_mask)


@formula("aten.cudnn_batch_norm_backward", "aten.miopen_batch_norm_backward")
def cudnn_batch_norm_backward(x: Tensor, grad: Tensor, weight: Tensor, *_: Value, out: Value) -> Cost:
    """In training alone, and all three gradients."""
    return _batch_norm_gradient(x, weight, True, (True, True, True))


# SyncBatchNorm's kernels: a batch norm in pieces, between which its processes exchange sums ---------------------------


@formula("aten.batch_norm_stats", "aten.batch_norm_update_stats")
def batch_norm_stats(x: Tensor, *settings: Value, out: Value) -> Cost:
    """Mean, and rsqrt(var + ε) or the running statistics."""
    channels = x.shape[1]
    cost = statistics_cost(channels, x.numel // channels if channels else 0)
    running = len(settings) > 1 and settings[0] is not None
    return cost + (Cost(muls=5, adds=2) if running else Cost(adds=1, specials=1)) * channels


@formula("aten.batch_norm_elemt")
def batch_norm_elemt(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, invstd: Tensor, eps: float, *, out: Tensor
) -> Cost:
    """x·scale + shift, both folded for each channel."""
    folding = Cost(muls=1 + int(weight is not None), adds=int(bias is not None))
    return folding * x.shape[1] + Cost(muls=1, adds=1) * x.numel


@formula("aten.batch_norm_gather_stats", "aten.batch_norm_gather_stats_with_counts")
def batch_norm_gather_stats(
    x: Tensor, mean: Tensor, invstd: Tensor, running_mean: Tensor | None, *_: Value, out: Value
) -> Cost:
    """The statistics of W processes as one, pair by pair: Chan, Golub, LeVeque 1983, equation 2.1.

    v = (1/r)² - ε; d = mean - m; the mean moves by d·n/N, the sum of squares by v·n + d·d·n·M/N.
    """
    channels = x.shape[1]
    merged = Cost(muls=7, adds=5, divs=3) * mean.numel + Cost(divs=1, adds=1, specials=1) * channels
    return merged + (Cost(muls=5, adds=2) * channels if running_mean is not None else NOTHING)


@formula("aten.batch_norm_backward_reduce")
def batch_norm_backward_reduce(
    grad: Tensor, x: Tensor, mean: Tensor, invstd: Tensor, weight: Tensor | None, *wanted: bool, out: Value
) -> Cost:
    """Σ g and Σ g·(x - mean) of each channel; of γ it is the latter times r."""
    n, channels = x.numel, x.shape[1]
    sums = max(n - channels, 0)
    return Cost(adds=2 * sums + n, muls=n + (channels if wanted[1] else 0))


@formula("aten.batch_norm_backward_elemt")
def batch_norm_backward_elemt(
    grad: Tensor, x: Tensor, mean: Tensor, invstd: Tensor, weight: Tensor | None, *_: Value, out: Tensor
) -> Cost:
    """(g - s/m - (x - mean)·k)·(γ·r) with k = d·r·r/m, as `native_batch_norm_backward` has it."""
    folding = Cost(muls=2 + int(weight is not None), divs=2)
    return folding * x.shape[1] + Cost(adds=3, muls=2) * x.numel


@formula("aten.instance_norm")
def instance_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    use_input_stats: bool, *_: Value, out: Value,
) -> Cost:  # fmt: skip
    """Batch norm in which every sample's channel is a channel of its own."""
    channels = x.shape[0] * x.shape[1]
    return _batch_norm(x, channels, weight, bias, use_input_stats, running_mean is not None)


@formula("aten._weight_norm", "aten._weight_norm_interface")
def weight_norm(v: Tensor, g: Tensor, dim: int = 0, *, out: Value) -> Cost:
    """v·(g / ‖v‖), a norm for each slice along `dim`."""
    return vector_norm_cost(v.numel, g.numel, 2) + Cost(divs=g.numel, muls=v.numel)


@formula("aten._weight_norm_interface_backward")
def weight_norm_backward(grad: Tensor, v: Tensor, g: Tensor, norms: Tensor, dim: int, *, out: Value) -> Cost:
    """https://arxiv.org/abs/1602.07868, equation 3.

    Of g it is a = Σ grad·v / ‖v‖ for each slice, and of v it is grad·b - v·(a·b/‖v‖) with b = g/‖v‖.
    """
    n, rows = v.numel, g.numel
    return Cost(muls=n + 2 * n, adds=max(n - rows, 0) + n) + Cost(divs=3, muls=1) * rows


def vector_norm_cost(elements: int, rows: int, p: float | str) -> Cost:
    """(Σ|x|ᵖ)^(1/p) of each row. |x| is a comparison, and the sum of f elements f - 1 additions."""
    sums = max(elements - rows, 0)
    if p == 2:
        return Cost(muls=elements, adds=sums, specials=rows)
    if p in (0, 1):
        return Cost(comparisons=elements, adds=sums)
    if p in (float("inf"), float("-inf")):
        return Cost(comparisons=elements + sums)
    if isinstance(p, str):
        raise Uncovered(f"the norm {p!r}")
    return Cost(comparisons=elements, specials=elements + rows, adds=sums)


@formula("aten.linalg_vector_norm", "aten.norm", "aten.native_norm")
def vector_norm(x: Tensor, p: float | str | None = 2, *_: Value, out: Tensor, **__: Value) -> Cost:
    p = 2 if p is None else p
    if not x.is_complex:
        return vector_norm_cost(x.numel, out.numel, p)
    if p == 2:
        return vector_norm_cost(2 * x.numel, out.numel, p)  # the squares of both parts
    return COMPLEX["abs"] * x.numel + vector_norm_cost(x.numel, out.numel, p)


@formula("aten.linalg__powsum")
def power_sum(x: Tensor, p: float = 2, *_: Value, out: Tensor, **__: Value) -> Cost:
    """A norm without its root."""
    rooted = vector_norm(x, p, out=out)
    return replace(rooted, specials=rooted.specials - (0 if p in (0, 1, float("inf"), float("-inf")) else out.numel))


@formula("aten.frobenius_norm")
def frobenius_norm(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    return vector_norm(x, out=out)


@formula("aten.renorm")
def renorm(x: Tensor, p: float, dim: int, maxnorm: float, *, out: Value) -> Cost:
    """Every slice along `dim` whose norm exceeds maxnorm is scaled down to it: norm, comparison, factor, product."""
    rows = x.shape[dim]
    return vector_norm_cost(x.numel, rows, p) + Cost(comparisons=rows, adds=rows, divs=rows, muls=x.numel)


@formula("aten.embedding_renorm")
def embedding_renorm(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float, *, out: Value) -> Cost:
    """`renorm` of the rows that are looked up, at most one for each index."""
    touched = Tensor((indices.numel, weight.shape[1]), weight.dtype)
    return replace(
        renorm(touched, norm_type, 0, max_norm, out=out),
        bytes_read=touched.size_bytes + indices.size_bytes,
        bytes_written=touched.size_bytes,
    )
