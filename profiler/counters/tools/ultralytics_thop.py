"""What does ultralytics-thop 2.2.3 count, by `profile(model, inputs)`? MACs, and some more per element.

A descendant of thop that has taken its import name. It is never a dependency of ours.

Hooks on modules, each by the rule of its nearest ancestor that has one, and a function mode that counts matrix products
made outside of them (thop/profile.py, `register_hooks` and `functional_hooks`; formulas in thop/vision/basic_hooks.py
and thop/rnn_hooks.py). Gradients are off, but the function mode keeps attention from its fast path. Every call counts
once, and every parameter. Read there, and compared with what it prints:

- As functions it knows `F.linear`, `matmul` and `@`, `bmm`, fused attention and `einsum` of two operands, and not
  convolutions, `mm`, `addmm` and `baddbmm`. Inside a module that has a rule, functions do not count.
- What a layer of its own class computes beside the class's rule is missing, such as a subclass's second product.
- `nn.MultiheadAttention` that is not asked for its weights does count added keys by the settings.
- `Upsample` counts 11 per element of the output where bilinear, and other guesses in other modes.
- `F.multi_head_attention_forward`, called by a model itself, has the rule of the layer.

It is given all arguments by their positions. What it says of each layer (`ret_layer_info`) contains what it says of the
layers inside, and is taken apart; products by functions are charged to the module that is running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.einsum import pairwise_product
from profiler.counters.replay.events import LayerCall, Operator, module_calls, operators
from profiler.counters.replay.rules import (
    Tally,
    addmm,
    attention,
    charged,
    each,
    exact_matmul,
    families,
    in_ranks,
    kernel,
    layer_kind,
    linear,
    mm,
    own_parameters,
    tensor,
    why_reparametrised,
)
from profiler.counters.running.modules import Ledger, by_position, paths
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.ops.lattice import adaptive_taps, window_taps
from profiler.records.trace import Tensor, Trace, Value, tensors

if TYPE_CHECKING:
    from torch import nn


def _inputs(layer: LayerCall) -> tuple[Value, ...]:
    """All arguments: the tool puts those that are passed by name behind the others, as `forward` has them."""
    return (*layer.inputs, *layer.named.values())


def _x(layer: LayerCall) -> Tensor:
    return next(tensors(_inputs(layer)))


# Layers ---------------------------------------------------------------------------------------------------------------


def _convolution(layer: LayerCall) -> Iterator[Tally]:
    """Every weight at every output position, or at every input position where the convolution is transposed."""
    size = kernel(layer)
    is_transposed = bool(layer.settings["transposed"])
    image, other = (_x(layer), layer.y) if is_transposed else (layer.y, _x(layer))
    family = "transposed convolution" if is_transposed else "convolution"
    channels = other.shape[-(len(size) + 1)] // layer.number("groups")
    yield Tally(image.numel * channels * prod(size), family)


def _linear(layer: LayerCall) -> Iterator[Tally]:
    yield Tally(layer.number("in_features") * layer.y.numel, "linear")


def _bilinear(layer: LayerCall) -> Iterator[Tally]:
    width = (layer.number("in1_features") + 1) * layer.number("in2_features")
    yield Tally(width * layer.y.numel, "bilinear", "both products")


_NORMS = {"LayerNorm": "layer norm", "GroupNorm": "group norm", "RMSNorm": "RMS norm"}


def _norm(layer: LayerCall) -> Iterator[Tally]:
    times = 4 if layer.settings.get("affine") or layer.settings.get("elementwise_affine") else 2
    family = _NORMS.get(layer_kind(_rule_class(layer)), "batch norm")
    if "torch.nn.modules.instancenorm._InstanceNorm" in layer.classes:
        family = "instance norm"
    yield Tally(times * _x(layer).numel, family, f"{times} per element")


def _prelu(layer: LayerCall) -> Iterator[Tally]:
    yield Tally(_x(layer).numel, "PReLU", "1 per element")


def _softmax(layer: LayerCall) -> Iterator[Tally]:
    kind, shape = layer_kind(layer.kind), _x(layer).shape
    dim = -3 if "torch.nn.modules.activation.Softmax2d" in layer.classes else layer.settings["dim"]
    if dim is None:
        dim = 0 if len(shape) in (0, 1, 3) else 1
    assert isinstance(dim, int)
    length = shape[dim] if shape else 1
    rows = prod(shape) // length if length else 0
    more = {"Softmin": prod(shape), "LogSoftmax": rows}.get(kind, 0)
    yield Tally(
        _softmax_of(rows, length) + more, "softmax", "3 per element, 1 less per row; more for a Softmin or a log"
    )


_PER_ROW = "3 per element, 1 less per row"


def _softmax_of(rows: int, length: int) -> int:
    return rows * (2 * length + max(length - 1, 0))


def _average_pool(layer: LayerCall) -> Iterator[Tally]:
    """The elements of every window, where a window may reach over the edge, and a division for each."""
    rank = int(layer_kind(_rule_class(layer))[-2])
    kernel = each(layer.settings["kernel_size"], rank)
    steps, pads = each(layer.settings["stride"], rank), each(layer.settings["padding"], rank)
    x, y = _x(layer), layer.y
    windows = 1
    for size, outputs, k, step, pad in zip(x.shape[-rank:], y.shape[-rank:], kernel, steps, pads, strict=True):
        inside, before = (size + 2 * pad, 0) if layer.settings["count_include_pad"] else (size, pad)
        windows *= window_taps(inside, outputs, k, step, before, dilation=1)
    yield Tally(prod(x.shape[:-rank]) * windows + y.numel, "average pooling", "1 per element of a window, and 1 more")


def _adaptive_pool(layer: LayerCall) -> Iterator[Tally]:
    windows = prod(adaptive_taps(size, outputs) for size, outputs in zip(_x(layer).shape, layer.y.shape, strict=True))
    yield Tally(windows + layer.y.numel, "adaptive average pooling", "1 per element of a window, and 1 more")


_MODES = {"linear": 5, "bilinear": 11, "trilinear": 31, "bicubic": 259}


def _upsample(layer: LayerCall) -> Iterator[Tally]:
    times = _MODES.get(str(layer.settings["mode"]), 0)
    yield Tally(times * layer.y.numel, "interpolation", f"{times} per element of the output")


# Products of a step: so many gates; and what it adds, so many times the hidden size.
_GATES = {"RNN": (1, 0), "GRU": (3, 4), "LSTM": (4, 4)}
_STATES = "gates and states"
_BIASES = "1 per bias and step"


def _recurrent(layer: LayerCall) -> Iterator[Tally]:
    gates, more = _GATES[layer_kind(_rule_class(layer))]
    size, hidden, layers = (layer.number(name) for name in ("input_size", "hidden_size", "num_layers"))
    projected = layer.settings.get("proj_size") or 0
    assert isinstance(projected, int)
    directions, width = 2 if layer.settings["bidirectional"] else 1, projected or hidden
    sizes = [size, *[directions * width] * (layers - 1)]
    steps = directions * _steps(layer)
    products = sum(gates * hidden * (size + width) + hidden * projected for size in sizes)
    yield Tally(steps * products, "recurrent")
    yield from _beside(layer, steps * layers * hidden, gates, more)


def _cell(layer: LayerCall) -> Iterator[Tally]:
    gates, more = _GATES[layer_kind(_rule_class(layer)).removesuffix("Cell")]
    hidden, x = layer.number("hidden_size"), _x(layer)
    steps = x.shape[0] if x.ndim == 2 else 1
    yield Tally(steps * gates * hidden * (layer.number("input_size") + hidden), "recurrent cell")
    yield from _beside(layer, steps * hidden, gates, more)


def _beside(layer: LayerCall, elements: int, gates: int, more: int) -> Iterator[Tally]:
    yield Tally(elements * (gates + more), "recurrent", _STATES)
    if layer.settings["bias"]:
        yield Tally(elements * 2 * gates, "bias", _BIASES)


def _steps(layer: LayerCall) -> int:
    first = _inputs(layer)[0]
    if isinstance(first, tuple):  # a packed sequence: as many steps as there are rows of data
        return next(tensors(first)).shape[0]
    x = _x(layer)
    return x.shape[0] if x.ndim == 2 else x.shape[0] * x.shape[1]


def _attention(layer: LayerCall) -> Iterator[Tally]:
    """Projections and both products, and the softmax."""
    out, *rest = list(tensors(layer.output))
    is_first = bool(layer.settings["batch_first"]) or out.ndim == 2
    lq = out.shape[-2] if is_first else out.shape[0]
    batch = 1 if out.ndim == 2 else out.shape[0 if is_first else 1]
    added = ("bias_k" in layer.weights) + bool(layer.settings["add_zero_attn"])
    keys = list(tensors(_inputs(layer)))[1]
    width, heads = layer.number("embed_dim"), layer.number("num_heads")
    attended = rest[0].shape[-1] if rest else keys.shape[-2 if is_first else 0] + added
    projections = width * (2 * lq * width + (attended - added) * (layer.number("kdim") + layer.number("vdim")))
    yield Tally(batch * (projections + 2 * lq * attended * width), "attention")
    rows = batch * heads * lq
    yield Tally(_softmax_of(rows, attended), "softmax", _PER_ROW)


def _nothing(layer: LayerCall) -> Iterator[Tally]:
    yield from ()


_Rule = Callable[[LayerCall], Iterator[Tally]]
_LAYERS: Mapping[str, _Rule] = {
    **dict.fromkeys([*in_ranks("Conv"), *in_ranks("ConvTranspose")], _convolution),
    **dict.fromkeys(["_NormBase", "LayerNorm", "GroupNorm", "RMSNorm"], _norm),
    "PReLU": _prelu,
    **dict.fromkeys(["Softmax", "LogSoftmax", "Softmin", "Softmax2d"], _softmax),
    **dict.fromkeys(in_ranks("AvgPool"), _average_pool),
    **dict.fromkeys(in_ranks("AdaptiveAvgPool"), _adaptive_pool),
    "Linear": _linear,
    "Bilinear": _bilinear,
    **dict.fromkeys(["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"], _upsample),
    **dict.fromkeys(["RNNCell", "GRUCell", "LSTMCell"], _cell),
    **dict.fromkeys(["RNN", "GRU", "LSTM"], _recurrent),
    "Embedding": _nothing,
    "MultiheadAttention": _attention,
}


def _rule_class(layer: LayerCall) -> str:
    """The nearest of a module's classes that has a rule; "" where none has."""
    return next((name for name in layer.classes if layer_kind(name) in _LAYERS), "")


