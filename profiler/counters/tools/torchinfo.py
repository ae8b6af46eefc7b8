"""What does torchinfo 1.8.0 count, by `summary(model, ...)`? Its `total_mult_adds`, and its `total_params`.

Hooks on every module, and a line for each call. A line's count is made of the sizes of the module's parameters and of
its output, whatever it computes (torchinfo/layer_info.py, `calculate_macs`). Read there, and compared with what it
prints:

- Only modules without modules inside count. So attention counts nothing, nor do bare parameters of larger modules; an
  inside that is an empty `Sequential` is none.
- Each element of `weight` and `bias` counts once for the output's first dimension, which is taken for the batch: a
  linear layer's middle dimensions are missing, an embedding counts its whole table for every sample, and without a
  batch something else is taken for it.
- Where the class's name has "Conv", once for each position of the output: too large for transposed convolutions, by
  the stride's product.
- Any other parameter with "weight" or "bias" in its name counts for the output's first two dimensions: steps and batch
  of a recurrent layer, but batch and width of a recurrent cell.
- Parameters are those of the lines, where a module's first call counts; what is inside and is never called counts with
  the nearest module around it that is. A parameter that two modules hold counts in both, and a module under two
  parents up to three times, since a later call of it leaves the parent's own parameters as they are.

A pruned weight counts the ones in its mask, and our trace does not hold these: we count all, and the cross-check reads
the rest off the mask. An output that is a dict is taken by its last value; our trace does not tell a dict from a tuple,
and takes the first.

It is read from the lines of its summary, each of which is a call of a module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica, Weighing
from profiler.counters.replay.events import LayerCall, module_calls, registered
from profiler.counters.replay.hooks import children
from profiler.counters.replay.rules import in_ranks, kernel, layer_kind, why_reparametrised
from profiler.counters.running.modules import paths
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.records.trace import ModuleCall, Tensor, Trace, Value, Weight

if TYPE_CHECKING:
    from torch import nn

_EMPTY_IS_FALSE = {f"torch.nn.modules.container.{kind}" for kind in ("Sequential", "ModuleList", "ModuleDict")}


def _leaves(trace: Trace) -> list[bool]:
    """Whether each row's module has no module inside that is true to Python: an empty container is not."""
    inside = children(trace)

    def is_true(row: int) -> bool:
        return bool(inside[row]) or _EMPTY_IS_FALSE.isdisjoint(trace.modules[row].classes)

    return [not any(is_true(child) for child in inside[row]) for row in range(len(trace.modules))]


# Mult-adds ------------------------------------------------------------------------------------------------------------

_FAMILIES = {
    **dict.fromkeys(in_ranks("Conv"), "convolution"),
    **dict.fromkeys(in_ranks("ConvTranspose"), "transposed convolution"),
    "Linear": "linear",
    **dict.fromkeys(("RNN", "GRU", "LSTM"), "recurrent"),
    **dict.fromkeys(("RNNCell", "GRUCell", "LSTMCell"), "recurrent cell"),
    "Embedding": "embedding",
    **dict.fromkeys(in_ranks("BatchNorm"), "batch norm"),
    **dict.fromkeys(in_ranks("InstanceNorm"), "instance norm"),
    "LayerNorm": "layer norm",
    "GroupNorm": "group norm",
    "RMSNorm": "RMS norm",
}


def _charges(trace: Trace) -> Iterator[Charge]:
    is_leaf = _leaves(trace)
    for layer in module_calls(trace):
        if is_leaf[layer.module] and layer.weights:
            yield from _line(trace, layer)


def _line(trace: Trace, layer: LayerCall) -> Iterator[Charge]:
    """One charge for what multiplies, and one for the biases."""
    size = _size(layer.output)
    counts = {True: 0, False: 0}
    for name, weight in _distinct(trace, layer):
        counts["bias" in name] += weight.tensor.numel * _times(layer, name, size)
    family = _FAMILIES.get(layer_kind(layer.kind), "other layer")
    yield Charge(counts[False], layer.module, layer.calls, family, why_reparametrised(layer) or _why(layer))
    if counts[True]:
        yield Charge(counts[True], layer.module, layer.calls[:0], "bias", "1 for each time that the weights count")


def _distinct(trace: Trace, layer: LayerCall) -> Iterator[tuple[str, Weight]]:
    """The parameters of a module by name; one that it holds under two names, once, and a pruned one as it was."""
    met: set[int] = set()
    masks = {buffer.name for buffer in trace.buffers if buffer.module == layer.module}
    for name, weight in layer.weights.items():
        if weight.storage not in met or weight.same_as is None:
            stem = name.removesuffix("_orig")
            yield stem if f"{stem}_mask" in masks else name, weight
        met.add(weight.storage)


