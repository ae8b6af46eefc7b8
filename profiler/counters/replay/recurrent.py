"""What do tools with hooks count for a recurrent layer? Products, gates and states, and biases, of every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from profiler.counters.replay.events import LayerCall
from profiler.counters.replay.rules import Tally, layer_kind
from profiler.records.trace import Weight

_LAYERS, _CELLS = ("RNN", "GRU", "LSTM"), ("RNNCell", "GRUCell", "LSTMCell")
KINDS = (*_LAYERS, *_CELLS)
# What a step adds to its products, so many times the hidden size.
_GATES = {"RNN": 1, "GRU": 7, "LSTM": 10}


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a call, of all samples and directions; `ends` of its parameters' names tell its layers apart."""

    layer: LayerCall
    number: int
    ends: tuple[str, ...]
    why: str = ""

    def weights(self, *names: str) -> Iterator[Weight]:
        """Of the forward direction, which stands for both."""
        own = self.layer.weights
        yield from (own[f"{name}{end}"] for name in names for end in self.ends if f"{name}{end}" in own)

    def elements(self, *names: str) -> int:
        return sum(weight.tensor.numel for weight in self.weights(*names))


def steps_of(layer: LayerCall) -> Steps | None:
    """The first two dimensions are taken for batch and steps, of a cell the first. None of another kind of layer."""
    kind = layer_kind(layer.kind)
    if kind in _CELLS:
        return Steps(layer, layer.x.shape[0], ("",))
    if kind not in _LAYERS:
        return None
    number = prod(layer.x.shape[:2]) * (2 if layer.settings["bidirectional"] else 1)
    ends = tuple(f"_l{depth}" for depth in range(layer.number("num_layers")))
    if layer.x.ndim != 3:
        return Steps(layer, number, ends, "its width is taken for steps")
    return Steps(layer, number, ends, "projections are left out" if layer.settings.get("proj_size") else "")


def tallies(steps: Steps, per_mac: int = 1, family: str = "recurrent") -> Iterator[Tally]:
    """per_mac: what the tool counts for one. family: that of the products."""
    gates = _GATES[layer_kind(steps.layer.kind).removesuffix("Cell")] * steps.layer.number("hidden_size")
    yield Tally(per_mac * steps.number * steps.elements("weight_ih", "weight_hh"), family, steps.why)
    yield Tally(steps.number * len(steps.ends) * gates, "recurrent", "gates and states")
    yield Tally(steps.number * steps.elements("bias_ih", "bias_hh"), "bias", "1 per bias and step")
