"""What does ptflops 0.7.5 count, by `get_model_complexity_info(model, ...)` with its default backend, "pytorch"?

Hooks on modules of exactly the classes it has a rule for, and patched functions of torch.nn.functional and torch
(ptflops/pytorch_engine.py, pytorch_ops.py). Gradients are enabled. Read there, and compared with what it prints:

- Most activations and pools count twice: as a layer, and as the function that the layer calls. Not `ReLU6` and
  `LeakyReLU`, whose functions are others. A function that a module has kept from before is not patched: the activation
  of torch's Transformer layers, and GELU in models of the package transformers.
- What layers count is divided by the batch, the first dimension of the model's only argument; what functions count is
  not. Given keyword arguments, which is how it takes several, or a dict, it sees no batch and divides by 1.
- `Upsample` counts one sample's output, and is divided by the batch all the same.
- A layer that has a rule hides what is inside it. So the linear layers of timm's `Attention` are missing, and what
  `nn.MultiheadAttention` multiplies by functions counts twice.
- `LayerNorm` counts 1 per element, with or without scale and shift. RMSNorm counts nothing.
- A module that stands under two parents is counted for each of them.
- Elementwise functions line up the two shapes from the left: (2, 6, 5) plus (5,) is 5·6·5 elements. Operators, such as
  `x + y` and `x @ y`, and in-place methods are not patched, nor are fused attention and `einsum`.
- The matrix product takes the left operand's size times the right one's last width.
- Recurrent layers take the first two dimensions for batch and steps, also where there is no batch, and leave
  projections out. Convolutions take the first dimension for the batch.

What was bound before it patched is not patched. Our trace cannot tell a fractional scale factor that is given to a
function once from one for each dimension, or from the size that it gives with `recompute_scale_factor`.

It is given its one argument, or all of them by their names, and prints its errors. What layers count is read from what
it leaves on them when the forward pass has ended; what functions count, from the growth of its sums while a module
runs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from io import StringIO
from itertools import chain, islice
from math import prod
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.cpu import all_hooked, fast_path_calls
from profiler.counters.replay.events import LayerCall, Operator, module_calls, operators
from profiler.counters.replay.hooks import visits
from profiler.counters.replay.patches import (
    POOLS,
    WHY_FROM_THE_LEFT,
    WHY_MATMUL,
    from_the_left,
    functions_to,
    is_elementwise,
    is_met,
)
from profiler.counters.replay.recurrent import KINDS as RECURRENT
from profiler.counters.replay.recurrent import steps_of, tallies
from profiler.counters.replay.rules import (
    Tally,
    addmm,
    charged,
    in_ranks,
    is_broadcast,
    kernel,
    layer_kind,
    mm,
    tensor,
    trainable_parameters,
    why_reparametrised,
)
from profiler.counters.running.modules import Ledger, after_forward, by_name, paths
from profiler.counters.running.reading import Number, Reading, plain, plainly
from profiler.records.trace import Tensor, Trace, Value, tensors

if TYPE_CHECKING:
    from torch import nn


# Layers ---------------------------------------------------------------------------------------------------------------

_PER_BIAS = "1 per element of the output"
_AS_LAYER = "1 per element, as a layer"


def _convolution(layer: LayerCall, family: str = "convolution", more_per_weight: int = 0) -> Iterator[Tally]:
    size, x, y = kernel(layer), layer.x, layer.y
    image = x if "Transpose" in layer.kind else y
    positions = x.shape[0] * prod(image.shape[2:]) * prod(size)
    per_position = layer.number("in_channels") * (layer.number("out_channels") // layer.number("groups"))
    is_batched = x.ndim == len(size) + 2
    yield Tally(positions * per_position, family, "" if is_batched else "its first dimension is taken for a batch")
    if more_per_weight:
        yield Tally(positions * more_per_weight, family, "offsets and interpolation")
    if "bias" in layer.weights:
        yield Tally(x.shape[0] * prod(y.shape[1:]), "bias", _PER_BIAS)


def _transposed(layer: LayerCall) -> Iterator[Tally]:
    return _convolution(layer, "transposed convolution")


def _deformable(layer: LayerCall) -> Iterator[Tally]:
    """24 per kernel position for a point's coordinates and its interpolation, 1 more for a mask."""
    has_mask = len(layer.inputs) == 3 and layer.inputs[2] is not None
    return _convolution(layer, "deformable convolution", 25 if has_mask else 24)