def _times(layer: LayerCall, name: str, size: tuple[int, ...]) -> int:
    """How often each element of a parameter counts."""
    if not size:
        return 0  # it fails on such an output
    if name in ("weight", "bias"):
        return size[0] * prod(size[2:]) if "Conv" in layer.kind.rpartition(".")[2] else size[0]
    return prod(size[:2]) if "weight" in name or "bias" in name else 0


def _size(output: Value) -> tuple[int, ...]:
    """The shape of the first tensor, where there is nothing else before it."""
    while isinstance(output, tuple) and output:
        output = output[0]
    return output.shape if isinstance(output, Tensor) else ()


_NORMS = "1 per element of scale and shift for each sample, not for each position"


def _why(layer: LayerCall) -> str:
    """Empty for the calls in which its count is the MACs: a batch comes first, and nothing stands between."""
    kind = layer_kind(layer.kind)
    if "Norm" in kind:
        return _NORMS
    if kind in in_ranks("ConvTranspose"):
        return "by its output's size, not its input's"
    if kind in in_ranks("Conv"):
        return "" if layer.x.ndim == len(kernel(layer)) + 2 else "without a batch, channels are taken for it"
    if kind == "Linear":
        return "" if layer.x.ndim == 2 else "for the first dimension alone, taken for the batch"
    if kind in ("RNN", "GRU", "LSTM"):
        is_plain = isinstance(layer.inputs[0], Tensor) and layer.x.ndim == 3
        return "" if is_plain else "for the output's first two dimensions"
    if kind in ("RNNCell", "GRUCell", "LSTMCell"):
        return "for each element of the new state, not for each sample"
    if kind == "Embedding":
        return "1 per element of the whole table for each sample"
    return "1 per element of a parameter for each sample, or position where it is a convolution by its name"


# Parameters -----------------------------------------------------------------------------------------------------------

_LESS = "never called, or called first elsewhere: counted with the module around it"
_MORE = "with what is inside and never called, and with what another module holds, too"


def _weighings(trace: Trace) -> Iterator[Weighing]:
    own, theirs = Counter[int](), Counter[int]()
    for weight in registered(trace):
        if weight.same_as is None:
            own[weight.module] += weight.tensor.numel
    for row, amount in _of_lines(trace, _lines(trace)):
        theirs[row] += amount
    for row in sorted({*own, *theirs}):
        yield Weighing(theirs[row], row, _LESS if theirs[row] < own[row] else _MORE)


def _of_lines(trace: Trace, lines: list[_Line]) -> Iterator[tuple[int, int]]:
    """Each line's own parameters: a leaf's are all that it has, and others have what the lines inside leave over."""
    is_leaf, sizes = _leaves(trace), _sizes(trace)
    left: dict[_Line, int] = {}
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if line in left:
            continue
        left[line] = sizes[line.row]
        for inner in lines[position + 1 :]:
            if inner.depth <= line.depth or is_leaf[line.row]:
                break
            left[line] -= 0 if inner.is_again else left[inner]
    for line in lines:
        if not line.is_again:
            yield line.row, max(left[line], 0)


def _sizes(trace: Trace) -> list[int]:
    """The parameters of each module and of all inside it, each once."""
    own: list[set[int]] = [set() for _ in trace.modules]
    for index, weight in enumerate(trace.parameters):
        if weight.registered:
            own[weight.module].add(index if weight.same_as is None else weight.same_as)
    inside = children(trace)

    def hold(row: int) -> set[int]:
        return own[row].union(*(hold(child) for child in inside[row]))

    return [sum(trace.parameters[index].tensor.numel for index in hold(row)) for row in range(len(own))]


# The lines of its summary ---------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Line:
    """A module in the summary: its row in the trace, and its place in the tree.

    is_again: whether the module has had a line before.
    """

    row: int
    depth: int
    parent: _Line | None
    is_again: bool = False

    def around(self) -> Iterator[_Line]:
        """What it stands in, from the nearest outwards, without the model itself."""
        line = self.parent
        while line is not None and line.depth:
            yield line
            line = line.parent


def _lines(trace: Trace) -> list[_Line]:
    """One for each module call, and one for a container that is around them unseen.

    A module that stands at several places has its lines at the last one; a later call of a module is marked, and so is
    a container whose line comes a second time (torchinfo/torchinfo.py, `apply_hooks`, `add_missing_container_layers`).
    """
    places, met = _places(trace), set[int]()
    lines: list[_Line] = []
    for row in _begun(trace):
        lines.append(_Line(row, places[row].depth, places[row].parent, row in met))
        met.add(row)
    _add_containers(lines, met)
    return lines


