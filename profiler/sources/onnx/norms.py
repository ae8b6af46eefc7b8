"""How are normalisation, reductions and pooling translated from ONNX?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiler.sources.onnx.rules import OnnxNode, Part, Uncovered, rule


@rule("BatchNormalization")
def batch_norm(node: OnnxNode) -> Iterator[Part]:
    if node.attribute("training_mode", 0):
        raise Uncovered("training")
    weights = tuple(node.input(index) for index in range(1, 5))
    settings = (False, float(node.attribute("momentum", 0.9)), float(node.attribute("epsilon", 1e-5)), False)
    yield Part("aten.batch_norm.default", (node.x, *weights, *settings), node.out)


@rule("InstanceNormalization")
def instance_norm(node: OnnxNode) -> Iterator[Part]:
    """A group norm in which each channel is a group."""
    yield Part("aten.group_norm.default", (node.x, node.x.shape[1], node.input(1), node.input(2)), node.out)


@rule("GroupNormalization")
def group_norm(node: OnnxNode) -> Iterator[Part]:
    groups = int(node.attribute("num_groups"))
    yield Part("aten.group_norm.default", (node.x, groups, node.input(1), node.input(2)), node.out)


@rule("LayerNormalization", "com.microsoft.LayerNormalization")
def layer_norm(node: OnnxNode) -> Iterator[Part]:
    shape = node.x.shape[node.axis(-1) :]
    epsilon = float(node.attribute("epsilon", 1e-5))
    yield Part("aten.layer_norm.default", (node.x, shape, node.input(1), node.optional(2), epsilon), node.out)


@rule("RMSNormalization", "SimplifiedLayerNormalization", "com.microsoft.SimplifiedLayerNormalization")
def rms_norm(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.rms_norm.default", (node.x, node.x.shape[node.axis(-1) :], node.input(1)), node.out)


@rule("com.microsoft.EmbedLayerNormalization")
def embedded_norm(node: OnnxNode) -> Iterator[Part]:
    """Inputs: ids, segments, tables of words, positions and segments, γ, β: the norm of the rows' sum."""
    total = node.outputs[2] if len(node.outputs) > 2 and node.outputs[2] is not None else node.like(node.out)
    yield Part("aten.embedding.default", (node.input(2), node.x), total)
    for table, index in ((3, node.x), (4, node.optional(1))):
        if node.optional(table) is not None and index is not None:
            rows = node.like(total)
            yield Part("aten.embedding.default", (node.input(table), index), rows)
            yield Part("aten.add_", (total, rows), total)
    yield Part("aten.layer_norm.default", (total, (total.shape[-1],), node.input(5), node.input(6)), node.out)
    if len(node.outputs) > 1 and node.outputs[1] is not None:
        yield Part("aten.full", (), node.outputs[1])


@rule("com.microsoft.SkipLayerNormalization", "com.microsoft.SkipSimplifiedLayerNormalization")
def skip_layer_norm(node: OnnxNode) -> Iterator[Part]:
    """Of x + skip, plus a bias where there is one: inputs are x, skip, γ, β and bias, without β in the simplified."""
    is_simplified = "Simplified" in node.op
    bias = node.optional(3 if is_simplified else 4)
    shape = (node.x.shape[-1],)
    total = node.outputs[3] if len(node.outputs) > 3 and node.outputs[3] is not None else node.like(node.x)
    yield Part("aten.add", (node.x, node.input(1)), total)
    if bias is not None:
        yield Part("aten.add_", (total, bias), total)
    if is_simplified:
        yield Part("aten.rms_norm.default", (total, shape, node.input(2)), node.out)
    else:
        yield Part("aten.layer_norm.default", (total, shape, node.input(2), node.optional(3)), node.out)


@rule("MeanVarianceNormalization")
def mean_variance_norm(node: OnnxNode) -> Iterator[Part]:
    """(x - mean) / σ over some axes: a layer norm without weights."""
    axes = [axis % node.x.ndim for axis in node.attribute("axes", (0, 2, 3))]
    shape = tuple(node.x.shape[axis] for axis in axes)
    yield Part("aten.layer_norm.default", (node.x, shape), node.out)


# Reductions -----------------------------------------------------------------------------------------------------------

_FOLDS = {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "amax", "ReduceMin": "amin", "ReduceProd": "prod"}


def _axes(node: OnnxNode) -> tuple[int, ...] | None:
    """An attribute in old files, an input since; none stands for all."""
    values = node.constant(1)
    axes = node.attribute("axes") if values is None else values.tolist()
    return None if axes is None else tuple(int(axis) for axis in axes)


def _register(onnx: str, aten: str) -> None:
    @rule(onnx)
    def reduction(node: OnnxNode) -> Iterator[Part]:
        yield Part(f"aten.{aten}", (node.x, _axes(node)), node.out)


