"""ptflops 0.7.5, `get_model_complexity_info(model, ...)` with its default backend, "pytorch".

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
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from profiler import errors
from profiler.counters.convention import Charge, Replica, Weighing
from profiler.counters.replay.cpu import all_hooked, fast_path_calls
from profiler.counters.replay.events import Made, Operator, module_calls, operators
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
from profiler.counters.replay.rules import (
    GATES,
    addmm,
    held,
    in_ranks,
    is_broadcast,
    kernel,
    layer_kind,
    mm,
    remade,
    tensor,
    trainable_parameters,
)
from profiler.counters.running.modules import Ledger, after_forward, by_name, paths
from profiler.counters.running.reading import Number, Reading, plain, plainly
from profiler.records.trace import Tensor, Trace, Value, tensors

if TYPE_CHECKING:
    from torch import nn


class _Term(NamedTuple):
    """What a layer or a function counts. `why` is empty where that is our MACs."""

    amount: int | Fraction
    family: str
    why: str = ""


# Layers ---------------------------------------------------------------------------------------------------------------

_PER_BIAS = "1 per element of the output"
_AS_LAYER = "1 per element, as a layer"


def _convolution(made: Made, family: str = "convolution", more_per_weight: int = 0) -> Iterator[_Term]:
    size, x, y = kernel(made), made.x, made.y
    image = x if "Transpose" in made.kind else y
    positions = x.shape[0] * prod(image.shape[2:]) * prod(size)
    per_position = made.number("in_channels") * (made.number("out_channels") // made.number("groups"))
    is_batched = x.ndim == len(size) + 2
    yield _Term(positions * per_position, family, "" if is_batched else "its first dimension is taken for a batch")
    if more_per_weight:
        yield _Term(positions * more_per_weight, family, "offsets and interpolation")
    if "bias" in made.weights:
        yield _Term(x.shape[0] * prod(y.shape[1:]), "bias", _PER_BIAS)


def _transposed(made: Made) -> Iterator[_Term]:
    return _convolution(made, "transposed convolution")


def _deformable(made: Made) -> Iterator[_Term]:
    """24 per kernel position for a point's coordinates and its interpolation, 1 more for a mask."""
    has_mask = len(made.inputs) == 3 and made.inputs[2] is not None
    return _convolution(made, "deformable convolution", 25 if has_mask else 24)


def _linear(made: Made) -> Iterator[_Term]:
    rows = prod(made.x.shape[:-1])
    yield _Term(rows * made.x.shape[-1] * made.y.shape[-1], "linear")
    if "bias" in made.weights:
        yield _Term(rows * made.y.shape[-1], "bias", _PER_BIAS)


def _norm(family: str) -> Callable[[Made], Iterator[_Term]]:
    def count(made: Made) -> Iterator[_Term]:
        times = 2 if made.settings.get("affine") else 1
        yield _Term(times * made.x.numel, family, f"{times} per element")

    return count


def _outputs(made: Made) -> Iterator[_Term]:
    yield _Term(made.y.numel, "activation", _AS_LAYER)


def _inputs(made: Made) -> Iterator[_Term]:
    yield _Term(made.x.numel, "pooling", _AS_LAYER)


def _upsample(made: Made) -> Iterator[_Term]:
    yield _Term(prod(made.y.shape[1:]), "interpolation", "1 per element of one sample's output, as a layer")


def _cell(made: Made) -> Iterator[_Term]:
    steps = made.x.shape[0]
    yield _Term(steps * held(made, "weight_ih", "weight_hh"), "recurrent cell")
    yield from _gates(made, steps, [""])


def _recurrent(made: Made) -> Iterator[_Term]:
    layers = [f"_l{layer}" for layer in range(made.number("num_layers"))]
    steps = prod(made.x.shape[:2]) * (2 if made.settings["bidirectional"] else 1)
    products = steps * sum(held(made, f"weight_ih{layer}", f"weight_hh{layer}") for layer in layers)
    if made.x.ndim != 3:
        why = "its width is taken for steps"
    else:
        why = "projections are left out" if made.settings.get("proj_size") else ""
    yield _Term(products, "recurrent", why)
    yield from _gates(made, steps, layers)


def _gates(made: Made, steps: int, layers: list[str]) -> Iterator[_Term]:
    kind = layer_kind(made.kind).removesuffix("Cell")
    hidden = made.number("hidden_size")
    yield _Term(steps * len(layers) * GATES[kind] * hidden, "recurrent", "gates and states")
    biases = sum(held(made, f"bias_ih{layer}", f"bias_hh{layer}") for layer in layers)
    yield _Term(steps * biases, "bias", "1 per bias and step")


