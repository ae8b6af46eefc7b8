"""Recurrent layers, each a node of its own.

ONNX stacks the gates' weights by direction: W is D × gates·H × in, R is D × gates·H × H and B is D × 2·gates·H.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiler.onnx.rules import Given, Operand, Part, Uncovered, rule

_DEFAULTS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}


@rule("LSTM", "GRU", "RNN")
def recurrent(node: Given) -> Iterator[Part]:
    """Peepholes, clipping, and activations other than the usual have no formula."""
    w, r, b = node.input(1), node.input(2), node.optional(3)
    directions, wide, width = w.shape
    hidden = r.shape[2]
    if node.op == "LSTM" and (node.optional(7) is not None or node.attribute("input_forget", 0)):
        raise Uncovered("peepholes")
    if node.attribute("clip") is not None:
        raise Uncovered("clipping")
    params: list[Operand] = []
    for _ in range(directions):
        params += [w.as_(wide, width), r.as_(wide, hidden)]
        params += [b.as_(wide), b.as_(wide)] if b is not None else []
    state = tuple(operand for operand in (node.optional(5), node.optional(6)) if operand is not None)
    outputs: Any = tuple(operand for operand in node.outputs if operand is not None)
    settings = (tuple(params), b is not None, 1, 0.0, False, directions == 2, bool(node.attribute("layout", 0)))
    yield Part(f"aten.{_kind(node, directions)}.input", (node.x, state, *settings), outputs)


def _kind(node: Given, directions: int) -> str:
    usual = _DEFAULTS[node.op]
    activations = tuple(node.attribute("activations", usual * directions))
    if node.op == "RNN" and set(activations) == {"Relu"}:
        return "rnn_relu"
    if activations != usual * directions:
        raise Uncovered(", ".join(activations))
    return "rnn_tanh" if node.op == "RNN" else node.op.lower()
