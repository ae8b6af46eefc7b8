"""What does fvcore 0.1.5.post20221221 count, by `FlopCountAnalysis(model, inputs).total()`? Its flop is a MAC.

It traces the model with torch.jit, which drops what the output does not depend on, and looks each operator up in a
table (fvcore/nn/flop_count.py, formulas in fvcore/nn/jit_handles.py). Read there, and compared with what it prints:

- `matmul` takes the left operand's size times the right one's last width, and is too small where the left operand is
  broadcast: (4, 5) @ (7, 5, 6) gives 120 and is 840.
- `einsum` is exact for two patterns. Any other is half of what `numpy.einsum_path` prints, which has four digits:
  12,597 becomes 12,600.
- A `torch.autograd.Function` is one operator in the traced graph, and what is inside is not counted.
- It has no rule for convolutions whose padding is named ("same", "valid"), fused attention, `baddbmm`, `Bilinear`,
  RMSNorm, and RNN, GRU and LSTM (but it has for their cells), nor for the fast path of `nn.MultiheadAttention`, which
  is taken where nothing wants a gradient.

What a model does not do while it is traced is in our trace, and is counted here.

It is given all arguments by their positions. Its counts of modules (`by_module()`) contain those of the modules inside,
and are taken apart; parameters are those of its `parameter_count`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.cpu import all_hooked, fast_path_calls, unless_fast
from profiler.counters.replay.einsum import halved_path_flops, renamed
from profiler.counters.replay.events import Operator, traced_operators, why_untraced
from profiler.counters.replay.rules import (
    CELLS,
    CONVOLUTIONS,
    addmm,
    by_operator,
    cell,
    families,
    is_broadcast,
    is_by_vector,
    mm,
    own_parameters,
    per_element,
    real_convolutions,
    tensor,
    where,
    why_real,
)
from profiler.counters.running.modules import by_position, own, paths
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.records.trace import Tensor, Trace, tensors

if TYPE_CHECKING:
    from torch import nn

_EXACT = {"abc,abd->acd", "abc,adc->adb"}


def _einsum(op: Operator) -> int:
    equation, shapes = str(op.args[0]), [operand.shape for operand in tensors(op.args[1])]
    if renamed(equation) in _EXACT:
        left, right = shapes
        return left[0] * left[1] * left[2] * (right[1] if renamed(equation) == "abc,adc->adb" else right[2])
    return halved_path_flops(equation, shapes)


def _norm(weight_at: int) -> Callable[[Operator], int]:
    return lambda op: tensor(op, 0).numel * (5 if isinstance(op.arg(weight_at, "weight"), Tensor) else 4)


def _batch_norm(op: Operator) -> int:
    if op.arg(5, "training"):
        return _norm(1)(op)
    return tensor(op, 0).numel * (2 if isinstance(op.arg(1, "weight"), Tensor) else 1)


def _inputs(op: Operator) -> int:
    return tensor(op, 0).numel


def _outputs(times: int) -> Callable[[Operator], int]:
    return lambda op: times * op.out.numel


def _why_einsum(op: Operator) -> str:
    if renamed(str(op.args[0])) not in _EXACT:
        return "half of what numpy.einsum_path prints, four digits"
    left = next(tensors(op.args[1]))
    summed = left.shape[2 if renamed(str(op.args[0])) == "abc,adc->adb" else 1]
    return "" if summed > 1 else "the one element of an axis that is summed, which is a multiplication"


def _linear(op: Operator) -> int:
    return tensor(op, 0).numel * tensor(op, 1).shape[0]


_RULES = families(
    ("convolution", CONVOLUTIONS[:-1], real_convolutions, why_real),
    ("linear", ("linear",), _linear, where(is_by_vector, "by a vector, whose length is taken for a width")),
    ("linear", ("addmm",), addmm, ""),
    ("matrix product", ("mm", "bmm"), mm, ""),
    ("matrix product", ("matmul",), mm, where(is_broadcast, "the left operand is taken as it is, not broadcast")),
    ("einsum", ("einsum",), _einsum, _why_einsum),
    ("recurrent cell", CELLS, cell, ""),
    ("batch norm", ("batch_norm",), _batch_norm, per_element(_batch_norm)),
    ("layer norm", ("layer_norm",), _norm(2), per_element(_norm(2))),
    ("group norm", ("group_norm",), _norm(2), per_element(_norm(2))),
    ("instance norm", ("instance_norm",), _norm(1), per_element(_norm(1))),
    ("adaptive average pooling", ("adaptive_avg_pool2d",), _inputs, "1 per element of the input"),
    ("interpolation", ("upsample_nearest2d",), _outputs(1), "1 per element of the output"),
    ("interpolation", ("upsample_bilinear2d",), _outputs(4), "4 per element of the output"),
    ("grid sampling", ("grid_sampler",), _outputs(4), "4 per element of the output"),
)


def _charges(trace: Trace) -> Iterator[Charge]:
    return unless_fast(by_operator(trace, _RULES, traced_operators), fast_path_calls(trace, True, all_hooked))


CONVENTION = Replica(
    "fvcore",
    "MACs, which it calls flops, and 1 to 5 per element of norms, some pooling and some interpolation",
    _charges,
    own_parameters,  # `parameter_count`: every parameter once
    lambda op: why_untraced(op) if op.name in _RULES else f"it has no rule for {op.short}",
    version="0.1.5.post20221221",
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "fvcore"
MODULE = "fvcore"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs. Counts of a module contain those of what it owns, not of what it calls."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, by_position(model, args, kwargs, "fvcore"))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    weights = parameter_count(model)
    return Reading(
        "fvcore",
        total=plain(analysis.total()),
        params=weights[""],
        layers=plainly(own(analysis.by_module())),
        layer_params=own({path: weights[path] for path in paths(model).values()}),
    )