def _attention(made: Made) -> Iterator[_Term]:
    """`nn.MultiheadAttention`. It fails where other arguments than query, key and value are positional."""
    if len(made.inputs) != 3 or made.x.ndim != 3:
        return
    lengths_at = 1 if made.settings["batch_first"] else 0
    query, key, value = list(tensors(made.inputs))
    batch, heads = query.shape[1 - lengths_at], made.number("num_heads")
    (lq, lk, lv), (eq, ek, ev) = ([t.shape[at] for t in (query, key, value)] for at in (lengths_at, 2))
    projections = lq * eq * eq + lk * ek * ek + lv * ev * ev + lq * ev * ev
    products = heads * lq * lk * (eq // heads + ev // heads)
    is_plain = eq == ek == ev and "bias_k" not in made.weights and not made.settings["add_zero_attn"]
    why = "" if is_plain else "projections are taken for square, and keys that the layer adds are left out"
    yield _Term(batch * (projections + products), "attention", why)
    yield _Term(batch * (lq * eq + heads * lq * lk), "attention", "1 per element of the query and of the softmax")
    biases = (lq + lk + lv) * eq if "in_proj_bias" in made.weights else 0
    yield _Term(batch * (biases + lq * ev), "bias", _PER_BIAS)


def _timm_attention(made: Made) -> Iterator[_Term]:
    """Its two linear layers are not looked at."""
    batch, length, _ = made.x.shape
    heads, width = made.number("num_heads"), made.number("head_dim")
    yield _Term(batch * heads * 2 * length * length * width, "attention")
    yield _Term(batch * heads * (length * width + length * length), "attention", "1 per element of query and softmax")


_Rule = Callable[[Made], Iterator[_Term]]


def _table(*rules: tuple[_Rule, Iterable[str]]) -> dict[str, _Rule]:
    return {kind: rule for rule, kinds in rules for kind in kinds}


_LAYERS = _table(
    (_convolution, in_ranks("Conv")),
    (_transposed, in_ranks("ConvTranspose")),
    (_deformable, ["torchvision.ops.deform_conv.DeformConv2d"]),
    (_linear, ["Linear"]),
    (_norm("batch norm"), in_ranks("BatchNorm")),
    (_norm("instance norm"), in_ranks("InstanceNorm")),
    (_norm("group norm"), ["GroupNorm"]),
    (_norm("layer norm"), ["LayerNorm"]),
    (_outputs, ["ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU"]),
    (_inputs, [kind for name in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for kind in in_ranks(f"{name}Pool")]),
    (_upsample, ["Upsample"]),
    (_recurrent, ["RNN", "GRU", "LSTM"]),
    (_cell, ["RNNCell", "GRUCell", "LSTMCell"]),
    (_attention, ["MultiheadAttention"]),
    (_timm_attention, ["timm.layers.attention.Attention", "timm.models.vision_transformer.Attention"]),
)
_HIDDEN = "inside a layer that is counted as a whole"
_AGAIN = "a module that stands under several parents counts again for each"


def _from_layers(trace: Trace) -> Iterator[Charge]:
    times = Counter(visits(trace, _LAYERS.__contains__, opens_model=False))
    batch = _batch(trace)
    for made in module_calls(trace):
        rule = _LAYERS.get(layer_kind(made.kind))
        if rule is None:
            continue
        calls = made.calls
        for term in rule(made):
            if not times[made.row]:
                yield Charge(0, made.row, calls, term.family, _HIDDEN)
                break
            why = ", ".join(filter(None, (term.why or remade(made), "divided by the batch" if batch != 1 else "")))
            amount = Fraction(term.amount, batch)
            yield Charge(amount, made.row, calls, term.family, why)
            calls = calls[:0]
            if times[made.row] > 1 and amount:
                yield Charge((times[made.row] - 1) * amount, made.row, calls, term.family, _AGAIN)


def _batch(trace: Trace) -> int:
    """Over all calls of the model, the length of its only argument, or 1."""
    found = 0
    for made in module_calls(trace):
        if not made.row:
            alone = made.inputs[0] if len(made.inputs) == 1 and not made.named else None
            found += 1 if _is_dict(trace, alone) else _length(alone)
    return max(found, 1)


def _is_dict(trace: Trace, alone: Value) -> bool:
    """Whether the only argument is a dict of tensors, whose keys are their names: it has to be passed by its name."""
    return (
        isinstance(alone, tuple)
        and all(isinstance(value, Tensor) for value in alone)
        and all(given.name is not None for given in trace.inputs)
    )


def _length(value: Value) -> int:
    """A tensor's first dimension; of several tensors in one argument, their number."""
    if isinstance(value, Tensor) and value.ndim:
        return value.shape[0]
    return len(value) if isinstance(value, tuple) else 1


# Functions ------------------------------------------------------------------------------------------------------------

_AS_FUNCTION = "1 per element, as a function"
_FAMILIES = {
    **dict.fromkeys(("relu", "prelu", "elu", "relu6", "gelu", "silu"), "activation"),
    **dict.fromkeys(POOLS, "pooling"),
    "softmax": "softmax",
    "interpolate": "interpolation",
    "upsample": "interpolation",
}


def _from_functions(trace: Trace) -> Iterator[Charge]:
    fast, counted = fast_path_calls(trace, True, all_hooked), _counted_calls(trace)
    for op in operators(trace):
        if op.calls.start in fast:
            continue
        calls = op.calls[:0] if counted.issuperset(op.calls) else op.calls
        settings = dict(trace.modules[op.module].attributes)
        for term in (*_passed(op, settings), *_products(op), *_elementwise(op)):
            again = term.why or "the products inside a layer that has a rule, as functions"
            yield Charge(term.amount, op.module, calls, term.family, term.why if calls else again)
            calls = calls[:0]


def _counted_calls(trace: Trace) -> set[int]:
    """The calls that a layer's rule stands for."""
    found: set[int] = set()
    for made in module_calls(trace):
        if layer_kind(made.kind) in _LAYERS:
            found.update(made.calls)
    return found


def _passed(op: Operator, settings: Mapping[str, Value]) -> Iterator[_Term]:
    """Of the patched functions on the way to an operator, each counts."""
    for function in functions_to(op):
        if function in _FAMILIES:
            family = _FAMILIES[function]
            count = (
                _interpolated(op, settings.get("scale_factor")) if family == "interpolation" else tensor(op, 0).numel
            )
            yield _Term(count, family, _AS_FUNCTION)


def _interpolated(op: Operator, given: Value) -> int | Fraction:
    """The output's size; by the scale factors where there are some, which need not give a whole number.

    given: what a layer has for a scale factor.
    """
    scales = given if isinstance(given, (int, float)) else next((a for a in op.args[2:] if isinstance(a, tuple)), None)
    if scales is None or (op.arg(1, "output_size") is not None and given is None):
        return op.out.numel
    if isinstance(scales, (int, float)):
        return tensor(op, 0).numel * Fraction(scales) ** (op.out.ndim - 2)
    factors = [Fraction(scale) for scale in scales if isinstance(scale, (int, float))]
    if isinstance(given, tuple) or len(set(factors)) > 1:
        factors = [Fraction(int(factor)) for factor in factors]
    return tensor(op, 0).numel * prod(factors)


def _products(op: Operator) -> Iterator[_Term]:
    if not is_met(op):
        return
    if op.name == "aten.matmul" and not op.caller.is_sign:
        yield _Term(mm(op), "matrix product", WHY_MATMUL if is_broadcast(op) else "")
    elif op.name in ("aten.mm", "aten.bmm"):
        yield _Term(mm(op), "matrix product")
    elif op.name in ("aten.addmm", "aten.baddbmm"):
        yield _Term(addmm(op), "matrix product")
        if op.arg(3, "beta", 1) != 0:
            yield _Term(tensor(op, 0).numel, "matrix product", "1 per element of what is added")


def _elementwise(op: Operator) -> Iterator[_Term]:
    if is_elementwise(op):
        yield _Term(from_the_left(op), "elementwise", WHY_FROM_THE_LEFT)


def _charges(trace: Trace) -> Iterator[Charge]:
    yield from _from_layers(trace)
    yield from _from_functions(trace)


def _weighings(trace: Trace) -> Iterator[Weighing]:
    return trainable_parameters(trace)


def _unseen(op: Operator) -> str:
    if op.name == "aten.matmul":
        return "written as a sign, x @ y, which is not patched"
    return f"{op.short} is not patched, and outside of the layers that it has a rule for"


CONVENTION = Replica(
    "ptflops",
    "MACs and biases of one sample, 1 or 2 per element of norms, activations, pooling and softmax",
    _charges,
    _weighings,
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

    given = args[0] if _alone(args, kwargs) else by_name(model, args, kwargs, tool)
    quiet: dict[str, Any] = {"as_strings": False, "print_per_layer_stat": False, "verbose": False}
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(StringIO()):
        total, params = get_model_complexity_info(
            model, (1,), input_constructor=lambda _: given, backend=backend, **quiet, **more
        )
    if total is None:
        raise _counter_failed(tool, _reason(said.getvalue()))
    return plain(total), int(params)


def _alone(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether there is one positional argument, which it passes on as it is; a dict it takes for keywords."""
    return len(args) == 1 and not kwargs and not isinstance(args[0], dict)


def _reason(said: str) -> str:
    found = re.search(r"<class '(?:\w+\.)*(\w+)'>: (.*)", said)
    return f"{found[1]}: {found[2]}" if found else "no reason is given"


def _functional() -> Any:
    """What its patched functions have counted so far: each has the list that it appends to."""
    import torch
    from torch.nn import functional

    return sum(sum(getattr(patched, "collector", ())) for patched in (functional.relu, torch.matmul))


def _look(model: Any, charges: Counter[str], ledger: Ledger) -> None:
    """What its hooks have left on the modules: it does not look into one with a rule, and meets shared ones twice.

    The ledger is closed here, since what its functions have counted is gone when it returns.
    """
    known = paths(model)
    ledger.close()

    def walk(module: Any) -> None:
        path = known[id(module)]
        if not hasattr(module, "__flops__"):
            for child in module.children():
                walk(child)
            return
        charges[path] += module.__flops__ / model.__batch_counter__

    walk(model)


# What is said ---------------------------------------------------------------------------------------------------------


def _counter_failed(tool: str, said: str) -> errors.ProfileError:
    """A counter that swallows its errors."""
    return errors.ProfileError(f"{tool} gave no number: {said}")
