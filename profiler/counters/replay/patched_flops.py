"""The FLOPs that calflops and DeepSpeed's profiler count beside MACs: 2 for each MAC, and what is no product.

Of `patches.py`'s functions and many more. Both have hooks on recurrent layers instead, and so a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from profiler.counters.convention import Charge
from profiler.counters.replay.cpu import FAST, all_hooked, fast_path_calls
from profiler.counters.replay.einsum import path_flops
from profiler.counters.replay.events import Made, Operator, module_calls, operators
from profiler.counters.replay.patches import POOLS, TRANSPOSED, functions_to, is_elementwise, is_met
from profiler.counters.replay.rules import GATES, OperatorRule, held, layer_kind, tensor
from profiler.records.trace import Module, Tensor, Trace, Value, tensors


@dataclass(frozen=True, slots=True)
class Tool:
    """Where the two differ. Counts are FLOPs; each `why` says of one what it is, and is the same for every call.

    macs: the rules for MACs. counts_signs: whether `x @ y` is patched.
    transposed_bias: of a transposed convolution. elementwise: of `torch.add` and `torch.mul`.
    scaled: of interpolation by scale factors: one for all dimensions, or one for each.
    """

    macs: Mapping[str, OperatorRule]
    counts_signs: bool
    transposed_bias: Callable[[Operator], int]
    why_transposed_bias: str
    elementwise: Callable[[Operator], int]
    why_elementwise: str
    scaled: Callable[[Tensor, float | tuple[float, ...]], int]
    why_scaled: str


class _Term(NamedTuple):
    """What a function or a layer counts. `why` is empty where that is twice our MACs."""

    amount: int
    family: str
    why: str = ""


def flops(trace: Trace, tool: Tool) -> Iterator[Charge]:
    """The charges of one of the two tools."""
    for made in module_calls(trace):
        yield from _charged(_recurrent(made), made.row, made.calls)
    fast = fast_path_calls(trace, True, all_hooked)
    for op in operators(trace):
        terms = [*_products(op, tool), *_elementwise(op, tool), *_passed(op, trace.modules[op.module], tool)]
        if op.calls.start in fast:
            terms = [_Term(0, term.family, FAST) for term in terms[:1]]
        yield from _charged(terms, op.module, op.calls)


def _charged(terms: Iterator[_Term] | list[_Term], module: int, calls: range) -> Iterator[Charge]:
    """The first stands for the calls, whose MACs are to be found once."""
    for term in terms:
        yield Charge(term.amount, module, calls, term.family, term.why)
        calls = calls[:0]


# Products -------------------------------------------------------------------------------------------------------------

_CONVOLUTIONS = {f"aten.conv{rank}d" for rank in (1, 2, 3)}
_TRANSPOSED = {f"aten.{name}" for name in TRANSPOSED}
_ADDING = {"aten.addmm", "aten.baddbmm"}


def _products(op: Operator, tool: Tool) -> Iterator[_Term]:
    if op.name == "aten.einsum" and "einsum" in functions_to(op):
        yield _einsum(op)
    rule = tool.macs.get(op.name)
    if rule is None or not is_met(op) or (op.caller.is_sign and not tool.counts_signs):
        return
    charge = rule.charge(op)
    yield _Term(2 * int(charge.amount), charge.family, charge.why)
    if op.name in _ADDING:
        yield _Term(tensor(op, 0).numel, charge.family, "1 per element of what is added")
    elif op.arg(2, "bias") is not None and op.name in _CONVOLUTIONS:
        # As many positions as the products are counted at.
        weight = tensor(op, 1)
        yield _Term(int(charge.amount) // prod(weight.shape[1:]), "bias", "1 per element of a convolution's output")
    elif op.arg(2, "bias") is not None and op.name in _TRANSPOSED:
        yield _Term(tool.transposed_bias(op), "bias", tool.why_transposed_bias)


def _einsum(op: Operator) -> _Term:
    equation, operands = op.args[:2]
    count = int(path_flops(str(equation), [operand.shape for operand in tensors(operands)]))
    return _Term(count, "einsum", "what numpy.einsum_path prints, 1 more in four digits")


def _elementwise(op: Operator, tool: Tool) -> Iterator[_Term]:
    if is_elementwise(op):
        yield _Term(tool.elementwise(op), "elementwise", tool.why_elementwise)


# Functions of one input -----------------------------------------------------------------------------------------------

_FAMILIES = {
    **dict.fromkeys(("relu", "prelu", "elu", "leaky_relu", "relu6", "silu", "gelu"), "activation"),
    **dict.fromkeys(POOLS, "pooling"),
    "softmax": "softmax",
}
# Where each norm has its scale among the arguments.
_NORMS = {"batch_norm": 1, "instance_norm": 1, "layer_norm": 2, "group_norm": 2}
_TRAINING_AT = 5


def _passed(op: Operator, module: Module, tool: Tool) -> Iterator[_Term]:
    """Of the patched functions on the way to an operator, each counts."""
    for function in functions_to(op):
        family = _FAMILIES.get(function)
        if family is not None:
            yield _Term(tensor(op, 0).numel, family, "1 per element")
        elif function in _NORMS:
            yield _norm(op, function)
        elif function in ("interpolate", "upsample"):
            yield _interpolated(op, module, tool)


def _norm(op: Operator, function: str) -> _Term:
    """A batch norm that takes the statistics of its batch is as expensive as the others."""
    has_scale = op.arg(_NORMS[function], "weight") is not None
    is_cheap = function == "batch_norm" and not op.args[_TRAINING_AT]
    times = (1 if is_cheap else 4) + has_scale
    return _Term(times * tensor(op, 0).numel, function.replace("_", " "), f"{times} per element")


# Interpolation --------------------------------------------------------------------------------------------------------

_UPSAMPLE = "torch.nn.modules.upsampling.Upsample"


def _interpolated(op: Operator, module: Module, tool: Tool) -> _Term:
    """A size that is given is taken for the whole count; one number that stands for all dimensions, for itself."""
    size, scale = _given(op, module)
    if size is not None:
        return _Term(prod(size), "interpolation", "the product of the size that it is given")
    assert scale is not None, op
    return _Term(tool.scaled(tensor(op, 0), scale), "interpolation", tool.why_scaled)


def _given(op: Operator, module: Module) -> tuple[tuple[int, ...] | None, float | tuple[float, ...] | None]:
    """The size and the scale factors that the function was given: a layer's by its settings, others by the operator."""
    settings = dict(module.attributes) if _UPSAMPLE in module.classes else {}
    if settings:
        size, scale = settings["size"], settings["scale_factor"]
    else:
        size = op.arg(1, "output_size")
        scale = next((arg for arg in op.args[2:] if isinstance(arg, tuple)), None)
    return _integers(size), _factors(scale)