def _places(trace: Trace) -> dict[int, _Line]:
    """The last place of each module in a walk that goes into a shared one wherever it stands."""
    rows = {module.path: row for row, module in enumerate(trace.modules)}
    below: list[list[int]] = [[] for _ in trace.modules]
    for row, module in enumerate(trace.modules):
        if row:
            below[rows[module.path.rpartition(".")[0]]].append(row if module.same_as is None else module.same_as)
    places: dict[int, _Line] = {}
    waiting = [_Line(0, 0, None)]
    while waiting:
        place = waiting.pop()
        places[place.row] = place
        waiting += [_Line(row, place.depth + 1, place) for row in reversed(below[place.row])]
    return places


def _begun(trace: Trace) -> list[int]:
    """The modules called, in the order in which their calls began. A trace holds calls in the order of their ends."""
    ended: list[tuple[ModuleCall, list[int]]] = []
    for call in trace.module_calls:
        inside: list[int] = []
        while ended and _is_inside(trace, ended[-1][0], call):
            inside = ended.pop()[1] + inside
        ended.append((call, [call.module, *inside]))
    return [row for _, rows in ended for row in rows]


def _is_inside(trace: Trace, inner: ModuleCall, outer: ModuleCall) -> bool:
    """Whether a call that ended before another did so inside of it. Where no operator tells, their paths do."""
    if inner.first == inner.last == outer.first:
        path = trace.modules[outer.module].path
        return not path or trace.modules[inner.module].path.startswith(f"{path}.")
    return inner.first >= outer.first


def _add_containers(lines: list[_Line], met: set[int]) -> None:
    """Put the containers of each line before it, unless they are open already."""
    opened: dict[int, _Line] = {}
    position = 0
    while position < len(lines):
        line, at = lines[position], position
        around = {outer.depth: outer for outer in line.around()}
        for depth in range(1, line.depth):
            outer = around[depth]
            if (depth not in opened or opened[depth].row != outer.row) and outer is not lines[at - 1]:
                outer.is_again |= outer.row in met
                lines.insert(at, outer)
                met.add(outer.row)
                opened[depth] = outer
                at += 1
        opened[line.depth] = line
        for depth in [depth for depth in opened if depth > line.depth]:
            del opened[depth]
        position += 1


CONVENTION = Replica(
    "torchinfo",
    "mult-adds: the parameters of layers without layers inside, once a sample, or once a position in convolutions",
    _charges,
    _weighings,
    lambda op: "done by functions or bare parameters, or inside a module with modules inside",
    version="1.8.0",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "torchinfo"
MODULE = "torchinfo"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Mult-adds. What masks of pruned weights take away is told apart."""
    from torchinfo import summary

    if args:
        statistics = summary(model, input_data=list(args), verbose=0, **kwargs)
    else:
        statistics = summary(model, input_data=dict(kwargs), verbose=0)
    charges, weights = _by_module(model, statistics)
    total, params = plain(statistics.total_mult_adds), statistics.total_params
    whole_charges, whole_weights = _unmasked(model, statistics)
    return Reading(
        "torchinfo",
        total=total,
        params=params,
        layers=plainly(charges),
        layer_params=weights,
        asides=_asides(charges, whole_charges),
        param_asides=_asides(weights, whole_weights),
    )


def _by_module(model: nn.Module, statistics: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Its lines' mult-adds and parameters, by the paths of their modules."""
    by_id = paths(model)
    charges = dict.fromkeys(by_id.values(), 0)
    weights = dict.fromkeys(by_id.values(), 0)
    for line in statistics.summary_list:
        path = by_id[line.layer_id]
        if line.is_leaf_layer:
            charges[path] += line.macs
        if not line.is_recursive:
            weights[path] += max(line.num_params if line.is_leaf_layer else line.leftover_params(), 0)
    return charges, weights


_MASKED = "a pruned weight counts the ones in its mask"


def _unmasked(model: nn.Module, statistics: Any) -> tuple[dict[str, int], dict[str, int]]:
    """The same if no weight were pruned, as it counts itself. Fills the masks, and changes the lines."""
    masks = [mask for name, mask in model.named_buffers() if name.endswith("_mask")]
    if masks:
        for mask in masks:
            mask.fill_(1)
        for line in statistics.summary_list:
            line.calculate_num_params()
            if line.macs:
                line.macs = 0
                line.calculate_macs()
    return _by_module(model, statistics)


def _asides(masked: Mapping[str, int], whole: Mapping[str, int]) -> dict[str, dict[str, int]]:
    less = {path: count - whole[path] for path, count in masked.items() if count != whole[path]}
    return {_MASKED: less} if less else {}
