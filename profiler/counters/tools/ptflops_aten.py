"""What does ptflops 0.7.5 count with `backend="aten"`? MACs, and one for each element that a bias is added to.

A dispatch mode with formulas for `mm`, `addmm`, `bmm` and `convolution` (ptflops/aten_ops.py), on a CPU, in evaluation,
with gradients enabled. Read there, and compared with what it prints:

- A bias is counted where it is an argument of `addmm` or of a convolution. torch adds the bias of a linear layer apart,
  and so without a count, where the input has more than two dimensions and is not contiguous.
- Fused attention, `baddbmm`, LSTM (one kernel of oneDNN's), `Bilinear`, and products of a matrix and a vector are not
  counted. Attention whose mask is learned is not fused, and is counted.

It tells only the model's children apart, so its formulas are listened to as it applies them, and what they give is
charged to the module that is running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.cpu import PRODUCTS, fast_path_calls, lstm_is_fused, products, unless_fast
from profiler.counters.replay.events import Operator, recorded_calls
from profiler.counters.replay.rules import (
    CELLS,
    CONVOLUTIONS,
    is_by_vector,
    steps,
    tensor,
    trainable_parameters,
    unless,
)
from profiler.counters.running.modules import Ledger
from profiler.counters.running.reading import Reading, plainly
from profiler.counters.tools import ptflops
from profiler.records.trace import Tensor, Trace, tensors

if TYPE_CHECKING:
    from torch import nn

_BIASES = "1 per element of the output"


def _charges(trace: Trace) -> Iterator[Charge]:
    # It puts hooks on what stands in the model itself.
    fast = fast_path_calls(trace, True, lambda row: "." not in trace.modules[row].path)
    yield from unless_fast(products(trace, PRODUCTS, gradients=True), fast)
    for op in recorded_calls(trace):
        if op.name in _BIASED and op.calls.start not in fast:
            yield Charge(_BIASED[op.name](op), op.module, op.calls[:0], "bias", _BIASES)


# Biases ---------------------------------------------------------------------------------------------------------------


def _of_convolution(op: Operator) -> int:
    """Of the three real convolutions that a complex one is made of, two have a bias."""
    times = 2 if op.out.is_complex else 1
    return times * op.out.numel if isinstance(op.arg(2, "bias"), Tensor) else 0


def _of_linear(op: Operator) -> int:
    x, bias = tensor(op, 0), op.arg(2, "bias")
    is_fused = isinstance(bias, Tensor) and not is_by_vector(op) and (x.ndim == 2 or x.is_contiguous)
    return op.out.numel if is_fused else 0


def _of_addmm(op: Operator) -> int:
    return op.out.numel


def _of_cell(op: Operator) -> int:
    return sum(bias.numel for bias in tensors(op.args[4:])) * steps(op)


def _of_recurrent(op: Operator) -> int:
    is_packed = op.signature.op.endswith(".data")
    params = list(tensors(op.args[3 if is_packed else 2]))
    biases = sum(bias.numel for bias in params if bias.ndim == 1)
    return (biases if is_packed else biases - _added_apart(op, params)) * steps(op)


def _added_apart(op: Operator, params: Sequence[Tensor]) -> int:
    """The first layer's input biases, where the input is batch first and so not contiguous once time is first."""
    x, has_biases, layers, bidirectional, batch_first = tensor(op, 0), op.args[3], op.args[4], op.args[7], op.args[8]
    is_contiguous = x.is_contiguous and (not batch_first or 1 in x.shape[:2])
    if not has_biases or is_contiguous:
        return 0
    directions = 2 if bidirectional else 1
    assert isinstance(layers, int)
    width = len(params) // (layers * directions)  # W_ih, W_hh, b_ih, b_hh and perhaps W_hr
    return sum(params[direction * width + 2].numel for direction in range(directions))


_BIASED: Mapping[str, Callable[[Operator], int]] = {
    **{f"aten.{name}": _of_convolution for name in CONVOLUTIONS},
    **{f"aten.{name}": _of_cell for name in CELLS},
    "aten.linear": _of_linear,
    "aten.addmm": _of_addmm,
    "aten.gru": _of_recurrent,
    "aten.rnn_tanh": _of_recurrent,
    "aten.rnn_relu": _of_recurrent,
    "aten.lstm": unless(lstm_is_fused, _of_recurrent),
}

CONVENTION = Replica(
    "ptflops-aten",
    "MACs of matrix products and convolutions, and 1 per element that a bias is added to",
    _charges,
    trainable_parameters,
    lambda op: f"it has no formula for {op.short}",
    recorded_calls,
    version="0.7.5",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = ptflops.DISTRIBUTION
MODULE = ptflops.MODULE


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs, and biases."""
    from ptflops.aten_ops import ATEN_OPS_MAPPING

    counted = [0]
    rules = {op: _heard(rule, counted) for op, rule in ATEN_OPS_MAPPING.items()}
    ledger = Ledger(model, lambda: counted[0])
    with ledger.following():
        total, params = ptflops.complexity(model, args, kwargs, "ptflops-aten", "aten", custom_modules_hooks=rules)
    ledger.close()
    return Reading("ptflops-aten", total=total, params=params, layers=plainly(ledger.charged))


def _heard(rule: Callable[..., int], counted: list[int]) -> Callable[..., int]:
    """The same rule; what it gives is added up as well."""

    def applied(inputs: Any, outputs: Any) -> int:
        count = rule(inputs, outputs)
        counted[0] += count
        return count

    return applied
