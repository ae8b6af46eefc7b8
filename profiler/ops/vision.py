"""torchvision's own operators."""

from __future__ import annotations

from math import ceil, log2, prod

from profiler.ops.convolution import convolution_macs
from profiler.ops.cost import Cost
from profiler.ops.elements import first
from profiler.ops.registry import Uncovered, formula
from profiler.records import Tensor, Value

BILINEAR = Cost(muls=4, adds=3)  # four neighbours with their weights


@formula("torchvision.roi_align", "torchvision.ps_roi_align")
def roi_align(
    x: Tensor, rois: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int, sampling_ratio: int,
    *_: Value, out: Value,
) -> Cost:  # fmt: skip
    """Each bin averages ratio × ratio bilinear samples, https://arxiv.org/abs/1703.06870.

    The weights of the samples, which all channels share, are left out.
    """
    if sampling_ratio <= 0:
        raise Uncovered("as many samples as the boxes are large")
    samples = sampling_ratio**2
    return (BILINEAR * samples + Cost(adds=samples - 1, divs=1)) * first(out).numel


@formula("torchvision.roi_pool")
def roi_pool(x: Tensor, rois: Tensor, *_: Value, out: Value) -> Cost:
    """At most: boxes as large as the image."""
    pooled = first(out).numel
    return Cost(comparisons=max(rois.shape[0] * prod(x.shape[1:]) - pooled, 0))


@formula("torchvision.ps_roi_pool")
def ps_roi_pool(x: Tensor, rois: Tensor, *_: Value, out: Value) -> Cost:
    """At most: boxes as large as the image, https://arxiv.org/abs/1605.06409. Each bin averages its own channel."""
    pooled = first(out)
    visited = rois.shape[0] * pooled.shape[1] * prod(x.shape[-2:])
    return Cost(adds=max(visited - pooled.numel, 0), divs=pooled.numel)


@formula("torchvision.nms")
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, *, out: Tensor) -> Cost:
    """At most: sort, the area of each box, the intersection over union of every pair of boxes."""
    n = boxes.shape[0]
    # min and max of the corners, width and height clamped to 0; w·h; a₁ + a₂ - overlap; the ratio; its comparison
    iou = Cost(comparisons=4 + 2 + 1, adds=2 + 2, muls=1, divs=1)
    sorting = Cost(comparisons=n * ceil(log2(n)) if n > 1 else 0)
    return sorting + Cost(adds=2, muls=1) * n + iou * (n * (n - 1) // 2)


@formula("torchvision.deform_conv2d")
def deform_conv2d(
    x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *settings: Value, out: Tensor
) -> Cost:
    """A convolution of bilinear samples, https://arxiv.org/abs/1703.06211; version 2 multiplies them by a mask.

    A sample's position and its four weights are found once for a group of channels: two additions to the grid, two
    floors, the four distances to the neighbours and their products.
    """
    *_, use_mask = settings
    n, c_in = x.shape[:2]
    samples = n * c_in * prod(weight.shape[2:]) * prod(out.shape[-2:])
    positions = offset.numel // 2
    return (
        convolution_macs(x, weight, out)
        + (BILINEAR + Cost(muls=1 if use_mask else 0)) * samples
        + Cost(adds=2 + 4, specials=2, muls=4) * positions
        + Cost(adds=out.numel)
    )