def _linear(layer: LayerCall) -> Iterator[Tally]:
    rows = prod(layer.x.shape[:-1])
    yield Tally(rows * layer.x.shape[-1] * layer.y.shape[-1], "linear")
    if "bias" in layer.weights:
        yield Tally(rows * layer.y.shape[-1], "bias", _PER_BIAS)


def _norm(family: str) -> Callable[[LayerCall], Iterator[Tally]]:
    def count(layer: LayerCall) -> Iterator[Tally]:
        times = 2 if layer.settings.get("affine") else 1
        yield Tally(times * layer.x.numel, family, f"{times} per element")

    return count


def _activation(layer: LayerCall) -> Iterator[Tally]:
    yield Tally(layer.y.numel, "activation", _AS_LAYER)


def _pooling(layer: LayerCall) -> Iterator[Tally]:
    yield Tally(layer.x.numel, "pooling", _AS_LAYER)


def _upsample(layer: LayerCall) -> Iterator[Tally]:
    yield Tally(prod(layer.y.shape[1:]), "interpolation", "1 per element of one sample's output, as a layer")


def _recurrent(layer: LayerCall) -> Iterator[Tally]:
    steps = steps_of(layer)
    assert steps is not None
    return tallies(steps, family="recurrent cell" if layer.kind.endswith("Cell") else "recurrent")


