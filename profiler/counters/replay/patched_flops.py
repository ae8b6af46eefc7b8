"""Which FLOPs do calflops and DeepSpeed's profiler count beside MACs? 2 for each MAC, and what is no product.

Of `patches.py`'s functions and many more. Both have hooks on recurrent layers instead, and so a rule. Of what they
share, read in their sources and compared with what they print:

- 2 for each MAC, and 1 for each element of a convolution's output where it has a bias. A linear layer's bias is free.
- Activations, pools and `softmax` count 1 per element of their input; a batch norm 1, or 2 with scale and shift; layer,
  group and instance norms, and batch norms of the batch's own statistics, 4 or 5. Operators and methods, such as
  `x.relu()`, `x.softmax(-1)` and `torch.sigmoid`, are not patched; nor are RMSNorm, Hardswish and SELU.
- Interpolation to a size counts the product of that size, without batch and channels, and `Upsample(size=8)` 8.
  Interpolation by area counts a pool besides, and `F.upsample` counts twice.
- `addmm` and `baddbmm` add the size of their first argument, also where beta is 0.
- `einsum` counts what `numpy.einsum_path` prints, 1 more in four digits: 121 for 120, 5.321e+04 for 53 208.
- Of sums and products, `torch.add`, `torch.mul`, `x.add` and `x.mul` count. Signs and in-place methods are not patched.
- Recurrent layers take the first two dimensions for batch and steps, also where there is no batch, and leave out
  projections. Each product of n outputs is n additions less than 2 per MAC.
- A function that a module has kept from before is not patched: the activation of torch's Transformer layers.

Our trace does not tell one number for a size, given to a function, from one for each dimension, nor a size from the
scale factor that gave it with `recompute_scale_factor` or `mode="area"`, unless `nn.Upsample` holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from profiler.counters.convention import Charge
from profiler.counters.replay.cpu import FAST, all_hooked, fast_path_calls
from profiler.counters.replay.einsum import path_flops
from profiler.counters.replay.events import LayerCall, Operator, module_calls, operators
from profiler.counters.replay.patches import POOLS, TRANSPOSED, functions_to, is_elementwise, is_seen
from profiler.counters.replay.recurrent import steps_of, tallies
from profiler.counters.replay.rules import Rule, Tally, charged, tensor
from profiler.records.trace import Module, Tensor, Trace, Value, tensors


@dataclass(frozen=True, slots=True)
class Differences:
    """Where the two differ. Counts are FLOPs; each `why` says of one what it is, and is the same for every call.

    macs: the rules for MACs. counts_signs: whether `x @ y` is patched.
    transposed_bias: of a transposed convolution. elementwise: of `torch.add` and `torch.mul`.
    scaled: of interpolation by scale factors: one for all dimensions, or one for each.
    """

    macs: Mapping[str, Rule[Operator]]
    counts_signs: bool
    transposed_bias: Callable[[Operator], int]
    why_transposed_bias: str
    elementwise: Callable[[Operator], int]
    why_elementwise: str
    scaled: Callable[[Tensor, float | tuple[float, ...]], int]
    why_scaled: str


def flops(trace: Trace, tool: Differences) -> Iterator[Charge]:
    """The charges of one of the two tools."""
    for layer in module_calls(trace):
        yield from charged(_recurrent(layer), layer.module, layer.calls)
    fast = fast_path_calls(trace, True, all_hooked)
    for op in operators(trace):
        parts = [*_products(op, tool), *_elementwise(op, tool), *_passed(op, trace.modules[op.module], tool)]
        if op.calls.start in fast:
            parts = [Tally(0, part.family, FAST) for part in parts[:1]]
        yield from charged(parts, op.module, op.calls)


# Products -------------------------------------------------------------------------------------------------------------

_CONVOLUTIONS = {f"aten.conv{rank}d" for rank in (1, 2, 3)}
_TRANSPOSED = {f"aten.{name}" for name in TRANSPOSED}
_ADDING = {"aten.addmm", "aten.baddbmm"}


def _products(op: Operator, tool: Differences) -> Iterator[Tally]:
    if op.name == "aten.einsum" and "einsum" in functions_to(op):
        yield _einsum(op)
    rule = tool.macs.get(op.name)
    if rule is None or not is_seen(op, tool.counts_signs):
        return
    charge = rule.charge(op)
    yield Tally(2 * int(charge.amount), charge.family, charge.why)
    if op.name in _ADDING:
        yield Tally(tensor(op, 0).numel, charge.family, "1 per element of what is added")
    elif op.arg(2, "bias") is not None and op.name in _CONVOLUTIONS:
        # As many positions as the products are counted at.
        weight = tensor(op, 1)
        yield Tally(int(charge.amount) // prod(weight.shape[1:]), "bias", "1 per element of a convolution's output")
    elif op.arg(2, "bias") is not None and op.name in _TRANSPOSED:
        yield Tally(tool.transposed_bias(op), "bias", tool.why_transposed_bias)


def _einsum(op: Operator) -> Tally:
    equation, operands = op.args[:2]
    count = int(path_flops(str(equation), [operand.shape for operand in tensors(operands)]))
    return Tally(count, "einsum", "what numpy.einsum_path prints, 1 more in four digits")


def _elementwise(op: Operator, tool: Differences) -> Iterator[Tally]:
    if is_elementwise(op):
        yield Tally(tool.elementwise(op), "elementwise", tool.why_elementwise)


# Functions of one input -----------------------------------------------------------------------------------------------

_FAMILIES = {
    **dict.fromkeys(("relu", "prelu", "elu", "leaky_relu", "relu6", "silu", "gelu"), "activation"),
    **dict.fromkeys(POOLS, "pooling"),
    "softmax": "softmax",
}
# Where each norm has its scale among the arguments.
_NORMS = {"batch_norm": 1, "instance_norm": 1, "layer_norm": 2, "group_norm": 2}
_TRAINING_AT = 5


def _passed(op: Operator, module: Module, tool: Differences) -> Iterator[Tally]:
    """Of the patched functions on the way to an operator, each counts."""
    for function in functions_to(op):
        family = _FAMILIES.get(function)
        if family is not None:
            yield Tally(tensor(op, 0).numel, family, "1 per element")
        elif function in _NORMS:
            yield _norm(op, function)
        elif function in ("interpolate", "upsample"):
            yield _interpolated(op, module, tool)


def _norm(op: Operator, function: str) -> Tally:
    """A batch norm that takes the statistics of its batch is as expensive as the others."""
    has_scale = op.arg(_NORMS[function], "weight") is not None
    is_cheap = function == "batch_norm" and not op.args[_TRAINING_AT]
    times = (1 if is_cheap else 4) + has_scale
    return Tally(times * tensor(op, 0).numel, function.replace("_", " "), f"{times} per element")


# Interpolation --------------------------------------------------------------------------------------------------------

_UPSAMPLE = "torch.nn.modules.upsampling.Upsample"


def _interpolated(op: Operator, module: Module, tool: Differences) -> Tally:
    """A size is taken for the whole count; a single number that stands for all dimensions, for itself."""
    size, scale = _extent(op, module)
    if size is not None:
        return Tally(prod(size), "interpolation", "the product of the size that it is given")
    assert scale is not None, op
    return Tally(tool.scaled(tensor(op, 0), scale), "interpolation", tool.why_scaled)


def _extent(op: Operator, module: Module) -> tuple[tuple[int, ...] | None, float | tuple[float, ...] | None]:
    """The size and the scale factors that the function takes: a layer's by its settings, others by the operator."""
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
    sizes = value if isinstance(value, tuple) else (value,)
    return tuple(int(size) for size in sizes if isinstance(size, (int, float)))


def _factors(value: Value) -> float | tuple[float, ...] | None:
    if isinstance(value, tuple):
        return tuple(float(factor) for factor in value if isinstance(factor, (int, float)))
    return float(value) if isinstance(value, (int, float)) else None


# Recurrent layers -----------------------------------------------------------------------------------------------------


def _recurrent(layer: LayerCall) -> Iterator[Tally]:
    """A product with n outputs takes n additions less than MACs."""
    steps = steps_of(layer)
    if steps is not None:
        yield from tallies(steps, per_mac=2)
        outputs = sum(2 * weight.tensor.shape[0] for weight in steps.weights("weight_ih"))
        yield Tally(-steps.number * outputs, "recurrent", "an addition less for each output of a product")
