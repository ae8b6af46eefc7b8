"""How are nodes translated that copy data, or view it in another shape? Those are views that are views in torch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise

from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule

# The same memory under another shape, by ONNX's name and aten's.
VIEWS = """
    Reshape view   Flatten flatten   Squeeze squeeze   Unsqueeze unsqueeze   Transpose permute   Expand expand
    Slice slice   Identity alias
"""
COPIES = """
    Concat cat   Tile repeat   Pad constant_pad_nd   DepthToSpace pixel_shuffle   SpaceToDepth pixel_unshuffle
    ReverseSequence flip   OneHot one_hot   ConstantOfShape full   Range arange   EyeLike eye   RandomNormal randn
    RandomNormalLike randn_like   RandomUniform rand   RandomUniformLike rand_like   Bernoulli bernoulli
    Multinomial multinomial   CenterCropPad constant_pad_nd   Constant full   GatherElements gather
    Compress masked_select   GatherND index   NonZero nonzero   ScatterElements scatter   ScatterND index_put
    Scatter scatter   TensorScatter index_put
"""
_SETTINGS_ARE_TENSORS = {"Concat", "GatherElements", "GatherND", "Compress"}  # all inputs are data


def view_of(source: Operand, out: Operand) -> Operand:
    """An output that shares the memory of its source."""
    return Operand(out.tensor, source.place)


def _view(onnx: str, aten: str) -> None:
    @rule(onnx)
    def view(node: OnnxNode) -> Iterator[Part]:
        """The other inputs are shapes, axes or bounds, and no data."""
        yield Part(f"aten.{aten}", (node.x,), view_of(node.x, node.out))


def _copy(onnx: str, aten: str) -> None:
    @rule(onnx)
    def copy(node: OnnxNode) -> Iterator[Part]:
        tensors = tuple(operand for operand in node.inputs if operand is not None)
        if onnx == "Concat":
            yield Part("aten.cat", (tensors, node.axis(0)), node.out)
        elif "Scatter" in onnx:
            yield from _scatter(node)
        else:
            data = tensors if onnx in _SETTINGS_ARE_TENSORS else tensors[:1]
            yield Part(f"aten.{aten}", data, node.out)


_words = VIEWS.split()
for _onnx, _aten in zip(_words[::2], _words[1::2], strict=True):
    _view(_onnx, _aten)
_words = COPIES.split()
for _onnx, _aten in zip(_words[::2], _words[1::2], strict=True):
    _copy(_onnx, _aten)

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter(node: OnnxNode) -> Iterator[Part]:
    """A copy of the data in which some elements are replaced, or combined with what arrives."""
    reduction = str(node.attribute("reduction", "none"))
    data, index, updates = node.x, node.input(1), node.optional(2) or node.input(1)
    if node.op == "TensorScatter":
        yield Part("aten.copy", (data,), node.out)
    elif node.op == "ScatterND":
        if reduction not in ("none", "add"):
            raise Uncovered(reduction)
        rows = index.as_(updates.tensor.numel)
        yield Part("aten.index_put", (data, (rows,), updates, reduction == "add"), node.out)
    elif reduction == "none":
        yield Part("aten.scatter", (data, node.axis(0), index, updates), node.out)
    else:
        yield Part("aten.scatter_reduce", (data, node.axis(0), index, updates, _REDUCTIONS[reduction]), node.out)


@rule("Cast", "CastLike")
def cast(node: OnnxNode) -> Iterator[Part]:
    if node.x.tensor.dtype == node.out.tensor.dtype:
        yield Part("aten.alias", (node.x,), view_of(node.x, node.out))
    else:
        yield Part("aten._to_copy", (node.x,), node.out)


@rule("Trilu", "com.microsoft.Trilu")
def triangle(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.triu" if node.attribute("upper", 1) else "aten.tril", (node.x,), node.out)


@rule("Gather")
def gather(node: OnnxNode) -> Iterator[Part]:
    """Rows of a matrix are an embedding; one index that is known is a view; all else is a copy."""
    index, axis = node.input(1), node.axis(0)
    if index.ndim == 0 and node.constant(1) is not None:
        yield Part("aten.select", (node.x, axis, int(node.constant(1).item())), view_of(node.x, node.out))
    elif node.x.ndim == 2 and axis == 0:
        yield Part("aten.embedding.default", (node.x, index), node.out)
    else:
        yield Part("aten.index_select.default", (node.x, axis, index), node.out)


@rule("Split")
def split(node: OnnxNode) -> Iterator[Part]:
    outputs = tuple(view_of(node.x, operand) for operand in node.outputs if operand is not None)
    axis = node.axis(0)
    bounds = pairwise(accumulate((operand.shape[axis] for operand in outputs), initial=0))
    sizes = tuple(last - first for first, last in bounds)
    yield Part("aten.split_with_sizes.default", (node.x, sizes, axis), outputs)


@rule("Shape", "Size")
def shape(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.size", (node.x,), node.out)


@rule("Unique")
def unique(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten._unique2", (node.x,), node.out)


# Images ---------------------------------------------------------------------------------------------------------------

_MODES = {"linear": {1: "upsample_linear1d", 2: "upsample_bilinear2d", 3: "upsample_trilinear3d"}}


@rule("Resize", "Upsample")
def resize(node: OnnxNode) -> Iterator[Part]:
    """Along the axes whose size changes, which have to be the last."""
    mode, x = str(node.attribute("mode", "nearest")), node.x
    changed = [axis for axis, sizes in enumerate(zip(x.shape, node.out.shape, strict=True)) if sizes[0] != sizes[1]]
    rank = x.ndim - 2
    if node.attribute("antialias", 0) or rank not in (1, 2, 3) or any(axis < 2 for axis in changed):
        raise Uncovered("an axis that is not of an image, or a filter")
    if mode == "nearest":
        yield Part(f"aten.upsample_nearest{rank}d.default", (x, node.out.shape[2:]), node.out)
    elif mode == "cubic" and rank == 2:
        yield Part("aten.upsample_bicubic2d.default", (x, node.out.shape[2:], False), node.out)
    else:
        yield Part(f"aten.{_MODES[mode][rank]}.default", (x, node.out.shape[2:], False), node.out)


_SAMPLING = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}


@rule("GridSample")
def grid_sample(node: OnnxNode) -> Iterator[Part]:
    mode = _SAMPLING[str(node.attribute("mode", "linear"))]
    settings = (mode, 0, bool(node.attribute("align_corners", 0)))
    yield Part("aten.grid_sampler.default", (node.x, node.input(1), *settings), node.out)


@rule("RoiAlign")
def roi_align(node: OnnxNode) -> Iterator[Part]:
    height, width = (int(node.attribute(name, 1)) for name in ("output_height", "output_width"))
    settings = (float(node.attribute("spatial_scale", 1.0)), height, width, int(node.attribute("sampling_ratio", 0)))
    if node.attribute("mode", "avg") != "avg":
        raise Uncovered("the maximum")
    yield Part("torchvision.roi_align.default", (node.x, node.input(1), *settings), node.out)