def _from_layers(layer: LayerCall) -> Iterator[Charge]:
    for charge in charged(_LAYERS[layer_kind(_rule_class(layer))](layer), layer.module, layer.calls):
        yield charge._replace(why=charge.why or why_reparametrised(layer))


# Functions ------------------------------------------------------------------------------------------------------------


def _einsum(op: Operator) -> int:
    return pairwise_product(str(op.args[0]), [operand.shape for operand in tensors(op.args[1])])


def _why_einsum(op: Operator) -> str:
    if len(list(tensors(op.args[1]))) != 2:
        return "only two operands are counted"
    operands, arrow, result = str(op.args[0]).replace(" ", "").partition("->")
    left, right = (set(letters) for letters in operands.split(","))
    is_contracted = not arrow or bool((left & right) - {"."} - set(result))
    return "" if is_contracted else "1 per element of what two operands share or keep"


_FUNCTIONS = families(
    ("linear", ("linear",), linear, ""),
    ("matrix product", ("matmul", "bmm"), exact_matmul, ""),
    ("attention", ("scaled_dot_product_attention",), attention, ""),
    ("einsum", ("einsum",), _einsum, _why_einsum),
)


# `F.multi_head_attention_forward` has the rule of the layer, which is what it multiplies, and its softmax.
_INSIDE_ATTENTION = families(
    ("attention", ("linear",), linear, ""),
    ("attention", ("bmm",), mm, ""),
    ("attention", ("baddbmm",), addmm, ""),
    ("attention", ("scaled_dot_product_attention",), attention, ""),
)


