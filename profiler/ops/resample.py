"""Resampling: interpolation, grid sampling, folding.

Interpolation positions and weights along an axis are computed once a call, whatever the number of images and channels:
left out, like all index arithmetic. In grid sampling they are computed for every sample, and counted.
"""

from __future__ import annotations

from math import floor, prod

from profiler.ops.cost import Cost
from profiler.ops.elements import each, mac
from profiler.ops.registry import Uncovered, formula
from profiler.records import Tensor, Value


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


def _antialiased_taps(size: int, target: int, width: int, align_corners: bool) -> int:
    """The neighbours that all outputs along an axis blend: a filter `width` wide, stretched when shrinking.

    As in aten/src/ATen/native/cpu/UpSampleKernel.cpp, _compute_indices_weights_aa, which follows Pillow.
    """
    scale = (size - 1) / max(target - 1, 1) if align_corners else size / target
    support = width / 2 * max(scale, 1.0)
    centers = (scale * (o + 0.5) for o in range(target))
    return sum(min(floor(c + support + 0.5), size) - max(floor(c - support + 0.5), 0) for c in centers)


def _antialias(name: str, width: int) -> None:
    @formula(f"aten.{name}")
    def upsample_aa(x: Tensor, output_size: Value, align_corners: bool, *_: Value, out: Tensor) -> Cost:
        """Along the width of every input row, then along the height; an axis that keeps its size is skipped."""
        (height, w_in), (h_out, w_out) = x.shape[-2:], out.shape[-2:]
        images = prod(x.shape[:-2])
        cost = Cost()
        if w_in != w_out:
            cost += _weighted(images * height, w_out, _antialiased_taps(w_in, w_out, width, align_corners))
        if height != h_out:
            cost += _weighted(images * w_out, h_out, _antialiased_taps(height, h_out, width, align_corners))
        return each(cost, out, 1)


def _weighted(lines: int, outputs: int, taps: int) -> Cost:
    return Cost(muls=taps, adds=taps - outputs) * lines


_antialias("_upsample_bilinear2d_aa", 2)
_antialias("_upsample_bicubic2d_aa", 4)


# The weights of four neighbours at distances 1+t, t, 1-t, 2-t (three additions), two on each branch of the cubic of
# https://ieeexplore.ieee.org/document/1163711, in Horner's form: ((a+2)x - (a+3))x²+1 and ((ax - 5a)x + 8a)x - 4a
CUBIC_WEIGHTS = Cost(adds=3) + Cost(muls=3, adds=2) * 2 + Cost(muls=3, adds=3) * 2


@formula("aten.grid_sampler", "aten.grid_sampler_2d", "aten.grid_sampler_3d", "aten._grid_sampler_2d_cpu_fallback")
def grid_sampler(
    x: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool, *, out: Tensor
) -> Cost:
    """For each sample its position, ((g + 1)·size - 1)/2 along each axis, kept inside; for each channel the blend."""
    rank = grid.shape[-1]
    samples = grid.numel // rank if rank else 0
    position = Cost(adds=2, muls=1, divs=1, comparisons=2, specials=1) * rank  # the special one is floor, or round
    if interpolation_mode == 1:  # nearest
        return position * samples
    if interpolation_mode == 0:
        corners = 1 << rank
        weights = Cost(adds=2) * rank + Cost(muls=rank - 1) * corners
        return (position + weights) * samples + _blend(corners) * out.numel
    if interpolation_mode == 2:
        return (position + CUBIC_WEIGHTS * rank) * samples + CUBIC * out.numel
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
