"""How are losses translated from ONNX? Only files for training contain some."""

from __future__ import annotations

from collections.abc import Iterator

from profiler.sources.onnx.rules import OnnxNode, Operand, Part, rule

_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


@rule("NegativeLogLikelihoodLoss")
def negative_log_likelihood(node: OnnxNode) -> Iterator[Part]:
    yield _picked(node, node.x, node.out)


@rule("SoftmaxCrossEntropyLoss")
def cross_entropy(node: OnnxNode) -> Iterator[Part]:
    """A log-softmax over classes, which is an optional second output, and the loss of its values."""
    second = node.outputs[1] if len(node.outputs) > 1 else None
    logs = second if second is not None else node.like(node.x)
    yield Part("aten.log_softmax.int", (node.x, 1), logs)
    yield _picked(node, logs, node.out)


def _picked(node: OnnxNode, logs: Operand, out: Operand) -> Part:
    reduction = _REDUCTIONS[str(node.attribute("reduction", "mean"))]
    return Part("aten.nll_loss_nd.default", (logs, node.input(1), node.optional(2), reduction), out)