for _onnx, _aten in (*_FOLDS.items(), ("ReduceLogSumExp", "logsumexp")):
    _register(_onnx, _aten)


# What is done to each element before the sum, and to the sum.
_REDUCED = {
    "ReduceL1": ("abs", ""),
    "ReduceL2": ("square", "sqrt"),
    "ReduceSumSquare": ("square", ""),
    "ReduceLogSum": ("", "log"),
}


@rule(*_REDUCED)
def reduced(node: OnnxNode) -> Iterator[Part]:
    before, after = _REDUCED[node.op]
    between = node.like(node.x) if before else node.x
    if before:
        yield Part(f"aten.{before}", (node.x,), between)
    yield Part("aten.sum", (between, _axes(node)), node.out)
    if after:
        yield Part(f"aten.{after}_", (node.out,), node.out)


@rule("LpNormalization")
def lp_norm(node: OnnxNode) -> Iterator[Part]:
    """x / ‖x‖ along an axis."""
    axis, is_l1 = node.axis(-1), int(node.attribute("p", 2)) == 1
    rows = [1 if dimension == axis else size for dimension, size in enumerate(node.x.shape)]
    norm, between = node.temporary(*rows), node.like(node.x)
    yield Part("aten.abs" if is_l1 else "aten.square", (node.x,), between)
    yield Part("aten.sum", (between, (axis,)), norm)
    if not is_l1:
        yield Part("aten.sqrt_", (norm,), norm)
    yield Part("aten.div", (node.x, norm), node.out)


@rule("ArgMax", "ArgMin")
def arg_max(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.argmax" if node.op == "ArgMax" else "aten.argmin", (node.x, node.axis(0)), node.out)


@rule("CumSum", "CumProd")
def cumulative(node: OnnxNode) -> Iterator[Part]:
    axis = node.constant(1)
    if axis is None:
        raise Uncovered("an axis that is computed")
    name = "aten.cumsum" if node.op == "CumSum" else "aten.cumprod"
    yield Part(name, (node.x, int(axis.item()) % max(node.x.ndim, 1)), node.out)


@rule("TopK")
def top_k(node: OnnxNode) -> Iterator[Part]:
    values = node.out
    axis = node.axis(-1)
    settings = (values.shape[axis], axis, bool(node.attribute("largest", 1)), bool(node.attribute("sorted", 1)))
    yield Part("aten.topk", (node.x, *settings), (values, node.output(1)))


# Pooling --------------------------------------------------------------------------------------------------------------


def window(node: OnnxNode) -> tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Rank, kernel, strides, and the padding before each axis."""
    kernel = tuple(int(size) for size in node.attribute("kernel_shape", ()))
    rank = len(kernel)
    if not 1 <= rank <= 3 or node.x.ndim != rank + 2:
        raise Uncovered(f"windows in {rank} dimensions")
    strides = tuple(int(step) for step in node.attribute("strides", (1,) * rank))
    return rank, kernel, strides, _padding(node, rank, kernel, strides)


def _padding(node: OnnxNode, rank: int, kernel: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Written down, or as much as keeps ⌈size/stride⌉ windows: the odd one at the end (UPPER) or in front."""
    automatic = node.attribute("auto_pad", "NOTSET")
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        return tuple(int(pad) for pad in node.attribute("pads", (0,) * (2 * rank))[:rank])
    before = []
    for size, windows, taps, step in zip(node.x.shape[2:], node.out.shape[2:], kernel, strides, strict=True):
        total = max((windows - 1) * step + taps - size, 0)
        before.append(total // 2 if automatic == "SAME_UPPER" else (total + 1) // 2)
    return tuple(before)


@rule("MaxPool")
def max_pool(node: OnnxNode) -> Iterator[Part]:
    rank, *settings = window(node)
    dilations = tuple(int(step) for step in node.attribute("dilations", (1,) * rank))
    outputs: Any = tuple(operand for operand in node.outputs if operand is not None)
    name = f"aten.max_pool{rank}d" + ("_with_indices" if len(outputs) > 1 else "")
    yield Part(name, (node.x, *settings, dilations), outputs if len(outputs) > 1 else node.out)


@rule("AveragePool")
def average_pool(node: OnnxNode) -> Iterator[Part]:
    if any(step != 1 for step in node.attribute("dilations", ())):
        raise Uncovered("dilation")
    rank, *settings = window(node)
    yield Part(f"aten.avg_pool{rank}d", (node.x, *settings), node.out)


@rule("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node: OnnxNode) -> Iterator[Part]:
    rank = node.x.ndim - 2
    if not 1 <= rank <= 3:
        raise Uncovered(f"windows in {rank} dimensions")
    kind = "avg" if node.op == "GlobalAveragePool" else "max"
    yield Part(f"aten.adaptive_{kind}_pool{rank}d", (node.x, (1,) * rank), node.out)