def _attention(layer: LayerCall) -> Iterator[Tally]:
    """`nn.MultiheadAttention`. It fails where other arguments than query, key and value are positional."""
    if len(layer.inputs) != 3 or layer.x.ndim != 3:
        return
    lengths_at = 1 if layer.settings["batch_first"] else 0
    query, key, value = list(tensors(layer.inputs))
    batch, heads = query.shape[1 - lengths_at], layer.number("num_heads")
    (lq, lk, lv), (eq, ek, ev) = ([t.shape[at] for t in (query, key, value)] for at in (lengths_at, 2))
    projections = lq * eq * eq + lk * ek * ek + lv * ev * ev + lq * ev * ev
    products = heads * lq * lk * (eq // heads + ev // heads)
    is_plain = eq == ek == ev and "bias_k" not in layer.weights and not layer.settings["add_zero_attn"]
    why = "" if is_plain else "projections are taken for square, and keys that the layer adds are left out"
    yield Tally(batch * (projections + products), "attention", why)
    yield Tally(batch * (lq * eq + heads * lq * lk), "attention", "1 per element of the query and of the softmax")
    biases = (lq + lk + lv) * eq if "in_proj_bias" in layer.weights else 0
    yield Tally(batch * (biases + lq * ev), "bias", _PER_BIAS)


def _timm_attention(layer: LayerCall) -> Iterator[Tally]:
    """Its two linear layers are not looked at."""
    batch, length, _ = layer.x.shape
    heads, width = layer.number("num_heads"), layer.number("head_dim")
    yield Tally(batch * heads * 2 * length * length * width, "attention")
    yield Tally(batch * heads * (length * width + length * length), "attention", "1 per element of query and softmax")


_Rule = Callable[[LayerCall], Iterator[Tally]]
_RULES: tuple[tuple[_Rule, Iterable[str]], ...] = (
    (_convolution, in_ranks("Conv")),
    (_transposed, in_ranks("ConvTranspose")),
    (_deformable, ["torchvision.ops.deform_conv.DeformConv2d"]),
    (_linear, ["Linear"]),
    (_norm("batch norm"), in_ranks("BatchNorm")),
    (_norm("instance norm"), in_ranks("InstanceNorm")),
    (_norm("group norm"), ["GroupNorm"]),
    (_norm("layer norm"), ["LayerNorm"]),
    (_activation, ["ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU"]),
    (_pooling, [kind for name in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for kind in in_ranks(f"{name}Pool")]),
    (_upsample, ["Upsample"]),
    (_recurrent, RECURRENT),
    (_attention, ["MultiheadAttention"]),
    (_timm_attention, ["timm.layers.attention.Attention", "timm.models.vision_transformer.Attention"]),
)
_LAYERS = {kind: rule for rule, kinds in _RULES for kind in kinds}
_HIDDEN = "inside a layer that is counted as a whole"
_AGAIN = "a module that stands under several parents counts again for each"


def _tallies(layer: LayerCall) -> Iterator[Tally]:
    rule = _LAYERS.get(layer_kind(layer.kind))
    return iter(()) if rule is None else rule(layer)


def _from_layers(trace: Trace) -> Iterator[Charge]:
    times = Counter(visits(trace, _LAYERS.__contains__, opens_model=False))
    batch = _batch(trace)
    for layer in module_calls(trace):
        charges = charged(_tallies(layer), layer.module, layer.calls)
        if not times[layer.module]:
            yield from (charge._replace(amount=0, why=_HIDDEN) for charge in islice(charges, 1))
            continue
        for charge in charges:
            reasons = (charge.why or why_reparametrised(layer), "divided by the batch" if batch != 1 else "")
            amount = Fraction(charge.amount, batch)
            yield charge._replace(amount=amount, why=", ".join(filter(None, reasons)))
            if times[layer.module] > 1 and amount:
                again = (times[layer.module] - 1) * amount
                yield charge._replace(amount=again, calls=charge.calls[:0], why=_AGAIN)


def _batch(trace: Trace) -> int:
    """Over all calls of the model, the length of its only argument, or 1."""
    calls = [layer for layer in module_calls(trace) if not layer.module]
    alone = [call.inputs[0] if len(call.inputs) == 1 and not call.named else None for call in calls]
    return max(sum(1 if _is_dict(trace, value) else _length(value) for value in alone), 1)


def _is_dict(trace: Trace, alone: Value) -> bool:
    """Whether the only argument is a dict of tensors, whose keys are their names: it has to be passed by its name."""
    return (
        isinstance(alone, tuple)
        and all(isinstance(value, Tensor) for value in alone)
        and all(entry.name is not None for entry in trace.inputs)
    )


def _length(value: Value) -> int:
    """A tensor's first dimension; of several tensors in one argument, their number."""
    if isinstance(value, Tensor) and value.ndim:
        return value.shape[0]
    return len(value) if isinstance(value, tuple) else 1


# Functions ------------------------------------------------------------------------------------------------------------

_AS_FUNCTION = "1 per element, as a function"
_AS_FUNCTIONS = "the products inside a layer that has a rule, as functions"
_FAMILIES = {
    **dict.fromkeys(("relu", "prelu", "elu", "relu6", "gelu", "silu"), "activation"),
    **dict.fromkeys(POOLS, "pooling"),
    "softmax": "softmax",
    "interpolate": "interpolation",
    "upsample": "interpolation",
}


def _from_functions(trace: Trace) -> Iterator[Charge]:
    fast = fast_path_calls(trace, True, all_hooked)
    counted = {call for layer in module_calls(trace) if layer_kind(layer.kind) in _LAYERS for call in layer.calls}
    for op in operators(trace):
        if op.calls.start in fast:
            continue
        calls = op.calls[:0] if counted.issuperset(op.calls) else op.calls
        settings = dict(trace.modules[op.module].attributes)
        for charge in charged([*_passed(op, settings), *_products(op), *_elementwise(op)], op.module, calls):
            yield charge if charge.calls else charge._replace(why=charge.why or _AS_FUNCTIONS)


def _passed(op: Operator, settings: Mapping[str, Value]) -> Iterator[Tally]:
    """Of the patched functions on the way to an operator, each counts."""
    for function in functions_to(op):
        if function in _FAMILIES:
            is_resized = _FAMILIES[function] == "interpolation"
            count = _interpolated(op, settings.get("scale_factor")) if is_resized else tensor(op, 0).numel
            yield Tally(count, _FAMILIES[function], _AS_FUNCTION)


def _interpolated(op: Operator, setting: Value) -> int | Fraction:
    """The output's size; by the scale factors where there are some, which need not give a whole number.

    setting: a layer's scale factor.
    """
    factors_at = (arg for arg in op.args[2:] if isinstance(arg, tuple))
    scales = setting if isinstance(setting, (int, float)) else next(factors_at, None)
    if scales is None or (op.arg(1, "output_size") is not None and setting is None):
        return op.out.numel
    if isinstance(scales, (int, float)):
        return tensor(op, 0).numel * Fraction(scales) ** (op.out.ndim - 2)
    factors = [Fraction(scale) for scale in scales if isinstance(scale, (int, float))]
    if isinstance(setting, tuple) or len(set(factors)) > 1:
        factors = [Fraction(int(factor)) for factor in factors]
    return tensor(op, 0).numel * prod(factors)


def _products(op: Operator) -> Iterator[Tally]:
    if not is_met(op):
        return
    if op.name == "aten.matmul" and not op.caller.is_sign:
        yield Tally(mm(op), "matrix product", WHY_MATMUL if is_broadcast(op) else "")
    elif op.name in ("aten.mm", "aten.bmm"):
        yield Tally(mm(op), "matrix product")
    elif op.name in ("aten.addmm", "aten.baddbmm"):
        yield Tally(addmm(op), "matrix product")
        if op.arg(3, "beta", 1) != 0:
            yield Tally(tensor(op, 0).numel, "matrix product", "1 per element of what is added")


def _elementwise(op: Operator) -> Iterator[Tally]:
    if is_elementwise(op):
        yield Tally(from_the_left(op), "elementwise", WHY_FROM_THE_LEFT)


def _unseen(op: Operator) -> str:
    if op.name == "aten.matmul":
        return "written as a sign, x @ y, which is not patched"
    return f"{op.short} is not patched, and outside of the layers that it has a rule for"


CONVENTION = Replica(
    "ptflops",
    "MACs and biases of one sample, 1 or 2 per element of norms, activations, pooling and softmax",
    lambda trace: chain(_from_layers(trace), _from_functions(trace)),
    trainable_parameters,
    _unseen,
    version="0.7.5",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "ptflops"
MODULE = "ptflops"

_UNSEEN_BATCH = "ptflops is given keyword arguments, in which it sees no batch to divide by"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC or an operation on an element. What modules count is divided by the batch, the rest is not."""
    hooked: Counter[str] = Counter()
    ledger = Ledger(model, _functional)
    with after_forward(model, lambda: _look(model, hooked, ledger)), ledger.following():
        total, params = complexity(model, args, kwargs, "ptflops", "pytorch")
    return Reading(
        "ptflops",
        total=total,
        params=params,
        layers=plainly({path: count + hooked[path] for path, count in ledger.charged.items()}),
        note=None if _alone(args, kwargs) else _UNSEEN_BATCH,
    )


def complexity(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], tool: str, backend: str, **more: Any
) -> tuple[Number, int]:
    """Its two numbers. It prints its errors and returns None; here they are raised."""
    from ptflops import get_model_complexity_info

    inputs = args[0] if _alone(args, kwargs) else by_name(model, args, kwargs, tool)
    quiet: dict[str, Any] = {"as_strings": False, "print_per_layer_stat": False, "verbose": False}
    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(StringIO()):
        total, params = get_model_complexity_info(
            model, (1,), input_constructor=lambda _: inputs, backend=backend, **quiet, **more
        )
    if total is None:
        raise errors.ProfileError(f"{tool} gave no number: {_reason(printed.getvalue())}")
    return plain(total), int(params)


def _alone(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether there is one positional argument, which it passes on as it is; a dict it takes for keywords."""
    return len(args) == 1 and not kwargs and not isinstance(args[0], dict)


def _reason(printed: str) -> str:
    error = re.search(r"<class '(?:\w+\.)*(\w+)'>: (.*)", printed)
    return f"{error[1]}: {error[2]}" if error else "no reason is given"


def _functional() -> Any:
    """What its patched functions have counted so far: each has the list that it appends to."""
    import torch
    from torch.nn import functional

    return sum(sum(getattr(patched, "collector", ())) for patched in (functional.relu, torch.matmul))


def _look(model: Any, charges: Counter[str], ledger: Ledger) -> None:
    """What its hooks have left on the modules: it does not look into one with a rule, and meets shared ones twice.

    The ledger is closed here, since what its functions have counted is gone when it returns.
    """
    by_id = paths(model)
    ledger.close()

    def walk(module: Any) -> None:
        path = by_id[id(module)]
        if not hasattr(module, "__flops__"):
            for child in module.children():
                walk(child)
            return
        charges[path] += module.__flops__ / model.__batch_counter__

    walk(model)
