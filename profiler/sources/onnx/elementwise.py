"""How are element-wise arithmetic and activations translated from ONNX?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule

# ONNX's name and aten's, for operators that take the same tensors and nothing else that a formula asks for.
SAME = """
    Relu relu   Sigmoid sigmoid   Tanh tanh   Exp exp   Log log   Sqrt sqrt   Abs abs   Neg neg   Sign sign
    Floor floor   Ceil ceil   Round round   Erf erf   Reciprocal reciprocal   Not logical_not   IsNaN isnan
    IsInf isinf   Softplus softplus   HardSwish hardswish   Mish mish   Selu selu   Celu celu   PRelu prelu
    Sin sin   Cos cos   Tan tan   Asin asin   Acos acos   Atan atan   Sinh sinh   Cosh cosh   Asinh asinh
    Acosh acosh   Atanh atanh   LeakyRelu leaky_relu   ThresholdedRelu threshold
    Add add   Sub sub   Mul mul   Div div   Equal eq   Greater gt   Less lt   GreaterOrEqual ge   LessOrEqual le
    And logical_and   Or logical_or   Xor logical_xor   BitwiseAnd bitwise_and   BitwiseOr bitwise_or
    BitwiseXor bitwise_xor   BitwiseNot bitwise_not   BitShift bitwise_left_shift   Where where
    Swish silu   com.microsoft.QuickGelu silu   BitCast view   Det linalg_det
