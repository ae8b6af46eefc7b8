"""What does resampling cost? Interpolation, grid sampling, folding.

Interpolation positions and weights along an axis are computed once a call, whatever the number of images and channels:
left out, like all index arithmetic. In grid sampling they are computed for every sample, and counted.
"""

from __future__ import annotations

from math import prod

from profiler.ops.cost import Cost
from profiler.ops.elements import each, from_gradient, mac
from profiler.ops.lattice import clamped_floor_sum
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value


def _blend(taps: int) -> Cost:
    """A weighted sum."""
    return Cost(muls=taps, adds=taps - 1)


def _linear(rank: int) -> Cost:
    """Blend two neighbours along the last axis, then two such results along the one before: 1 + 2 + 4 blends."""
    return _blend(2) * ((1 << rank) - 1)


CUBIC = _blend(4) * (4 + 1)  # four rows of four neighbours, then a column of four


def _interpolation(name: str, unit: Cost) -> None:
    @formula(f"aten.{name}")
    def upsample(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
        return each(unit, out)


_interpolation("upsample_linear1d", _linear(1))
_interpolation("upsample_bilinear2d", _linear(2))
_interpolation("upsample_trilinear3d", _linear(3))
_interpolation("upsample_bicubic2d", CUBIC)


def _transposed(forward: Cost, neighbours: int) -> Cost:
    """The gradient of a blend: the same weights multiply, and a product is added to each neighbour."""
    return Cost(muls=forward.muls, adds=neighbours)


def _interpolation_backward(names: str, unit: Cost) -> None:
    @formula(*(f"aten.{name}_backward" for name in names.split()))
    def upsample_backward(grad: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
        return each(unit, grad)


_interpolation_backward("upsample_nearest1d upsample_nearest2d upsample_nearest3d", Cost(adds=1))
_interpolation_backward("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d", Cost(adds=1))
_interpolation_backward("upsample_linear1d", _transposed(_linear(1), 2))
_interpolation_backward("upsample_bilinear2d", _transposed(_linear(2), 4))
_interpolation_backward("upsample_trilinear3d", _transposed(_linear(3), 8))
_interpolation_backward("upsample_bicubic2d", _transposed(CUBIC, 16))


def _antialiased_taps(size: int, target: int, width: int, align_corners: bool) -> int:
    """The neighbours that all outputs along an axis blend: a filter `width` wide, stretched when shrinking.

    As in aten/src/ATen/native/cpu/UpSampleKernel.cpp, _compute_indices_weights_aa, which follows Pillow.
    """
    # Centre scale·(o + ½); from ⌊centre - support + ½⌋ to ⌊centre + support + ½⌋, in units of half a step
    step, steps = (size - 1, max(target - 1, 1)) if align_corners else (size, target)
    support = width * max(step, steps)
    ends, starts = (
        clamped_floor_sum(target, 2 * step, step + reach + steps, 2 * steps, size) for reach in (support, -support)
    )
    return ends - starts


def _antialias(name: str, width: int) -> None:
    @formula(f"aten.{name}")
    def upsample_aa(x: Tensor, output_size: Value, align_corners: bool, *_: Value, out: Tensor) -> Cost:
        """Along the width of every input row, then along the height; an axis that keeps its size is skipped."""
        return each(_antialiased(x, out, width, align_corners, backward=False), out, 1)

    @formula(f"aten.{name}_backward")
    def upsample_aa_backward(
        grad: Tensor, output_size: Value, input_size: Value, align_corners: bool, *_: Value, out: Tensor
    ) -> Cost:
        """The same weights, and every product is added to where its factor came from."""
        return each(_antialiased(out, grad, width, align_corners, backward=True), out, 1)


def _antialiased(x: Tensor, y: Tensor, width: int, align_corners: bool, *, backward: bool) -> Cost:
    """From an image x to its other size y, or the gradient of that."""
    (height, w_in), (h_out, w_out) = x.shape[-2:], y.shape[-2:]
    images = prod(x.shape[:-2])
    cost = Cost()
    for size, target, lines in ((w_in, w_out, images * height), (height, h_out, images * w_out)):
        if size != target:
            taps = _antialiased_taps(size, target, width, align_corners)
            cost += Cost(muls=taps, adds=taps if backward else taps - target) * lines
    return cost


_antialias("_upsample_bilinear2d_aa", 2)
_antialias("_upsample_bicubic2d_aa", 4)
_antialias("_upsample_lanczos2d_aa", 6)


# The weights of four neighbours at distances 1+t, t, 1-t, 2-t (three additions), two on each branch of the cubic of
# https://ieeexplore.ieee.org/document/1163711, in Horner's form: ((a+2)x - (a+3))x²+1 and ((ax - 5a)x + 8a)x - 4a
CUBIC_WEIGHTS = Cost(adds=3) + Cost(muls=3, adds=2) * 2 + Cost(muls=3, adds=3) * 2


# Of a sample along an axis: ((g + 1)·size - 1)/2, kept inside; the special function is floor, or round.
GRID_POSITION = Cost(adds=2, muls=1, divs=1, comparisons=2, specials=1)


def _corner_weights(rank: int) -> Cost:
    """Two distances along each axis, and for each corner their product."""
    return Cost(adds=2) * rank + Cost(muls=rank - 1) * (1 << rank)


@formula("aten.grid_sampler", "aten.grid_sampler_2d", "aten.grid_sampler_3d", "aten._grid_sampler_2d_cpu_fallback")
def grid_sampler(
    x: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool, *, out: Tensor
) -> Cost:
    """For each sample its position, ((g + 1)·size - 1)/2 along each axis, kept inside; for each channel the blend."""
    rank = grid.shape[-1]
    samples = grid.numel // rank if rank else 0
    position = GRID_POSITION * rank
    if interpolation_mode == 1:  # nearest
        return position * samples
    if interpolation_mode == 0:
        return (position + _corner_weights(rank)) * samples + _blend(1 << rank) * out.numel
    if interpolation_mode == 2:
        return (position + CUBIC_WEIGHTS * rank) * samples + CUBIC * out.numel
    raise Uncovered(f"interpolation mode {interpolation_mode}")


# The derivatives of the four weights: four distances, two quadratics on each branch, (3ax - 10a)x + 8a and (3(a+2)x -
# 2(a+3))x, as in aten/src/ATen/native/GridSampler.h, get_cubic_coefficients_grad
CUBIC_SLOPES = Cost(adds=4) + Cost(muls=2, adds=2) * 2 + Cost(muls=2, adds=1) * 2


@formula(
    "aten.grid_sampler_2d_backward", "aten.grid_sampler_3d_backward", "aten._grid_sampler_2d_cpu_fallback_backward"
)
def grid_sampler_backward(
    grad: Tensor, x: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool,
    output_mask: tuple[bool, ...] = (True, True), *, out: Value,
) -> Cost:  # fmt: skip
    """Positions and weights are those of the forward pass.

    The image: each channel's gradient, times its weight, is added to each neighbour. The grid: along each axis the
    slope of the blend, which is another blend of the same neighbours, times the gradient, summed over the channels;
    and times size/2 for each sample. Bilinear slopes are as in aten/src/ATen/native/GridSampler.cpp, a product of
    value, distances along the other axes and gradient for each neighbour.
    """
    for_image, for_grid = output_mask
    rank = grid.shape[-1]
    samples = grid.numel // rank if rank else 0
    position = GRID_POSITION * rank * samples
    if interpolation_mode == 1:  # nearest: flat along the grid
        return position + Cost(adds=grad.numel if for_image else 0)
    to_grid = Cost(muls=rank) * samples if for_grid else Cost()
    if interpolation_mode == 0:
        corners = 1 << rank
        image = Cost(muls=corners, adds=corners) * grad.numel if for_image else Cost()
        slopes = Cost(muls=rank, adds=1) * (corners * rank * grad.numel) if for_grid else Cost()
        return position + _corner_weights(rank) * samples + image + slopes + to_grid
    if interpolation_mode == 2:
        image = _transposed(CUBIC, 16) * grad.numel if for_image else Cost()
        slopes = (CUBIC + Cost(muls=1, adds=1)) * (rank * grad.numel) if for_grid else Cost()
        weights = (CUBIC_WEIGHTS + (CUBIC_SLOPES if for_grid else Cost())) * (rank * samples)
        return position + weights + image + slopes + to_grid
    raise Uncovered(f"interpolation mode {interpolation_mode}")


@formula("aten.affine_grid_generator")
def affine_grid_generator(theta: Tensor, size: tuple[int, ...], align_corners: bool, *, out: Tensor) -> Cost:
    """Every position of the grid times the affine matrix, a matrix product."""
    rank, width = theta.shape[-2:]
    positions = prod(size[2:])
    return Cost(macs=mac("N positions rank+1 rank", size[0], positions, width, rank, of=theta))


@formula("aten.col2im")
def col2im(columns: Tensor, *_: Value, out: Tensor) -> Cost:
    """Every element of every column is added to its place."""
    return each(Cost(adds=1), columns)


@formula("aten.unfold_backward")
def unfold_backward(columns: Tensor, *_: Value, out: Tensor) -> Cost:
    return each(Cost(adds=1), columns)


@formula(
    "aten.reflection_pad1d_backward", "aten.reflection_pad2d_backward", "aten.reflection_pad3d_backward",
    "aten.replication_pad1d_backward", "aten.replication_pad2d_backward", "aten.replication_pad3d_backward",
)  # fmt: skip
def padding_backward(grad: Tensor, x: Tensor, *_: Value, out: Tensor) -> Cost:
    """Every element of the gradient is added to the one that it was a copy of."""
    return from_gradient(each(Cost(adds=1), grad), grad)