def _integers(value: Value) -> tuple[int, ...] | None:
    if value is None:
        return None
    return tuple(int(one) for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, (int, float)))


def _factors(value: Value) -> float | tuple[float, ...] | None:
    if isinstance(value, tuple):
        return tuple(float(one) for one in value if isinstance(one, (int, float)))
    return float(value) if isinstance(value, (int, float)) else None


# Recurrent layers -----------------------------------------------------------------------------------------------------

_LAYERS, _CELLS = ("RNN", "GRU", "LSTM"), ("RNNCell", "GRUCell", "LSTMCell")


def _recurrent(made: Made) -> Iterator[_Term]:
    """Of exactly these classes. The first two dimensions are taken for batch and steps, of a cell the first."""
    kind = layer_kind(made.kind)
    if kind in _CELLS:
        yield from _steps(made, kind.removesuffix("Cell"), made.x.shape[0], [""], "")
    elif kind in _LAYERS:
        steps = prod(made.x.shape[:2]) * (2 if made.settings["bidirectional"] else 1)
        if made.x.ndim != 3:
            why = "its width is taken for steps"
        else:
            why = "projections are left out" if made.settings.get("proj_size") else ""
        yield from _steps(made, kind, steps, [f"_l{layer}" for layer in range(made.number("num_layers"))], why)


def _steps(made: Made, kind: str, steps: int, layers: list[str], why: str) -> Iterator[_Term]:
    """A product with n outputs takes n additions less than MACs."""
    products = sum(held(made, f"weight_ih{layer}", f"weight_hh{layer}") for layer in layers)
    outputs = sum(2 * made.weights[f"weight_ih{layer}"].tensor.shape[0] for layer in layers)
    biases = sum(held(made, f"bias_ih{layer}", f"bias_hh{layer}") for layer in layers)
    gates = len(layers) * GATES[kind] * made.number("hidden_size")
    yield _Term(2 * steps * products, "recurrent", why)
    yield _Term(-steps * outputs, "recurrent", "an addition less for each output of a product")
    yield _Term(steps * gates, "recurrent", "gates and states")
    yield _Term(steps * biases, "bias", "1 per bias and step")