"""


def _register(onnx: str, aten: str) -> None:
    @rule(onnx)
    def per_element(node: OnnxNode) -> Iterator[Part]:
        tensors = tuple(operand for operand in node.inputs if operand is not None)
        yield Part(f"aten.{aten}", tensors, node.out)


_words = SAME.split()
for _onnx, _aten in zip(_words[::2], _words[1::2], strict=True):
    _register(_onnx, _aten)


def _folding(onnx: str, aten: str) -> None:
    @rule(onnx)
    def fold(node: OnnxNode) -> Iterator[Part]:
        """Of n tensors n - 1 are added to, or compared with, the result so far."""
        yield from _folded(node, aten)


def _folded(node: OnnxNode, aten: str) -> Iterator[Part]:
    first, *others = (operand for operand in node.inputs if operand is not None)
    so_far: Operand = first
    for other in others:
        yield Part(f"aten.{aten}", (so_far, other), node.out)
        so_far = node.out
    if not others:
        yield Part("aten.alias", (first,), first)


for _onnx, _aten in (("Max", "maximum"), ("Min", "minimum"), ("Sum", "add")):
    _folding(_onnx, _aten)


@rule("Mean")
def mean(node: OnnxNode) -> Iterator[Part]:
    yield from _folded(node, "add")
    yield Part("aten.div_", (node.out, len(node.inputs)), node.out)


@rule("Pow")
def power(node: OnnxNode) -> Iterator[Part]:
    values = node.constant(1)
    exponent: Any = values.item() if values is not None and values.size == 1 else node.input(1)
    yield Part("aten.pow", (node.x, exponent), node.out)


@rule("Mod")
def remainder(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.fmod" if node.attribute("fmod", 0) else "aten.remainder", (node.x, node.input(1)), node.out)


@rule("Clip")
def clip(node: OnnxNode) -> Iterator[Part]:
    """Bounds are attributes in old files, and inputs, which may be left out, since."""
    low, high = (_bound(node, name, index) for index, name in ((1, "min"), (2, "max")))
    yield Part("aten.clamp", (node.x, low, high), node.out)


def _bound(node: OnnxNode, name: str, index: int) -> Any:
    return node.attribute(name) if node.opset < 11 else node.optional(index)


@rule("Elu")
def elu(node: OnnxNode) -> Iterator[Part]:
    yield Part("aten.elu", (node.x, float(node.attribute("alpha", 1.0))), node.out)


@rule("HardSigmoid")
def hard_sigmoid(node: OnnxNode) -> Iterator[Part]:
    """max(0, min(1, α·x + β)): with α = 1/6 and β = ½, as torch has it, relu6(x + 3) / 6."""
    yield Part("aten.hardsigmoid", (node.x,), node.out)


@rule("Softsign")
def softsign(node: OnnxNode) -> Iterator[Part]:
    """x / (1 + |x|)"""
    yield Part("aten.abs", (node.x,), node.out)
    yield Part("aten.add_", (node.out, 1), node.out)
    yield Part("aten.div", (node.x, node.out), node.out)


@rule("Shrink")
def shrink(node: OnnxNode) -> Iterator[Part]:
    """x < -λ ? x + bias : x > λ ? x - bias : 0"""
    biased = bool(node.attribute("bias", 0.0))
    yield Part("aten.softshrink" if biased else "aten.hardshrink", (node.x,), node.out)


@rule("Gelu", "com.microsoft.Gelu")
def gelu(node: OnnxNode) -> Iterator[Part]:
    yield _gelu(node.x, node.out, str(node.attribute("approximate", "none")))


@rule("com.microsoft.FastGelu")
def fast_gelu(node: OnnxNode) -> Iterator[Part]:
    """By tanh, of x plus a bias where there is one."""
    yield from _biased_gelu(node, "tanh")


@rule("com.microsoft.BiasGelu")
def bias_gelu(node: OnnxNode) -> Iterator[Part]:
    yield from _biased_gelu(node, "none")


def _biased_gelu(node: OnnxNode, approximate: str) -> Iterator[Part]:
    bias = node.optional(1)
    if bias is not None:
        yield Part("aten.add", (node.x, bias), node.out)
    yield _gelu(node.x if bias is None else node.out, node.out, approximate)


def _gelu(x: Operand, out: Operand, approximate: str) -> Part:
    if approximate not in ("none", "tanh"):
        raise Uncovered(approximate)
    return Part("aten.gelu", (x,), out, (("approximate", approximate),))


@rule("com.microsoft.BiasAdd")
def bias_add(node: OnnxNode) -> Iterator[Part]:
    """x + bias + skip"""
    yield Part("aten.add", (node.x, node.input(1)), node.out)
    yield Part("aten.add_", (node.out, node.input(2)), node.out)


@rule("com.microsoft.BiasSplitGelu")
def bias_split_gelu(node: OnnxNode) -> Iterator[Part]:
    """One half of x + bias times GELU of the other."""
    total = node.like(node.x)
    yield Part("aten.add", (node.x, node.input(1)), total)
    yield _gelu(total.as_(*node.out.shape), node.out, "none")
    yield Part("aten.mul_", (node.out, total.as_(*node.out.shape)), node.out)


@rule("com.microsoft.BiasSoftmax")
def bias_softmax(node: OnnxNode) -> Iterator[Part]:
    """Over all dimensions from the axis on."""
    axis = node.axis(1)
    yield Part("aten.add", (node.x, node.input(1)), node.out)
    rows = node.x.tensor.numel
    for size in node.x.shape[axis:]:
        rows //= max(size, 1)
    flat = node.out.as_(rows, node.x.tensor.numel // max(rows, 1))
    yield Part("aten.softmax.int", (flat, 1), flat)


@rule("Softmax", "LogSoftmax")
def softmax(node: OnnxNode) -> Iterator[Part]:
    """Before version 13 of its operators ONNX normalised over all dimensions from the axis on."""
    name = "aten.softmax" if node.op == "Softmax" else "aten.log_softmax"
    if node.opset >= 13:
        yield Part(f"{name}.int", (node.x, node.axis(-1)), node.out)
        return
    axis, x = node.axis(1), node.x
    rows = 1
    for size in x.shape[:axis]:
        rows *= size
    shape = rows, x.tensor.numel // rows if rows else 0
    yield Part(f"{name}.int", (x.as_(*shape), 1), node.out.as_(*shape))


@rule("Hardmax")
def hardmax(node: OnnxNode) -> Iterator[Part]:
    """1 at the largest element, 0 elsewhere."""
    axis = node.axis(-1)
    where = [size for dimension, size in enumerate(node.x.shape) if dimension != axis]
    index = node.temporary(*where, dtype="int64")
    yield Part("aten.argmax", (node.x, axis), index)
    yield Part("aten.one_hot", (index,), node.out)


@rule("Dropout")
def dropout(node: OnnxNode) -> Iterator[Part]:
    """The identity at inference; a file for training says so in an input."""
    training = node.constant(2)
    if node.optional(2) is not None and (training is None or training.any()):
        raise Uncovered("training")
    yield Part("aten.dropout", (node.x, 0.5, False), node.out)
