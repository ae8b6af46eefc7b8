"""ptflops 0.7.5 with `backend="aten"`: MACs, and one for each element that a bias is added to.

A dispatch mode with formulas for `mm`, `addmm`, `bmm` and `convolution` (ptflops/aten_ops.py), on a CPU, in evaluation,
with gradients enabled. Read there, and compared with what it prints:

- A bias is counted where it is an argument of `addmm` or of a convolution. torch adds the bias of a linear layer apart,
  and so without a count, where the input has more than two dimensions and is not contiguous.
- Fused attention, `baddbmm`, LSTM (one kernel of oneDNN's), `Bilinear`, and products of a matrix and a vector are not
  counted. Attention whose mask is learned is not fused, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from profiler.conventions.convention import Charge, Replica, Weighing
from profiler.conventions.cpu import attention_is_fused, learned_masks, lstm_is_fused
from profiler.conventions.events import Operator, recorded_calls
from profiler.conventions.rules import (
    CELLS,
    CONVOLUTIONS,
    addmm,
    attention,
    cell,
    convolution,
    families,
    linear,
    mm,
    recurrent,
    tensor,
    trainable_parameters,
)
from profiler.records import Tensor, Trace, tensors

_BIASES = "and 1 per element of the output for the bias"


def _convolution(op: Operator) -> int:
    return convolution(op) + (op.out.numel if isinstance(op.arg(2, "bias"), Tensor) else 0)


def _linear(op: Operator) -> int:
    x, weight, bias = tensor(op, 0), tensor(op, 1), op.arg(2, "bias")
    if weight.ndim == 1:
        return 0
    is_fused = isinstance(bias, Tensor) and (x.ndim == 2 or x.is_contiguous)
    return linear(op) + (op.out.numel if is_fused else 0)


def _addmm(op: Operator) -> int:
    return addmm(op) + op.out.numel


def _cell(op: Operator) -> int:
    biases = sum(bias.numel for bias in tensors(op.args[4:]))
    return cell(op) + biases * (tensor(op, 0).numel // tensor(op, 0).shape[-1])


def _recurrent(op: Operator) -> int:
    is_packed = op.signature.op.endswith(".data")
    x, params = tensor(op, 0), list(tensors(op.args[3 if is_packed else 2]))
    biases = sum(bias.numel for bias in params if bias.ndim == 1)
    if not is_packed:
        biases -= _added_apart(op, x, params)
    return recurrent(op) + biases * (x.numel // x.shape[-1])


def _added_apart(op: Operator, x: Tensor, params: Sequence[Tensor]) -> int:
    """The first layer's input biases, where the input is batch first and so not contiguous once time is first."""
    has_biases, layers, bidirectional, batch_first = op.args[3], op.args[4], op.args[7], op.args[8]
    is_contiguous = not batch_first or 1 in x.shape[:2]
    if not has_biases or (is_contiguous and x.is_contiguous):
        return 0
    directions = 2 if bidirectional else 1
    assert isinstance(layers, int)
    width = len(params) // (layers * directions)  # W_ih, W_hh, b_ih, b_hh and perhaps W_hr
    return sum(params[direction * width + 2].numel for direction in range(directions))


def _unless(is_fused: Callable[[Operator], bool], count: Callable[[Operator], int]) -> Callable[[Operator], int]:
    return lambda op: 0 if is_fused(op) else count(op)


_RULES = families(
    ("convolution", CONVOLUTIONS, _convolution, _BIASES),
    ("linear", ("linear",), _linear, _BIASES),
    ("linear", ("addmm",), _addmm, _BIASES),
    ("matrix product", ("mm", "bmm"), mm, ""),
    ("attention", ("scaled_dot_product_attention",), _unless(attention_is_fused, attention), "fused, not counted"),
    ("recurrent cell", CELLS, _cell, _BIASES),
    ("recurrent", ("gru", "rnn_tanh", "rnn_relu"), _recurrent, _BIASES),
    ("recurrent", ("lstm",), _unless(lstm_is_fused, _recurrent), "one kernel, not counted"),
)


def _charges(trace: Trace) -> Iterator[Charge]:
    learned = learned_masks(trace)
    for op in recorded_calls(trace):
        if op.calls.start in learned:
            yield Charge(attention(op), op.module, op.calls, "attention")
        elif (rule := _RULES.get(op.name)) is not None:
            yield Charge(rule.count(op), op.module, op.calls, rule.family, rule.why)


def _weighings(trace: Trace) -> Iterator[Weighing]:
    return trainable_parameters(trace)


CONVENTION = Replica(
    "ptflops-aten",
    "as ptflops counts with its aten backend: MACs of matrix products and convolutions, and their biases",
    _charges,
    _weighings,
    lambda op: f"it has no formula for {op.removeprefix('aten.')}",
    version="0.7.5",
)
