"""What does thop 0.1.1.post2209072238 count, by `profile(model, inputs)`? MACs, and some more per element.

Hooks on modules of exactly the classes it has a rule for (thop/profile.py, `register_hooks`; formulas in
thop/vision/calc_func.py and thop/rnn_hooks.py). Functions, operators such as `@`, `nn.MultiheadAttention` and
subclasses are not counted, nor are the parameters of modules without a rule or without a call. Read there, and compared
with what it prints:

- A transposed convolution is counted by its output's size instead of its input's, and with its input channels: too
  large by the stride's product.
- A module that has a rule hides what is inside it. `Sequential` and `ModuleList` are looked into.
- A module that stands at several paths is counted at each, all its calls each time; and it is hooked once for each
  parent, so that a call counts several times.

It is given all arguments by their positions. What it says of each layer (`ret_layer_info`) contains what it says of the
layers inside, and is taken apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.counters.convention import Charge, Replica, Weighing
from profiler.counters.replay.events import LayerCall, registered
from profiler.counters.replay.hooks import visits
from profiler.counters.replay.rules import by_module, in_ranks, kernel, layer_kind, layers
from profiler.counters.running.modules import by_position, paths
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.records.trace import Trace, tensors

if TYPE_CHECKING:
    from torch import nn


def _convolution(layer: LayerCall) -> int:
    """The second dimension of the input is taken for its channels, also where there is no batch."""
    return layer.y.numel * (layer.x.shape[1] // layer.number("groups")) * prod(kernel(layer))


def _why_convolution(layer: LayerCall) -> str:
    is_batched = layer.x.ndim == len(kernel(layer)) + 2
    return "" if is_batched else "without a batch, the height is taken for the channels"


def _linear(layer: LayerCall) -> int:
    return layer.y.numel * layer.number("in_features")


def _norm(layer: LayerCall) -> int:
    is_affine = layer.settings.get("affine") or layer.settings.get("elementwise_affine")
    return layer.x.numel * (4 if is_affine else 2)


def _why_norm(layer: LayerCall) -> str:
    return f"{_norm(layer) // max(layer.x.numel, 1)} per element"


def _softmax(layer: LayerCall) -> int:
    dim = layer.settings["dim"]
    length = layer.x.shape[dim if isinstance(dim, int) else 0]  # it fails where there is none
    return layer.x.numel // length * (3 * length - 1)


def _adaptive_pool(layer: LayerCall) -> int:
    """The windows' size is the quotient of the sizes, a broken number where they do not divide."""
    window = 1.0
    for size, target in zip(layer.x.shape[2:], layer.y.shape[2:], strict=True):
        window *= size / target
    return int((window + 1) * layer.y.numel)


def _upsample(layer: LayerCall) -> int:
    return layer.y.numel * {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}.get(
        str(layer.settings["mode"]), 0
    )


# A step of one sample: gates·hidden·(in + hidden + 1, and 2 more where there are biases), and so many times hidden.
_GATES = {"RNN": (1, 0), "GRU": (3, 4), "LSTM": (4, 4)}


def _step(kind: str, size: int, hidden: int, bias: bool) -> int:
    gates, more = _GATES[kind]
    return gates * hidden * (size + hidden + (3 if bias else 1)) + more * hidden


def _cell(layer: LayerCall) -> int:
    kind = layer.kind.rpartition(".")[2].removesuffix("Cell")
    step = _step(kind, layer.number("input_size"), layer.number("hidden_size"), bool(layer.settings["bias"]))
    return layer.x.shape[0] * step


def _recurrent(layer: LayerCall) -> int:
    """A packed batch counts as if every sequence were as long as the longest; projections are not known."""
    kind = layer.kind.rpartition(".")[2]
    size, hidden, layers = (layer.number(name) for name in ("input_size", "hidden_size", "num_layers"))
    bias, directions = bool(layer.settings["bias"]), 2 if layer.settings["bidirectional"] else 1
    later = _step(kind, directions * hidden, hidden, bias)
    spent = directions * (_step(kind, size, hidden, bias) + (layers - 1) * later)
    return spent * _steps(layer)


def _steps(layer: LayerCall) -> int:
    if isinstance(layer.inputs[0], tuple):  # a packed sequence: data, and how many samples there are at each step
        batch_sizes = list(tensors(layer.inputs[0]))[1]
        state = list(tensors(layer.output))[-1]
        return batch_sizes.shape[0] * state.shape[1]
    return prod(layer.x.shape[:2])


_GATES_TOO = "gates, states and biases beside the products"
# Layers that count nothing, and are known all the same: their parameters are counted.
_FREE = (
    *("ZeroPad2d", "ReLU", "ReLU6", "LeakyReLU", "Dropout", "PixelShuffle"),
    *in_ranks("MaxPool"),
    *in_ranks("AdaptiveMaxPool"),
)

