"""How are nodes on images translated? Sampling between pixels, regions, patches, norms over windows and channels."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from profiler.sources.onnx.norms import window
from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule


@rule("DeformConv")
def deformable_convolution(node: OnnxNode) -> Iterator[Part]:
    """Inputs: x, weight, offsets, bias, mask."""
    rank = node.input(1).ndim - 2
    if rank != 2:
        raise Uncovered(f"an image of {rank} dimensions")
    mask, bias = node.optional(4), node.optional(3)
    strides, pads, dilations = (node.attribute(name, (1, 1)) for name in ("strides", "pads", "dilations"))
    groups = int(node.attribute("group", 1)), int(node.attribute("offset_group", 1))
    settings = (*strides, *pads[:2], *dilations, *groups, mask is not None)
    tensors = node.x, node.input(1), node.input(2), mask, bias
    yield Part("torchvision.deform_conv2d.default", (*tensors, *settings), node.out)


@rule("AffineGrid")
def affine_grid(node: OnnxNode) -> Iterator[Part]:
    """N × H × W × 2 points, or N × D × H × W × 3: those of an image of that size."""
    batch, *sizes, _ = node.out.shape
    settings = ((batch, 1, *sizes), bool(node.attribute("align_corners", 0)))
    yield Part("aten.affine_grid_generator.default", (node.x, *settings), node.out)


@rule("Col2Im")
def columns_to_image(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.col2im.default", (node.x,), node.out)


@rule("MaxUnpool")
def max_unpool(node: OnnxNode) -> Iterator[Part]:
    rank = max(node.x.ndim - 2, 2)
    yield Part(f"aten.max_unpool{rank}d", (node.x, node.input(1), node.out.shape[2:]), node.out)


@rule("MaxRoiPool")
def max_roi_pool(node: OnnxNode) -> Iterator[Part]:
    height, width = (int(size) for size in node.attribute("pooled_shape"))
    settings = (float(node.attribute("spatial_scale", 1.0)), height, width)
    yield Part("torchvision.roi_pool.default", (node.x, node.input(1), *settings), node.out)


@rule("LpPool")
def lp_pool(node: OnnxNode) -> Iterator[Part]:
    """(Σ |x|^p)^(1/p) over a window, computed as torch does: the mean of the powers times their number."""
    rank, kernel, strides, padding = window(node)
    if any(step != 1 for step in node.attribute("dilations", ())):
        raise Uncovered("dilation")
    powers = node.like(node.x)
    yield Part("aten.pow", (node.x, float(node.attribute("p", 2))), powers)
    yield Part(f"aten.avg_pool{rank}d", (powers, kernel, strides, padding), node.out)
    yield Part("aten.mul_", (node.out, prod(kernel)), node.out)
    yield Part("aten.pow_", (node.out, 1 / float(node.attribute("p", 2) or 1)), node.out)


@rule("GlobalLpPool")
def global_lp_pool(node: OnnxNode) -> Iterator[Part]:
    powers = node.like(node.x)
    yield Part("aten.pow", (node.x, float(node.attribute("p", 2))), powers)
    yield Part("aten.sum", (powers, tuple(range(2, node.x.ndim))), node.out)
    yield Part("aten.pow_", (node.out, 1 / float(node.attribute("p", 2) or 1)), node.out)


@rule("LRN")
def response_norm(node: OnnxNode) -> Iterator[Part]:
    """x / (bias + α/size·Σ x²)^β over neighbouring channels, as torch does it: a pool over channels, padded."""
    size = int(node.attribute("size"))
    batch, channels, *image = node.x.shape
    points = prod(image)
    squares = node.like(node.x)
    yield Part("aten.mul", (node.x, node.x), squares)
    padded = node.temporary(batch, 1, channels + size - 1, points)
    sums = node.temporary(batch, 1, channels, points)
    yield Part("aten.constant_pad_nd", (squares,), padded)
    yield Part("aten.avg_pool2d", (padded, (size, 1), (1, 1)), sums)
    yield Part("aten.mul_", (sums, float(node.attribute("alpha", 1e-4))), sums)
    yield Part("aten.add_", (sums, float(node.attribute("bias", 1.0))), sums)
    yield Part("aten.pow_", (sums, float(node.attribute("beta", 0.75))), sums)
    yield Part("aten.div", (node.x, sums.as_(*node.x.shape)), node.out)


# ONNX Runtime's own ---------------------------------------------------------------------------------------------------


@rule("com.microsoft.GroupNorm", "com.microsoft.SkipGroupNorm")
def group_norm(node: OnnxNode) -> Iterator[Part]:
    """Inputs: x, γ, β; for SkipGroupNorm also a tensor and a bias to add first. An attribute adds a SiLU."""
    x = node.x
    for index in (3, 4) if node.op.endswith("SkipGroupNorm") else ():
        other = node.optional(index)
        if other is not None:
            total = node.like(x)
            yield Part("aten.add", (x, _beside(other, x)), total)
            x = total
    channels, groups = node.input(1).shape[0], int(node.attribute("groups"))
    image = x.as_(x.shape[0], channels, x.tensor.numel // max(x.shape[0] * channels, 1))
    out = node.out.as_(*image.shape)
    yield Part("aten.group_norm.default", (image, groups, node.input(1), node.input(2)), out)
    if node.attribute("activation", 0):
        yield Part("aten.silu_", (node.out,), node.out)


def _beside(other: Operand, x: Operand) -> Operand:
    """The tensor to add to x, channels last; one number a channel and image is broadcast over the pixels."""
    return other if other.ndim in (1, x.ndim) else other.as_(other.shape[0], 1, 1, other.shape[-1])
