"""How are convolutions and matrix products translated from ONNX?"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule


def convolve(node: OnnxNode, x: Operand, weight: Operand, bias: Operand | None, out: Operand) -> Part:
    rank = weight.ndim - 2
    transposed = node.op == "ConvTranspose"
    pads = node.attribute("pads", (0,) * (2 * rank))
    settings = (
        tuple(node.attribute("strides", (1,) * rank)),
        tuple(pads[:rank]),
        tuple(node.attribute("dilations", (1,) * rank)),
        transposed,
        (0,) * rank,
        int(node.attribute("group", 1)),
    )
    return Part("aten.convolution.default", (x, weight, bias, *settings), out)


@rule("Conv", "ConvTranspose")
def convolution(node: OnnxNode) -> Iterator[Part]:
    yield convolve(node, node.x, node.input(1), node.optional(2), node.out)


@rule("com.microsoft.FusedConv")
def fused_convolution(node: OnnxNode) -> Iterator[Part]:
    """A convolution, a sum with another tensor where there is one, and an activation."""
    yield convolve(node, node.x, node.input(1), node.optional(2), node.out)
    added = node.optional(3)
    if added is not None:
        yield Part("aten.add_", (node.out, added), node.out)
    yield from _activation(node)


_ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "LeakyRelu": "leaky_relu", "Clip": "hardtanh"}


def _activation(node: OnnxNode) -> Iterator[Part]:
    name = node.attribute("activation", "")
    if not name:
        return
    if name not in _ACTIVATIONS:
        raise Uncovered(name)
    yield Part(f"aten.{_ACTIVATIONS[name]}_", (node.out,), node.out)


@rule("com.microsoft.NhwcConv")
def channels_last(node: OnnxNode) -> Iterator[Part]:
    """Images have their channels last, and the weight has not."""

    def first(operand: Operand) -> Operand:
        batch, *image, channels = operand.shape
        return operand.as_(batch, channels, *image)

    yield convolve(node, first(node.x), node.input(1), node.optional(2), first(node.out))


@rule("com.microsoft.FusedGemm")
def fused_gemm(node: OnnxNode) -> Iterator[Part]:
    yield from gemm(node)
    yield from _activation(node)


@rule("com.microsoft.GemmFastGelu")
def gemm_gelu(node: OnnxNode) -> Iterator[Part]:
    """A product, a bias where there is one, and GELU by tanh."""
    yield product(node.x, node.input(1), node.out)
    bias = node.optional(2)
    if bias is not None:
        yield Part("aten.add_", (node.out, bias), node.out)
    yield Part("aten.gelu", (node.out,), node.out, (("approximate", "tanh"),))


@rule("ConvInteger")
def integer_convolution(node: OnnxNode) -> Iterator[Part]:
    yield convolve(node, node.x, node.input(1), None, node.out)


# Matrix products ------------------------------------------------------------------------------------------------------


def product(a: Operand, b: Operand, out: Operand) -> Part:
    """As `torch.matmul` does it: with a matrix on the right, one product of all rows; else a batch of products."""
    if a.ndim == 1 and b.ndim == 1:
        return Part("aten.dot.default", (a, b), out)
    left = a.shape if a.ndim > 1 else (1, *a.shape)
    right = b.shape if b.ndim > 1 else (*b.shape, 1)
    if len(right) == 2:
        rows = prod(left[:-1])
        return Part("aten.mm.default", (a.as_(rows, left[-1]), b.as_(*right)), out.as_(rows, right[-1]))
    batch = prod(out.shape[: len(out.shape) - (a.ndim > 1) - (b.ndim > 1)])
    matrices = a.as_(batch, *left[-2:]), b.as_(batch, *right[-2:])
    return Part("aten.bmm.default", matrices, out.as_(batch, left[-2], right[-1]))


@rule("MatMul", "MatMulInteger")
def matmul(node: OnnxNode) -> Iterator[Part]:
    yield product(node.x, node.input(1), node.out)


@rule("com.microsoft.FusedMatMul", "com.microsoft.TransposeMatMul")
def fused_matmul(node: OnnxNode) -> Iterator[Part]:
    """α·A·B, with either of them transposed."""
    if node.attribute("transBatchA", 0) or node.attribute("transBatchB", 0):
        raise Uncovered("a transposed batch")
    a = _transposed(node.x) if node.attribute("transA", 0) else node.x
    b = _transposed(node.input(1)) if node.attribute("transB", 0) else node.input(1)
    yield product(a, b, node.out)
    if float(node.attribute("alpha", 1.0)) != 1:
        yield Part("aten.mul_", (node.out, float(node.attribute("alpha"))), node.out)


def _transposed(operand: Operand) -> Operand:
    *batch, rows, columns = operand.shape
    return operand.as_(*batch, columns, rows)


@rule("Gemm")
def gemm(node: OnnxNode) -> Iterator[Part]:
    """α·A·B + β·C; as `nn.Linear` calls it where B is the transposed weight and there are no factors."""
    alpha, beta = float(node.attribute("alpha", 1.0)), float(node.attribute("beta", 1.0))
    bias = node.optional(2)
    if alpha == 1 and beta == 1 and not node.attribute("transA", 0) and node.attribute("transB", 0):
        yield Part("aten.linear.default", (node.x, node.input(1), bias), node.out)
        return
    a = _transposed(node.x) if node.attribute("transA", 0) else node.x
    b = _transposed(node.input(1)) if node.attribute("transB", 0) else node.input(1)
    if bias is None:
        yield Part("aten.mm.default", (a, b), node.out)
        if alpha != 1:
            yield Part("aten.mul_", (node.out, alpha), node.out)
        return
    factors = tuple((name, value) for name, value in (("beta", beta), ("alpha", alpha)) if value != 1)
    yield Part("aten.addmm.default", (bias, a, b), node.out, factors)


@rule("Einsum")
def einsum(node: OnnxNode) -> Iterator[Part]:
    """Of two tensors: each index is of both and kept (a batch), of both and summed, or of one alone."""
    left, right, result = _equation(str(node.attribute("equation", "")))
    a, b = node.x, node.input(1)
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    both = set(left) & set(right)
    summed = [i for i in sizes if i not in result]
    if any(i not in both for i in summed) or len(set(left)) < len(left) or len(set(right)) < len(right):
        raise Uncovered("a diagonal, or a sum over one tensor alone")

    def extent(indices: Any) -> int:
        return prod(sizes[i] for i in indices)

    batch, k = extent(both - set(summed)), extent(summed)
    m, n = extent(set(left) - both), extent(set(right) - both)
    if not summed:
        yield Part("aten.mul", (a, b), node.out)
        return
    yield Part("aten.bmm.default", (a.as_(batch, m, k), b.as_(batch, k, n)), node.out.as_(batch, m, n))


def _equation(text: str) -> tuple[str, str, str]:
    terms, arrow, result = text.replace(" ", "").partition("->")
    left, comma, right = terms.partition(",")
    if not arrow or not comma or "," in right or "." in text.replace("->", ""):
        raise Uncovered(text)
    return left, right, result
