"""How are recurrent layers and their cells described, and which parameters should they have?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiler.ops.cost import Count, Factors
from profiler.ops.layers.kind import Names, Parameters, SettingError, Settings, joined, kind, torch_nn

_GATES: Mapping[str, Factors] = {"LSTM": (("4", 4),), "GRU": (("3", 3),), "RNN_TANH": (), "RNN_RELU": ()}


@dataclass(frozen=True, slots=True)
class _Cell:
    """Each gate is one linear layer on the input and one on the state. torch, after cuDNN, gives both a bias."""

    gates: Factors
    hidden: tuple[str, int]
    state: tuple[str, int]
    has_bias: bool

    def count(self, copies: Factors, inputs: Factors) -> Count:
        gates = (*copies, *self.gates, self.hidden)
        biases = ((*copies, ("2", 2), *self.gates, self.hidden),) if self.has_bias else ()
        projection = ((*copies, self.hidden, self.state),) if self.state != self.hidden else ()
        return Count(((*gates, *inputs), (*gates, self.state), *biases, *projection))


def _layers(a: Settings, names: Names) -> Count:
    """L layers, in D = 2 directions if bidirectional, each one cell.

    The first layer takes the input, a deeper one the states of all directions below. The state has H elements, or,
    in an LSTM with a projection (Sak et al. 2014, arXiv:1402.1128), R.
    """
    mode = a.text("mode")
    if mode not in _GATES:
        raise SettingError("mode")
    hidden, projection = ("H", a.number("hidden_size")), a.number("proj_size") if "proj_size" in a.values else 0
    state = ("R", projection) if projection else hidden
    directions: Factors = (("D", 2),) if a.flag("bidirectional") else ()
    deeper: Factors = (("(L-1)", a.number("num_layers") - 1), *directions)
    cell = _Cell(_GATES[mode], hidden, state, a.flag("bias"))
    first = cell.count(directions, (("in", a.number("input_size")),))
    return first + cell.count(deeper, (*directions, state)) if deeper[0][1] else first


def _cell(mode: str) -> Parameters:
    def count(a: Settings, names: Names) -> Count:
        hidden = ("H", a.number("hidden_size"))
        return _Cell(_GATES[mode], hidden, hidden, a.flag("bias")).count((), (("in", a.number("input_size")),))

    return count


_WIDTHS = "{input_size}→{hidden_size}"


def _words(a: Settings, name: str) -> str:
    layers, projection = a.number("num_layers"), a.number("proj_size")
    return joined(
        _WIDTHS.format_map(a),
        f"×{layers}" if layers > 1 else "",
        "bidirectional" if a.flag("bidirectional") else "",
        f"proj {projection}" if projection else "",
    )


kind(*torch_nn("rnn", "RNN LSTM GRU RNNBase"), words=_words, parameters=_layers)
kind(*torch_nn("rnn", "RNNCellBase"), words=_WIDTHS)
kind(*torch_nn("rnn", "RNNCell"), words=_WIDTHS, parameters=_cell("RNN_TANH"))
kind(*torch_nn("rnn", "LSTMCell"), words=_WIDTHS, parameters=_cell("LSTM"))
kind(*torch_nn("rnn", "GRUCell"), words=_WIDTHS, parameters=_cell("GRU"))
