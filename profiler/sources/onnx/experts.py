"""How are ONNX Runtime's mixtures of experts in one node translated, and its tables and matrices of few bits?"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from profiler.sources.onnx.quantised import unpacked
from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule

_M = "com.microsoft."
_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "silu", "identity": "alias"}


@rule(f"{_M}MoE", f"{_M}QMoE")
def experts(node: OnnxNode) -> Iterator[Part]:
    """Each token passes through k experts.

    Inputs: x, the router's scores, and two or three matrices, each with its bias; in QMoE with its scales before that.
    """
    every, width = node.input(1).shape[-1], node.x.shape[-1]
    rows = prod(node.x.shape[:-1]) * int(node.attribute("k", 1))
    matrices = [node.optional(index) for index in ((2, 5, 8) if node.op == f"{_M}QMoE" else (2, 4, 6))]
    first, second, third = (_by_expert(node, matrix, every) for matrix in matrices)
    if first is None or second is None:
        raise Uncovered("a matrix of its experts is missing")
    yield Part("aten.softmax.int", (node.input(1), -1), node.like(node.input(1)))
    wide, inner = first // width, second // width
    up = node.temporary(rows, wide)
    x = node.x.as_(rows, width)
    yield Part("aten.mm.default", (x, node.temporary(width, wide)), up)
    hidden = up.as_(rows, inner)
    yield _activation(node, hidden)
    if third is not None:
        gate = node.temporary(rows, third // width)
        yield Part("aten.mm.default", (x, node.temporary(width, third // width)), gate)
    if third is not None or wide == 2 * inner:
        yield Part("aten.mul_", (hidden, hidden), hidden)
    chosen = node.temporary(rows, width)
    yield Part("aten.mm.default", (hidden, node.temporary(inner, width)), chosen)
    yield Part("aten.mul_", (chosen, 1.0), chosen)
    if rows > prod(node.x.shape[:-1]):
        yield Part(
            "aten.sum", (chosen.as_(rows * width // node.out.tensor.numel, node.out.tensor.numel), (0,)), node.out
        )


def _by_expert(node: OnnxNode, matrix: Operand | None, experts: int) -> int | None:
    """How many weights an expert's matrix has."""
    if matrix is None:
        return None
    bits = int(node.attribute("expert_weight_bits", 4)) if node.op == f"{_M}QMoE" else 0
    return matrix.tensor.numel * (8 // bits if bits else 1) // experts


def _activation(node: OnnxNode, hidden: Operand) -> Part:
    name = str(node.attribute("activation_type", "relu"))
    if name == "swiglu":
        return Part("aten.silu_", (hidden,), hidden)
    if name not in _ACTIVATIONS:
        raise Uncovered(name)
    return Part(f"aten.{_ACTIVATIONS[name]}", (hidden,), hidden)


@rule(f"{_M}GatherBlockQuantized")
def gather(node: OnnxNode) -> Iterator[Part]:
    """Rows of a table of few bits, unpacked: only those that are looked up."""
    rows = node.like(node.out, node.x.tensor.dtype)
    yield Part("aten.index_select.default", (node.x, 0, node.input(1)), rows)
    yield from unpacked(rows, node.out, node.optional(3) is not None)
