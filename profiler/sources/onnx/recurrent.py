"""How are recurrent layers translated from ONNX? Each is a node of its own.

ONNX stacks the gates' weights by direction: W is D × gates·H × in, R is D × gates·H × H and B is D × 2·gates·H.
Peepholes, P of D × 3·H, add the cell's state times a weight to three of an LSTM's gates. Lengths of sequences that are
known say how many steps there are; where they are data, all sequences count as if they had the full length.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule

_DEFAULTS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}


@rule("LSTM", "GRU", "RNN")
def recurrent(node: OnnxNode) -> Iterator[Part]:
    """Clipping, coupled gates, and activations other than the usual have no formula."""
    w, r, b = node.input(1), node.input(2), node.optional(3)
    directions, wide, width = w.shape
    hidden = r.shape[2]
    if node.attribute("input_forget", 0):
        raise Uncovered("its input and forget gates are one")
    if node.attribute("clip") is not None:
        raise Uncovered("clipping")
    params: list[Operand] = []
    for _ in range(directions):
        params += [w.as_(wide, width), r.as_(wide, hidden)]
        params += [b.as_(wide), b.as_(wide)] if b is not None else []
    state = tuple(operand for operand in (node.optional(5), node.optional(6)) if operand is not None)
    outputs: Any = tuple(operand for operand in node.outputs if operand is not None)
    settings = (tuple(params), b is not None, 1, 0.0, False, directions == 2)
    kind, steps = _kind(node, directions), _steps(node)
    if steps is None:
        yield Part(f"aten.{kind}.input", (node.x, state, *settings, bool(node.attribute("layout", 0))), outputs)
        steps = prod(node.x.shape[:2])
    else:
        lengths = node.input(4)
        yield Part(f"aten.{kind}.data", (node.x.as_(steps, width), lengths, state, *settings), outputs)
    if node.op == "LSTM" and node.optional(7) is not None:
        yield from _peepholes(node, steps * directions, hidden)


def _steps(node: OnnxNode) -> int | None:
    """Of all sequences together, where some are shorter than the longest; None where all count whole."""
    if node.optional(4) is None:
        return None
    lengths = node.constant(4)
    if lengths is None:
        node.notes.append("lengths of sequences are data; every one counts as if it had the full length")
        return None
    steps = int(lengths.sum())
    if not 0 <= steps <= prod(node.x.shape[:2]):
        raise Uncovered("its lengths are longer than its sequences")
    return None if steps == prod(node.x.shape[:2]) else steps


def _peepholes(node: OnnxNode, steps: int, hidden: int) -> Iterator[Part]:
    cells = node.temporary(steps, 3, hidden)
    weights = node.input(7).as_(3, hidden) if node.input(7).shape[0] == 1 else node.temporary(3, hidden)
    yield Part("aten.mul", (cells, weights), cells)
    yield Part("aten.add_", (cells, cells), cells)


def _kind(node: OnnxNode, directions: int) -> str:
    usual = _DEFAULTS[node.op]
    activations = tuple(node.attribute("activations", usual * directions))
    if node.op == "RNN" and set(activations) == {"Relu"}:
        return "rnn_relu"
    if activations != usual * directions:
        raise Uncovered(", ".join(activations))
    return "rnn_tanh" if node.op == "RNN" else node.op.lower()
