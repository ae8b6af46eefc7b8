"""What do torchvision's own operators cost?"""

from __future__ import annotations

from math import ceil, log2, prod

from profiler.ops.convolution import convolution_macs
from profiler.ops.cost import Cost
from profiler.ops.elements import first, summed
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value

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


@formula("torchvision.box_iou_rotated")
def box_iou_rotated(a: Tensor, b: Tensor, *, out: Tensor) -> Cost:
    """At most: all 16 pairs of edges cross, all 8 corners are looked for inside, and 24 points are put in order.

    A pair of edges: two cross products for its parameters, each divided by a third. A corner: two scalar products with
    the other's sides. The hull's area: a cross product for each point. The areas, and the ratio.
    """
    corners = Cost(specials=2, muls=6, adds=8) * 2
    crossing = (Cost(muls=6, adds=7, divs=2, comparisons=4) + Cost(muls=2, adds=2)) * 16
    inside = Cost(muls=4, adds=4, comparisons=4) * 8
    hull = Cost(muls=2, adds=5) * 24 + Cost(comparisons=24 * 5)
    ratio = Cost(muls=2, adds=2, divs=1)
    return (corners + crossing + inside + hull + ratio) * out.numel


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


@formula("torchvision._roi_align_backward")
def roi_align_backward(
    grad: Tensor, rois: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int, batch_size: int,
    channels: int, height: int, width: int, sampling_ratio: int, aligned: bool, *, out: Tensor,
) -> Cost:  # fmt: skip
    """A bin's gradient is divided among its samples, and each sample's, weighted, added to its four neighbours."""
    if sampling_ratio <= 0:
        raise Uncovered("as many samples as the boxes are large")
    return (Cost(muls=4, adds=4) * sampling_ratio**2 + Cost(divs=1)) * grad.numel


@formula("torchvision._ps_roi_align_backward")
def ps_roi_align_backward(
    grad: Tensor, rois: Tensor, channel_mapping: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int,
    sampling_ratio: int, *_: Value, out: Tensor,
) -> Cost:  # fmt: skip
    if sampling_ratio <= 0:
        raise Uncovered("as many samples as the boxes are large")
    return (Cost(muls=4, adds=4) * sampling_ratio**2 + Cost(divs=1)) * grad.numel


@formula("torchvision._roi_pool_backward")
def roi_pool_backward(grad: Tensor, rois: Tensor, argmax: Tensor, *_: Value, out: Tensor) -> Cost:
    """Added to where the maximum was."""
    return Cost(adds=grad.numel)


@formula("torchvision._ps_roi_pool_backward")
def ps_roi_pool_backward(grad: Tensor, rois: Tensor, *_: Value, out: Tensor) -> Cost:
    """At most, as in the forward pass: bins that together are as large as the image, for each box and channel."""
    return Cost(adds=rois.shape[0] * grad.shape[1] * prod(out.shape[-2:]), divs=grad.numel)


@formula("torchvision._deform_conv2d_backward")
def deform_conv2d_backward(
    grad: Tensor, x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *settings: Value, out: Value
) -> Cost:
    """All gradients, always. Two products for each of the convolution's: of the samples, and of the weight.

    The samples are taken again for the weight's. A sample's gradient c is added, weighted, to its four neighbours. The
    offset's is c times the slope of the blend along both axes, a difference of weighted neighbours; the mask's is c
    times the sample.
    """
    *_, use_mask = settings
    n, c_in = x.shape[:2]
    samples = n * c_in * prod(weight.shape[2:]) * prod(grad.shape[-2:])
    positions = offset.numel // 2
    masked = int(bool(use_mask))
    forward = convolution_macs(x, weight, grad)
    sampling = BILINEAR + Cost(muls=masked)
    to_image = Cost(muls=4 + masked, adds=4)
    to_offset = (BILINEAR + Cost(muls=1 + masked, adds=1)) * 2
    to_mask = (BILINEAR + Cost(muls=1, adds=1)) * masked
    return (
        forward
        + forward
        + (sampling + to_image + to_offset + to_mask) * samples
        + Cost(adds=2 + 4, specials=2, muls=4) * positions
        + summed(grad, bias.numel)
    )
