"""How are quantised operators translated from ONNX?

Products of integers are multiply-accumulates as others are. Around them, what each element costs is counted in floating
point: q = clamp(round(x / scale) + zero point), x = (q - zero point)·scale, a zero point only where one is given.
A weight that is stored in four bits is unpacked by the kernel that uses it, which costs a subtraction and a
multiplication an element.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from profiler.sources.onnx.products import convolve, product
from profiler.sources.onnx.rules import OnnxNode, Operand, Part, rule


def quantised(node: OnnxNode, x: Operand, out: Operand, has_zero: bool) -> Iterator[Part]:
    """From floating point: divided, rounded, moved, clamped, and cast, in that memory, then written."""
    scaled = node.like(x, "float32")
    yield Part("aten.div", (x, 1.0), scaled)
    yield Part("aten.round_", (scaled,), scaled)
    if has_zero:
        yield Part("aten.add_", (scaled, 1.0), scaled)
    yield Part("aten.clamp_", (scaled, 0, 0), scaled)
    yield Part("aten._to_copy", (scaled,), out)


def dequantised(x: Operand, out: Operand, has_zero: bool) -> Iterator[Part]:
    yield Part("aten._to_copy", (x,), out)
    if has_zero:
        yield Part("aten.sub_", (out, 1.0), out)
    yield Part("aten.mul_", (out, 1.0), out)


@rule("QuantizeLinear", "com.microsoft.QuantizeLinear")
def quantize(node: OnnxNode) -> Iterator[Part]:
    yield from quantised(node, node.x, node.out, node.optional(2) is not None)


@rule("DequantizeLinear", "com.microsoft.DequantizeLinear")
def dequantize(node: OnnxNode) -> Iterator[Part]:
    yield from dequantised(node.x, node.out, node.optional(2) is not None)


@rule("DynamicQuantizeLinear")
def dynamic_quantize(node: OnnxNode) -> Iterator[Part]:
    """The range of the data is found first: its least and its greatest element."""
    low, high = node.temporary(), node.temporary()
    yield Part("aten.aminmax", (node.x,), (low, high))
    yield Part("aten.sub", (high, low), node.output(1))
    yield Part("aten.div_", (node.output(1), 255.0), node.output(1))
    yield Part("aten.div", (low, node.output(1)), node.output(2))
    yield from quantised(node, node.x, node.out, True)


def _rescaled(node: OnnxNode, sums: Operand, out: Operand) -> Iterator[Part]:
    """The sums of a product of integers times scale of x · scale of w / scale of y, and quantised."""
    scaled = node.like(sums, "float32")
    yield Part("aten._to_copy", (sums,), scaled)
    yield Part("aten.mul_", (scaled, 1.0), scaled)
    yield Part("aten.round_", (scaled,), scaled)
    yield Part("aten.add_", (scaled, 1.0), scaled)
    yield Part("aten.clamp_", (scaled, 0, 0), scaled)
    yield Part("aten._to_copy", (scaled,), out)


@rule("QLinearConv")
def quantised_convolution(node: OnnxNode) -> Iterator[Part]:
    """Inputs: x, its scale and zero point, w and its two, those of y, and a bias in integers."""
    sums = node.temporary(*node.out.shape, dtype="int32")
    yield convolve(node, node.x, node.input(3), node.optional(8), sums)
    yield from _rescaled(node, sums, node.out)


@rule("QLinearMatMul")
def quantised_matmul(node: OnnxNode) -> Iterator[Part]:
    sums = node.temporary(*node.out.shape, dtype="int32")
    yield product(node.x, node.input(3), sums)
    yield from _rescaled(node, sums, node.out)


@rule("com.microsoft.QGemm")
def quantised_gemm(node: OnnxNode) -> Iterator[Part]:
    """Inputs: a, its scale and zero point, b and its two, a bias, and those of y, without which it is in floats."""
    a, b, bias = node.x, node.input(3), node.optional(6)
    rows = a.as_(*reversed(a.shape)) if node.attribute("transA", 0) else a
    columns = b.as_(*reversed(b.shape)) if node.attribute("transB", 0) else b
    sums = node.temporary(*node.out.shape, dtype="int32")
    yield product(rows, columns, sums)
    if bias is not None:
        yield Part("aten.add_", (sums, bias), sums)
    if node.optional(7) is not None:
        yield from _rescaled(node, sums, node.out)
    else:
        yield from dequantised(sums, node.out, False)


@rule("com.microsoft.QLinearAdd", "com.microsoft.QLinearMul")
def quantised_arithmetic(node: OnnxNode) -> Iterator[Part]:
    """Both are taken to floating point, combined, and quantised."""
    a, b = node.temporary(*node.x.shape, dtype="float32"), node.temporary(*node.input(3).shape, dtype="float32")
    yield from dequantised(node.x, a, True)
    yield from dequantised(node.input(3), b, True)
    combined = node.temporary(*node.out.shape, dtype="float32")
    yield Part("aten.add" if node.op.endswith("Add") else "aten.mul", (a, b), combined)
    yield from quantised(node, combined, node.out, True)


@rule("com.microsoft.QLinearSigmoid", "com.microsoft.QLinearLeakyRelu")
def quantised_activation(node: OnnxNode) -> Iterator[Part]:
    plain = node.temporary(*node.x.shape, dtype="float32")
    yield from dequantised(node.x, plain, True)
    yield Part("aten.sigmoid_" if node.op.endswith("Sigmoid") else "aten.leaky_relu_", (plain,), plain)
    yield from quantised(node, plain, node.out, True)


@rule("com.microsoft.QLinearGlobalAveragePool")
def quantised_pool(node: OnnxNode) -> Iterator[Part]:
    plain, mean = node.temporary(*node.x.shape, dtype="float32"), node.temporary(*node.out.shape, dtype="float32")
    yield from dequantised(node.x, plain, True)
    rank = node.x.ndim - 2
    yield Part(f"aten.adaptive_avg_pool{rank}d", (plain, (1,) * rank), mean)
    yield from quantised(node, mean, node.out, True)


@rule("com.microsoft.DynamicQuantizeMatMul", "com.microsoft.MatMulIntegerToFloat")
def float_matmul(node: OnnxNode) -> Iterator[Part]:
    """A product of integers whose sums become floating point again; the dynamic one quantises its input first."""
    is_dynamic = node.op.endswith("DynamicQuantizeMatMul")
    a = node.x
    if is_dynamic:
        low, high = node.temporary(), node.temporary()
        yield Part("aten.aminmax", (a,), (low, high))
        rounded = node.temporary(*a.shape, dtype="uint8")
        yield from quantised(node, a, rounded, True)
        a = rounded
    sums = node.temporary(*node.out.shape, dtype="int32")
    yield product(a, node.input(1), sums)
    yield from dequantised(sums, node.out, False)
    bias = node.optional(4 if is_dynamic else 6)
    if bias is not None:
        yield Part("aten.add_", (node.out, bias), node.out)


def unpacked(packed: Operand, weight: Operand, has_zero: bool) -> Iterator[Part]:
    """A weight of few bits as numbers: moved by its zero point, and scaled."""
    yield Part("aten._to_copy", (packed,), weight)
    if has_zero:
        yield Part("aten.sub_", (weight, 1.0), weight)
    yield Part("aten.mul_", (weight, 1.0), weight)


@rule("com.microsoft.MatMulNBits", "com.microsoft.MatMulBnb4")
def packed_matmul(node: OnnxNode) -> Iterator[Part]:
    """x times the transpose of an N × K weight in blocks of few bits, unpacked on the way."""
    k, n = int(node.attribute("K")), int(node.attribute("N"))
    weight, is_bits = node.temporary(n, k), node.op.endswith("NBits")
    yield from unpacked(node.input(1), weight, is_bits and node.optional(3) is not None)
    rows = prod(node.x.shape[:-1])
    yield Part("aten.mm.default", (node.x.as_(rows, k), weight.as_(k, n)), node.out.as_(rows, n))
    bias = node.optional(5) if is_bits else None
    if bias is not None:
        yield Part("aten.add_", (node.out, bias), node.out)


@rule("com.microsoft.QLinearSoftmax")
def quantised_softmax(node: OnnxNode) -> Iterator[Part]:
    plain = node.temporary(*node.x.shape, dtype="float32")
    yield from dequantised(node.x, plain, True)
    yield Part("aten.softmax.int", (plain, node.axis(-1)), plain)
    yield from quantised(node, plain, node.out, True)


@rule("com.microsoft.QLinearConcat")
def quantised_concat(node: OnnxNode) -> Iterator[Part]:
    """Inputs: scale and zero point of the result, and of each tensor itself, its scale and its zero point."""
    for index in range(2, len(node.inputs), 3):
        plain = node.like(node.input(index), "float32")
        yield from dequantised(node.input(index), plain, True)
        yield from quantised(node, plain, node.out.as_(*plain.shape), True)