def _attention_by_function(op: Operator) -> Iterator[Charge]:
    if op.name in _INSIDE_ATTENTION:
        yield _INSIDE_ATTENTION[op.name].charge(op)
    if op.short in ("softmax", "scaled_dot_product_attention"):
        rows = tensor(op, 0).numel // tensor(op, 0).shape[-1]
        length = tensor(op, 0).shape[-1] if op.short == "softmax" else tensor(op, 1).shape[-2]
        yield Charge(_softmax_of(rows, length), op.module, op.calls[:0], "softmax", _PER_ROW)


def _from_functions(trace: Trace, counted: set[int]) -> Iterator[Charge]:
    """Those that no layer's rule stands for, and that no other function of torch calls."""
    for op in operators(trace):
        way = set(op.caller.functions)
        if not counted.isdisjoint(op.calls):
            continue
        if "multi_head_attention_forward" in way:
            yield from _attention_by_function(op)
        elif op.name in _FUNCTIONS and way <= {"einsum"}:
            yield _FUNCTIONS[op.name].charge(op)


def _charges(trace: Trace) -> Iterator[Charge]:
    counted: set[int] = set()
    for layer in module_calls(trace):
        if _rule_class(layer):
            counted.update(layer.calls)
            yield from _from_layers(layer)
    yield from _from_functions(trace, counted)