_RULES = layers(
    ("convolution", in_ranks("Conv"), _convolution, _why_convolution),
    ("transposed convolution", in_ranks("ConvTranspose"), _convolution, "by its output's size, not its input's"),
    ("linear", ("Linear",), _linear, ""),
    ("batch norm", (*in_ranks("BatchNorm"), "SyncBatchNorm"), _norm, _why_norm),
    ("instance norm", in_ranks("InstanceNorm"), _norm, _why_norm),
    ("layer norm", ("LayerNorm",), _norm, _why_norm),
    ("PReLU", ("PReLU",), lambda layer: layer.x.numel, "1 per element"),
    ("softmax", ("Softmax",), _softmax, "3 per element, 1 less per row"),
    ("average pooling", in_ranks("AvgPool"), lambda layer: layer.y.numel, "1 per element of the output"),
    (
        "adaptive average pooling",
        in_ranks("AdaptiveAvgPool"),
        _adaptive_pool,
        "its window and 1 per element of the output",
    ),
    (
        "upsampling",
        ("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
        _upsample,
        "1 (nearest), 5 (linear), 11 (bilinear) or 259 (bicubic) per element of the output",
    ),
    ("recurrent cell", ("RNNCell", "GRUCell", "LSTMCell"), _cell, _GATES_TOO),
    ("recurrent", ("RNN", "GRU", "LSTM"), _recurrent, _GATES_TOO),
)


def _hides(kind: str) -> bool:
    """Whether a module of this kind is known, and not looked into."""
    return kind in _RULES or kind in _FREE


def _charges(trace: Trace) -> Iterator[Charge]:
    hooked, counted = Counter(visits(trace)), Counter(visits(trace, _hides))
    for charge in by_module(trace, _RULES):
        if charge.module and not counted[charge.module]:
            continue
        yield charge
        again = hooked[charge.module] * max(counted[charge.module], 1) - 1
        if again and charge.amount:
            yield Charge(again * charge.amount, charge.module, charge.calls[:0], charge.family, _AGAIN)


_AGAIN = "a module that stands at several paths counts again for each"


def _weighings(trace: Trace) -> Iterator[Weighing]:
    """Only modules that have a rule and were called have parameters, and never the model itself."""
    called = {call.module for call in trace.module_calls}
    counted = Counter(visits(trace, _hides))
    sizes: Counter[int] = Counter()
    for weight in registered(trace):
        sizes[weight.module] += weight.tensor.numel
    for row, size in sizes.items():
        kind = layer_kind(trace.modules[row].classes[0])
        if not (row and _hides(kind)):
            yield Weighing(0, row, f"a {kind} has no rule" if row else "the model itself is not looked at")
        elif row not in called:
            yield Weighing(0, row, "a module that is never called counts nothing")
        else:
            yield Weighing(
                size * counted[row], row, "a module or parameter that stands at several paths counts at each"
            )


CONVENTION = Replica(
    "thop",
    "MACs of the layers it knows, 2 or 4 per element of norms, and some pooling, softmax and upsampling",
    _charges,
    _weighings,
    lambda op: "outside of the layers that it has a rule for",
    version="0.1.1",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "thop"
MODULE = "thop"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs and operations on elements."""
    inputs = by_position(model, args, kwargs, "thop")
    total, params, inside = _imported()(model, inputs=inputs, verbose=False, ret_layer_info=True)
    charges = dict.fromkeys(paths(model).values(), 0.0)
    weights = dict.fromkeys(charges, 0.0)
    _charge(model, (total, params, inside), paths(model), charges, weights)
    return Reading(
        "thop",
        total=plain(total),
        params=int(params),
        layers=plainly(charges),
        layer_params={path: int(count) for path, count in weights.items()},
    )


def _imported() -> Any:
    """The function; it needs a package that Python has no more."""
    try:
        from thop import profile
    except ModuleNotFoundError as error:
        if error.name != "distutils":
            raise
        raise _counter_needs_distutils("thop") from None
    return profile


def _charge(
    module: nn.Module, listed: Any, by_id: Mapping[int, str], charges: dict[str, float], weights: dict[str, float]
) -> None:
    """What it says of a module is `(ops, params, {child: ...})`, the children's included where they are listed.

    A module that two others share is listed by both, and stands in the total twice.
    """
    ops, params, inside = listed
    for name, child in module.named_children():
        if name in inside:
            ops, params = ops - inside[name][0], params - inside[name][1]
            _charge(child, inside[name], by_id, charges, weights)
    charges[by_id[id(module)]] += ops
    weights[by_id[id(module)]] += params


# What is said ---------------------------------------------------------------------------------------------------------


def _counter_needs_distutils(tool: str) -> errors.ProfileError:
    return errors.ProfileError(f"{tool} imports distutils, which Python has no more since 3.12; pip install setuptools")
