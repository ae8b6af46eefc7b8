"""What each ONNX operator costs: a row an operator, the expected counts as products of their factors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest

from profiler.sources.onnx import rules
from tests.onnx.graphs import BOOL, FLOAT, INT64, UINT8, constant, counts, one_node, profiled, value, weight


class Row(NamedTuple):
    op: str
    expected: Mapping[str, int]
    inputs: tuple[Any, ...]
    held: tuple[Any, ...] = ()
    more: Mapping[str, Any] = {}


X = value("x", (2, 3, 4))
XY = (X, value("z", (2, 3, 4)))
N = 2 * 3 * 4
IMAGE = value("x", (2, 3, 8, 8))
PIXELS = 2 * 3 * 8 * 8


def row(op: str, expected: Mapping[str, int], *inputs: Any, held: tuple[Any, ...] = (), **more: Any) -> Row:
    return Row(op, expected, inputs or (X,), held, more)


def unary(names: str, **unit: int) -> list[Row]:
    return [row(name, {kind: times * N for kind, times in unit.items()}) for name in names.split()]


def binary(names: str, **unit: int) -> list[Row]:
    return [row(name, {kind: times * N for kind, times in unit.items()}, *XY) for name in names.split()]


SCALE, ZERO = constant("s", 0.5, numpy.float32), constant("o", 3, numpy.uint8)
QUANTISED = {"divs": 1, "specials": 1, "adds": 1, "comparisons": 2}  # of an element: x/s, round, + zero point, clamp
RESCALED = {"muls": 1, "specials": 1, "adds": 1, "comparisons": 2}


def times(unit: Mapping[str, int], count: int, **more: int) -> dict[str, int]:
    found = {kind: each * count for kind, each in unit.items()}
    return {kind: found.get(kind, 0) + more.get(kind, 0) for kind in {**found, **more}}


ELEMENTWISE = [
    *unary("Relu Abs IsNaN IsInf", comparisons=1),
    *unary(
        "Sigmoid Tanh Exp Log Sqrt Floor Ceil Round Erf Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Atanh", specials=1
    ),
    *unary("Neg", adds=1),
    *unary("Reciprocal", divs=1),
    *unary("Sign", comparisons=2),
    *unary("LeakyRelu", comparisons=1, muls=1),
    *unary("ThresholdedRelu", comparisons=1),
    *unary("HardSwish", adds=1, comparisons=2, muls=1, divs=1),
    *unary("HardSigmoid", adds=1, comparisons=2, divs=1),
    *unary("Elu", comparisons=1, specials=1, adds=1, muls=1),
    *unary("Selu", comparisons=1, specials=1, adds=1, muls=2),
    *unary("Celu", comparisons=1, divs=1, specials=1, adds=1, muls=1),
    *unary("Softplus", comparisons=1, muls=1, specials=2, divs=1),
    *unary("Softsign", comparisons=1, adds=1, divs=1),
    *unary("Mish", specials=3, muls=1),
    *unary("Gelu", muls=3, adds=1, specials=1),
    row("Gelu", {"muls": 6 * N, "adds": 2 * N, "specials": N}, approximate="tanh"),
    row("Shrink", {"comparisons": 2 * N}),
    row("Shrink", {"comparisons": 2 * N, "adds": N}, bias=0.5),
    *binary("Add Sub", adds=1),
    *binary("Mul", muls=1),
    *binary("Div", divs=1),
    *binary("Equal Greater Less GreaterOrEqual LessOrEqual Max Min", comparisons=1),
    row("PRelu", {"comparisons": N, "muls": N}, held=(weight("slope", 4),)),
    row("Mod", {"divs": N, "specials": N, "muls": N, "adds": N}, *XY, fmod=1),
    row("Pow", {"muls": 1 * N}, held=(constant("e", 2.0, numpy.float32),)),
    row("Pow", {"specials": 1 * N}, held=(constant("e", 2.5, numpy.float32),)),
    row("Pow", {"specials": 1 * N}, *XY),
    row("Clip", {"comparisons": 2 * N}, held=(SCALE, constant("high", 6, numpy.float32))),
    row("Clip", {"comparisons": 1 * N}, held=(SCALE,)),
    row("Sum", {"adds": (3 - 1) * N}, *XY, value("w", (2, 3, 4))),
    row("Mean", {"adds": (3 - 1) * N, "divs": N}, *XY, value("w", (2, 3, 4))),
    row("Where", {}, value("c", (2, 3, 4), BOOL), *XY),
    *[row(op, {}, value("a", (2, 3), BOOL), value("b", (2, 3), BOOL)) for op in ("And", "Or", "Xor")],
    row("Not", {}, value("a", (2, 3), BOOL)),
    row("Dropout", {}),
]

# softmax: the maximum, its subtraction, exp, the sum, the division
SOFTMAX = {"comparisons": N - 2 * 3, "adds": N + N - 2 * 3, "specials": N, "divs": N}
ONE_ROW_A_SAMPLE = {"comparisons": N - 2, "adds": N + N - 2, "specials": N, "divs": N}

REDUCTIONS = [
    row("Softmax", SOFTMAX),
    row("Softmax", ONE_ROW_A_SAMPLE, opset=12, axis=1),
    row("LogSoftmax", {"comparisons": N - 6, "adds": 2 * N + N - 6, "specials": N + 6}),
    row("Hardmax", {"comparisons": N - 6}),
    row("ReduceSum", {"adds": N - 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceSum", {"adds": N - 1}),
    row("ReduceMean", {"adds": N - 2 * 4, "divs": 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceMean", {"adds": N - 2 * 4, "divs": 2 * 4}, opset=13, axes=[1]),
    row("ReduceMax", {"comparisons": N - 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceMin", {"comparisons": N - 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceProd", {"muls": N - 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceL1", {"comparisons": N, "adds": N - 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceL2", {"muls": N, "adds": N - 2 * 4, "specials": 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceSumSquare", {"muls": N, "adds": N - 2 * 4}, held=(constant("axes", [1]),)),
    row("ReduceLogSum", {"adds": N - 2 * 4, "specials": 2 * 4}, held=(constant("axes", [1]),)),
    row(
        "ReduceLogSumExp",
        {"comparisons": N - 8, "adds": N + N - 8 + 8, "specials": N + 8},
        held=(constant("axes", [1]),),
    ),
    row("ArgMax", {"comparisons": N - 2 * 4}, axis=1),
    row("ArgMin", {"comparisons": N - 2 * 4}, axis=1),
    row("CumSum", {"adds": N - 2 * 4}, held=(constant("axis", 1),)),
    row(
        "TopK",
        {"comparisons": N + 2 * 3 * 2 * 1},  # each once with the pivot, then two results sorted in each row
        held=(constant("k", [2]),),
        outputs=[value("v", (2, 3, 2)), value("i", (2, 3, 2), INT64)],
    ),
    row("LpNormalization", {"muls": N, "adds": N - 6, "specials": 6, "divs": N}),
    row("LpNormalization", {"comparisons": N, "adds": N - 6, "divs": N}, p=1),
]

# Mean and variance of a row of 4, centring, the root, and the scaling: see ops/norm.py
ROWS = 2 * 3
LAYER_NORM = {"adds": 2 * ROWS * (4 - 1) + N + ROWS, "muls": N + N, "divs": 2 * ROWS, "specials": ROWS}
GROUPED = 2 * 3  # groups of 8 × 8
GROUP_NORM = {
    "adds": 2 * GROUPED * (64 - 1) + PIXELS + GROUPED + PIXELS,
    "muls": PIXELS + PIXELS + PIXELS,
    "divs": 2 * GROUPED,
    "specials": GROUPED,
}
CHANNELS = (weight("scale", 3), weight("shift", 3))

NORMS = [
    row(
        "BatchNormalization",
        # of a channel: var + ε, its root, the scale times that, the mean times that, the shift less that
        {"muls": PIXELS + 2 * 3, "adds": PIXELS + 2 * 3, "specials": 3},
        IMAGE,
        held=(*CHANNELS, weight("mean", 3), weight("var", 3)),
    ),
    row("LayerNormalization", times(LAYER_NORM, 1, muls=N), held=(weight("scale", 4),)),
    row("LayerNormalization", times(LAYER_NORM, 1, muls=N, adds=N), held=(weight("scale", 4), weight("shift", 4))),
    row("InstanceNormalization", GROUP_NORM, IMAGE, held=CHANNELS),
    row("GroupNormalization", GROUP_NORM, IMAGE, held=CHANNELS, opset=21, num_groups=3),
    row(
        "RMSNormalization",
        {"adds": N - ROWS + ROWS, "muls": 2 * N + N, "divs": ROWS, "specials": ROWS},
        held=(weight("scale", 4),),
        opset=23,
    ),
    row(
        "com.microsoft.SkipLayerNormalization",
        times(LAYER_NORM, 1, muls=N, adds=N + N),  # x + skip, and the shift
        *XY,
        held=(weight("scale", 4), weight("shift", 4)),
    ),
    row(
        "com.microsoft.SkipSimplifiedLayerNormalization",
        {"adds": N + N, "muls": 3 * N, "divs": ROWS, "specials": ROWS},
        *XY,
        held=(weight("scale", 4),),
    ),
]

WINDOWS = 2 * 3 * 4 * 4
POOLING = [
    row("MaxPool", {"comparisons": WINDOWS * (2 * 2 - 1)}, IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    # windows of 3 with a padding of 1 around 8 pixels hold 8·3 - 2 of them
    row("MaxPool", {"comparisons": 2 * 3 * (8 * 3 - 2) ** 2 - PIXELS}, IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    row(
        "MaxPool",
        {"comparisons": 2 * 3 * (8 * 3 - 2) ** 2 - PIXELS},
        IMAGE,
        kernel_shape=[3, 3],
        auto_pad="SAME_UPPER",
    ),
    row(
        "AveragePool",
        {"adds": WINDOWS * (2 * 2 - 1), "divs": WINDOWS},
        IMAGE,
        kernel_shape=[2, 2],
        strides=[2, 2],
    ),
    row("GlobalAveragePool", {"adds": 2 * 3 * (8 * 8 - 1), "divs": 2 * 3}, IMAGE),
    row("GlobalMaxPool", {"comparisons": 2 * 3 * (8 * 8 - 1)}, IMAGE),
]

MOVEMENT = [
    row("Transpose", {}),
    row("Flatten", {}),
    row("Identity", {}),
    row("Reshape", {}, held=(constant("shape", [6, 4]),)),
    row("Squeeze", {}, value("x", (2, 1, 4)), held=(constant("axes", [1]),)),
    row("Unsqueeze", {}, held=(constant("axes", [0]),)),
    row("Expand", {}, held=(constant("shape", [5, 2, 3, 4]),)),
    row("Tile", {}, held=(constant("repeats", [1, 2, 1]),)),
    row("Slice", {}, held=(constant("starts", [0]), constant("ends", [1]))),
    row("Pad", {}, held=(constant("pads", [0, 0, 1, 0, 0, 1]),)),
    row("Concat", {}, *XY, axis=1),
    row("Split", {}, axis=2, num_outputs=2, outputs=[value("a", (2, 3, 2)), value("b", (2, 3, 2))]),
    row("Cast", {}, to=INT64),
    row("Gather", {}, value("i", (2, 5), INT64), held=(weight("table", 10, 4),), takes=["table", "i"]),
    row("Gather", {}, held=(constant("i", 1),), axis=1),
    row("GatherElements", {}, X, value("i", (2, 3, 1), INT64), axis=2),
    row("GatherND", {}, X, value("i", (5, 2), INT64)),
    row("ScatterND", {}, X, value("i", (5, 1), INT64), value("u", (5, 3, 4))),
    row("ScatterElements", {}, X, value("i", (1, 3, 4), INT64), value("u", (1, 3, 4))),
    row("ScatterElements", {"adds": 12}, X, value("i", (1, 3, 4), INT64), value("u", (1, 3, 4)), reduction="add"),
    row("DepthToSpace", {}, value("x", (1, 8, 2, 2)), blocksize=2),
    row("SpaceToDepth", {}, IMAGE, blocksize=2),
    row("Trilu", {}),
    row("OneHot", {}, value("i", (3,), INT64), held=(constant("depth", 5), constant("v", [0.0, 1.0], numpy.float32))),
]

RESIZED = (constant("sizes", [2, 3, 16, 16]),)
IMAGES = [
    row("Resize", {}, IMAGE, held=RESIZED, takes=["x", "", "", "sizes"], mode="nearest"),
    row(  # three blends of two neighbours: 2 multiplications and 1 addition each
        "Resize",
        {"muls": 3 * 2 * 4 * PIXELS, "adds": 3 * 4 * PIXELS},
        IMAGE,
        held=RESIZED,
        takes=["x", "", "", "sizes"],
        mode="linear",
    ),
    row(  # five blends of four neighbours
        "Resize",
        {"muls": 5 * 4 * 4 * PIXELS, "adds": 5 * 3 * 4 * PIXELS},
        IMAGE,
        held=RESIZED,
        takes=["x", "", "", "sizes"],
        mode="cubic",
    ),
]

CONV = 2 * 5 * 6 * 6 * 3 * 3 * 3  # N Cout H W Cin kh kw
OUT = 2 * 5 * 6 * 6
PRODUCTS = [
    row("Conv", {"macs": CONV}, IMAGE, held=(weight("w", 5, 3, 3, 3),)),
    row("Conv", {"macs": CONV, "adds": OUT}, IMAGE, held=(weight("w", 5, 3, 3, 3), weight("b", 5))),
    row("Conv", {"macs": 2 * 3 * 6 * 6 * 1 * 3 * 3}, IMAGE, held=(weight("w", 3, 1, 3, 3),), group=3),
    row("ConvTranspose", {"macs": 2 * 3 * 8 * 8 * 5 * 3 * 3}, IMAGE, held=(weight("w", 3, 5, 3, 3),)),
    row(
        "com.microsoft.FusedConv",
        {"macs": CONV, "adds": OUT, "comparisons": OUT},
        IMAGE,
        held=(weight("w", 5, 3, 3, 3), weight("b", 5)),
        outputs=[value("y", (2, 5, 6, 6))],
        activation="Relu",
    ),
    row("MatMul", {"macs": 2 * 3 * 4 * 5}, held=(weight("w", 4, 5),)),
    row("MatMul", {"macs": 2 * 3 * 4 * 5}, X, value("z", (2, 4, 5))),
    row("MatMul", {"macs": 6 * 2 * 3 * 4 * 5}, value("a", (6, 1, 3, 4)), value("b", (2, 4, 5))),
    row("MatMul", {"macs": 4}, value("a", (4,)), value("b", (4,))),
    row("MatMul", {"macs": 2 * 3 * 4}, X, value("b", (4,))),
    row("Gemm", {"macs": 3 * 4 * 5, "adds": 3 * 5}, value("x", (3, 4)), held=(weight("w", 4, 5), weight("b", 5))),
    row(
        "Gemm",
        {"macs": 3 * 4 * 5, "adds": 3 * 5},
        value("x", (3, 4)),
        held=(weight("w", 5, 4), weight("b", 5)),
        transB=1,
    ),
    row(
        "Gemm",
        {"macs": 3 * 4 * 5, "adds": 3 * 5, "muls": 3 * 5 + 3 * 5},  # α·A·B + β·C
        value("x", (4, 3)),
        held=(weight("w", 4, 5), weight("b", 5)),
        transA=1,
        alpha=0.5,
        beta=0.5,
    ),
    row("Gemm", {"macs": 3 * 4 * 5, "muls": 3 * 5}, value("x", (3, 4)), held=(weight("w", 4, 5),), alpha=2.0),
    row("Einsum", {"macs": 2 * 3 * 4 * 5}, X, value("z", (2, 4, 5)), equation="bij,bjk->bik"),
    row("Einsum", {"muls": 3 * 4}, value("a", (3,)), value("b", (4,)), equation="i,j->ij"),
    row(
        "com.microsoft.FusedMatMul",
        {"macs": 2 * 3 * 4 * 5, "muls": 2 * 3 * 5},
        X,
        value("z", (2, 5, 4)),
        transB=1,
        alpha=0.125,
    ),
]

HEADS, LENGTH, WIDTH = 2, 5, 3
SCORES = 1 * HEADS * LENGTH * LENGTH
ATTENTION = {
    "macs": 2 * SCORES * WIDTH,
    "muls": SCORES,
    "comparisons": SCORES - HEADS * LENGTH,
    "adds": 2 * SCORES - HEADS * LENGTH,
    "specials": SCORES,
    "divs": SCORES,
}
QKV = tuple(value(name, (1, LENGTH, HEADS * WIDTH)) for name in "qkv")
ROOT = 1 * LENGTH * HEADS * WIDTH  # elements of q, of k and of v
ATTENTIONS = [
    row("Attention", ATTENTION, *QKV, opset=23, q_num_heads=HEADS, kv_num_heads=HEADS),
    row(
        "Attention",
        ATTENTION,
        *(value(name, (1, HEADS, LENGTH, WIDTH)) for name in "qkv"),
        opset=23,
    ),
    row(
        "com.microsoft.MultiHeadAttention",
        ATTENTION,
        *QKV,
        num_heads=HEADS,
    ),
    row(
        "com.microsoft.MultiHeadAttention",
        times(ATTENTION, 1, adds=3 * ROOT),
        *QKV,
        held=(weight("b", 3 * HEADS * WIDTH),),
        num_heads=HEADS,
    ),
    row(
        "com.microsoft.Attention",
        times(ATTENTION, 1, macs=LENGTH * 4 * 3 * HEADS * WIDTH, adds=3 * ROOT),
        value("x", (1, LENGTH, 4)),
        held=(weight("w", 4, 3 * HEADS * WIDTH), weight("b", 3 * HEADS * WIDTH)),
        num_heads=HEADS,
    ),
]


def recurrent(op: str, gates: int, macs_bias: bool, directions: int = 1, **unit: int) -> Row:
    steps, width, hidden = 5 * 2, 3, 4
    units = directions * steps * hidden
    held = [weight("w", directions, gates * hidden, width), weight("r", directions, gates * hidden, hidden)]
    held += [weight("b", directions, 2 * gates * hidden)] if macs_bias else []
    biases = 2 * gates * units if macs_bias else 0
    expected = times(unit, units, macs=gates * units * (width + hidden), adds=biases)
    more: dict[str, Any] = {"hidden_size": hidden}
    if directions == 2:
        more["direction"] = "bidirectional"
    return Row(op, expected, (value("x", (5, 2, width)),), tuple(held), more)


RECURRENT = [
    recurrent("LSTM", 4, False, adds=4 + 1, muls=3, specials=5),
    recurrent("LSTM", 4, True, directions=2, adds=4 + 1, muls=3, specials=5),
    recurrent("GRU", 3, True, adds=3 + 2, muls=2, specials=3),
    recurrent("RNN", 1, True, directions=2, adds=1, specials=1),
]

QUANTISED_IN = (value("x", (2, 3, 8, 8), UINT8),)
Q = {"w": weight("w", 5, 3, 3, 3, dtype=numpy.int8), "m": weight("m", 4, 5, dtype=numpy.int8)}
MATRIX = value("x", (3, 4), UINT8)
QUANTISATION = [
    row("QuantizeLinear", times(QUANTISED, N), held=(SCALE, ZERO)),
    row("QuantizeLinear", {"divs": N, "specials": N, "comparisons": 2 * N}, held=(SCALE,)),
    row("DequantizeLinear", {"adds": N, "muls": N}, value("x", (2, 3, 4), UINT8), held=(SCALE, ZERO)),
    row("DequantizeLinear", {"muls": N}, value("x", (2, 3, 4), UINT8), held=(SCALE,)),
    row(
        "DynamicQuantizeLinear",
        # both extremes; their difference, over 255; the least over the scale; then as ever
        times(QUANTISED, N, comparisons=2 * (N - 1), adds=1, divs=1),
        outputs=[value("y", (2, 3, 4), UINT8), value("scale", ()), value("zero", (), UINT8)],
    ),
    row("ConvInteger", {"macs": CONV}, *QUANTISED_IN, held=(Q["w"],)),
    row("MatMulInteger", {"macs": 3 * 4 * 5}, MATRIX, held=(Q["m"],)),
    row(
        "QLinearConv",
        times(RESCALED, OUT, macs=CONV),
        *QUANTISED_IN,
        held=(SCALE, ZERO, Q["w"], constant("zw", 0, numpy.int8)),
        takes=["x", "s", "o", "w", "s", "zw", "s", "o"],
    ),
    row(
        "QLinearMatMul",
        times(RESCALED, 3 * 5, macs=3 * 4 * 5),
        MATRIX,
        held=(SCALE, ZERO, Q["m"], constant("zw", 0, numpy.int8)),
        takes=["x", "s", "o", "m", "s", "zw", "s", "o"],
    ),
    row(
        "com.microsoft.QGemm",
        times(RESCALED, 3 * 5, macs=3 * 4 * 5),
        MATRIX,
        held=(SCALE, ZERO, Q["m"], constant("zw", 0, numpy.int8)),
        takes=["x", "s", "o", "m", "s", "zw", "", "s", "o"],
    ),
    row(
        "com.microsoft.QLinearAdd",
        times(QUANTISED, 12, adds=2 * 12 + 12, muls=2 * 12),  # two taken to floating point, added, quantised
        MATRIX,
        value("z", (3, 4), UINT8),
        held=(SCALE, ZERO),
        takes=["x", "s", "o", "z", "s", "o", "s", "o"],
    ),
    row(
        "com.microsoft.MatMulNBits",
        {"macs": 3 * 32 * 5, "muls": 5 * 32},
        value("x", (3, 32)),
        held=(weight("w", 5, 1, 16, dtype=numpy.uint8), weight("scales", 5)),
        K=32,
        N=5,
        bits=4,
        block_size=32,
    ),
    row("com.microsoft.BiasGelu", {"adds": 2 * N, "muls": 3 * N, "specials": N}, held=(weight("b", 4),),
        outputs=[value("y", (2, 3, 4))]),
    row("com.microsoft.FastGelu", {"adds": 2 * N, "muls": 6 * N, "specials": N}, outputs=[value("y", (2, 3, 4))]),
]  # fmt: skip

ROWS_OF_ALL = [
    *ELEMENTWISE, *REDUCTIONS, *NORMS, *POOLING, *MOVEMENT, *IMAGES, *PRODUCTS, *ATTENTIONS, *RECURRENT, *QUANTISATION,
]  # fmt: skip


@pytest.mark.parametrize("case", ROWS_OF_ALL, ids=lambda case: case.op)
def test_what_an_operator_costs(case: Row, tmp_path: Path) -> None:
    found = profiled(one_node(case.op, case.inputs, case.held, **case.more), tmp_path)
    assert found.unknown_ops == {}
    assert counts(found) == {name: count for name, count in case.expected.items() if count}


def test_a_rule_for_an_operator_that_has_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="Relu has a rule already"):
        rules.rule("Relu")(lambda node: [])


UNCOVERED = [
    row("MelWeightMatrix", {}, outputs=[value("y", (2, 3))]),
    row("AveragePool", {}, IMAGE, kernel_shape=[2, 2], dilations=[2, 2]),
    row("Einsum", {}, value("a", (3, 3)), equation="ii->i"),
    row("Resize", {}, IMAGE, held=(constant("sizes", [2, 6, 8, 8]),), takes=["x", "", "", "sizes"]),
    row("GRU", {}, value("x", (5, 2, 3)), held=(weight("w", 1, 12, 3), weight("r", 1, 12, 4)), hidden_size=4, clip=1.0),
    row("BatchNormalization", {}, IMAGE, held=(*CHANNELS, weight("m", 3), weight("v", 3)), training_mode=1,
        outputs=[value("y", (2, 3, 8, 8)), value("rm", (3,)), value("rv", (3,))]),
    row("NonMaxSuppression", {}, value("b", (1, 9, 4)), value("s", (1, 2, 9))),
    row("com.example.Secret", {}, outputs=[value("y", (2, 3), FLOAT)]),
]  # fmt: skip


@pytest.mark.parametrize("case", UNCOVERED, ids=lambda case: case.op)
def test_what_no_rule_covers_is_unknown_and_never_free(case: Row, tmp_path: Path) -> None:
    found = profiled(one_node(case.op, case.inputs, case.held, **case.more), tmp_path)
    assert found.unknown_ops == {f"onnx.{case.op}": 1}
    assert found.layers[0].macs is None