CONVENTION = Replica(
    "ultralytics-thop",
    "MACs of layers and matrix products, 2 or 4 per element of norms, and pooling, softmax and upsampling",
    _charges,
    own_parameters,
    lambda op: f"{op.short} is not among its functions, and outside of the layers that it has a rule for",
    version="2.2.3",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "ultralytics-thop"
MODULE = "thop"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs and operations on elements."""
    from thop import profile

    inputs = by_position(model, args, kwargs, DISTRIBUTION)
    ledger = Ledger(model, _functional)
    with ledger.following():
        total, params, inside = profile(model, inputs=inputs, verbose=False, ret_layer_info=True)
    for path, count in _by_rules(model, inside).items():
        ledger.charged[path] += count
    ledger.charged[""] += total - sum(ledger.charged.values())  # by the model's own rule
    weights = dict.fromkeys(ledger.charged, 0)
    for name, parameter in model.named_parameters():
        weights[name.rpartition(".")[0]] += parameter.numel()
    return Reading(
        DISTRIBUTION,
        total=plain(total),
        params=int(params),
        layers=plainly(ledger.charged),
        layer_params=weights if sum(weights.values()) == params else None,
    )


def _functional() -> float:
    """What its function mode has counted so far."""
    from torch.overrides import _get_current_function_mode_stack

    states = [getattr(mode, "state", None) for mode in _get_current_function_mode_stack()]
    return next((state["ops"] for state in states if isinstance(state, dict) and "ops" in state), 0)


def _by_rules(model: nn.Module, inside: Any) -> dict[str, float]:
    """What its rules charge to each module but the model itself, which is in its total alone.

    `inside` is `{child: (ops, params, inside)}`, and a child's ops contain its children's, unless another parent
    has them already: its walk is repeated here to know which.
    """
    by_id = paths(model)
    charges: dict[str, float] = {}
    added: set[int] = set()

    def walk(module: nn.Module, listed: Any) -> float:
        total = 0.0
        for name, child in module.named_children():
            ops, _, deeper = listed[name]
            charges[by_id[id(child)]] = ops - walk(child, deeper)
            if id(child) not in added:
                added.add(id(child))
                total += ops
        return total

    walk(model, inside)
    return charges
