"""How does a CPU compute recurrent layers? On meta tensors torch takes the way of a GPU without cuDNN.

ATen/native/RNN.cpp asks for the device. On a CPU the input part of all steps of a layer is one product, computed before
the first step; elsewhere each step makes its own. The products are the same; what is alive at once is not.

These are ATen's plain kernels: what any CPU runs in any dtype, and what can be measured everywhere. oneDNN, which takes
over float32 LSTMs without projections on x86, and cuDNN have kernels of their own, whose memory is not modelled.

The calls are made in the order in which ATen makes them, and whatever it holds for a while is held as long here. So a
name that looks idle keeps a tensor alive, and `del` stands where a C++ scope ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_aten = torch.ops.aten

Hidden = tuple[Tensor, ...]  # the output of a step; in an LSTM also the cell's state


class RecurrentWeights(NamedTuple):
    """Of one layer in one direction."""

    ih: Tensor
    hh: Tensor
    b_ih: Tensor | None = None
    b_hh: Tensor | None = None
    hr: Tensor | None = None  # projects what an LSTM puts out


Cell = Callable[[Tensor, Hidden, RecurrentWeights], Hidden]  # one step, from the input's part in its gates
Result = tuple[Tensor, list[Hidden]]  # of a layer: its output, and the last hidden state in each direction
Layer = Callable[[Cell, Tensor, Sequence[Hidden], Sequence[RecurrentWeights]], Result]
Operator = Callable[..., "tuple[Tensor, ...] | None"]


# Steps ----------------------------------------------------------------------------------------------------------------


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`linear`, which on meta tensors does not add the bias in place. In inference weights count as trainable."""
    if x.dim() == 2 or x.is_contiguous():
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled():
        out = F.linear(x, weight)
    else:
        out = x.reshape(-1, x.shape[-1]).mm(weight.t()).view(*x.shape[:-1], -1)
    return out if bias is None else out.add_(bias)


def _simple(activation: Callable[[Tensor], Tensor], x: Tensor, hidden: Hidden, weights: RecurrentWeights) -> Hidden:
    return (activation(_linear(hidden[0], weights.hh, weights.b_hh).add_(x)),)


def _lstm(x: Tensor, hidden: Hidden, weights: RecurrentWeights) -> Hidden:
    before, state = hidden
    gates = _linear(before, weights.hh, weights.b_hh).add_(x)
    parts = gates.unsafe_chunk(4, 1)
    admit, forget, new, output = parts[0].sigmoid_(), parts[1].sigmoid_(), parts[2].tanh_(), parts[3].sigmoid_()
    state = (forget * state).add_(admit * new)
    out = output * state.tanh()
    if weights.hr is not None:
        out = torch.matmul(out, weights.hr.t())
    return out, state


def _gru(x: Tensor, hidden: Hidden, weights: RecurrentWeights) -> Hidden:
    (before,) = hidden
    of_x = x.unsafe_chunk(3, 1)
    of_hidden = _linear(before, weights.hh, weights.b_hh).unsafe_chunk(3, 1)
    reset = of_hidden[0].add_(of_x[0]).sigmoid_()
    update = of_hidden[1].add_(of_x[1]).sigmoid_()
    new = of_x[2].add(of_hidden[2].mul_(reset)).tanh_()
    return ((before - new).mul_(update).add_(new),)


# Layers ---------------------------------------------------------------------------------------------------------------


def _steps(
    cell: Cell, parts: Iterable[Tensor], hidden: Hidden, weights: RecurrentWeights
) -> tuple[list[Tensor], Hidden]:
    outputs = []
    for part in parts:
        hidden = cell(part, hidden, weights)
        outputs.append(hidden[0])
    return outputs, hidden


def _single_direction(cell: Cell, x: Tensor, hidden: Sequence[Hidden], weights: Sequence[RecurrentWeights]) -> Result:
    (start,), (own,) = hidden, weights
    parts = _linear(x, own.ih, own.b_ih).unbind(0)
    outputs, end = _steps(cell, parts, start, own)
    return torch.stack(outputs, 0), [end]


def _both_directions(cell: Cell, x: Tensor, hidden: Sequence[Hidden], weights: Sequence[RecurrentWeights]) -> Result:
    onwards, backwards = weights
    parts = _linear(x, onwards.ih, onwards.b_ih).unbind(0)
    outputs, end = _steps(cell, parts, hidden[0], onwards)
    there = torch.stack(outputs, 0)
    parts = _linear(x, backwards.ih, backwards.b_ih).unbind(0)
    again, start = _steps(cell, parts[::-1], hidden[1], backwards)
    back = torch.stack(again[::-1], 0)
    return torch.cat([there, back], there.dim() - 1), [end, start]


# Of packed sequences, the longest first: `sizes` says how many have a step of each number.


def _slice(hidden: Hidden, first: int, last: int) -> Hidden:
    return tuple(state.narrow(0, first, last - first) for state in hidden)


def _joined(parts: Sequence[Hidden]) -> Hidden:
    return tuple(torch.cat(each, 0) for each in zip(*parts, strict=True))


def _packed_onwards(cell: Cell, sizes: Sequence[int], x: Tensor, start: Hidden, weights: RecurrentWeights) -> Result:
    """Sequences that have ended leave the batch."""
    whole = _linear(x, weights.ih, weights.b_ih)
    outputs, ended, offset, hidden, last = [], [], 0, start, sizes[0]
    for size in sizes:
        if size < last:
            ended.append(_slice(hidden, size, last))
            hidden = _slice(hidden, 0, size)
        hidden = cell(whole.narrow(0, offset, size), hidden, weights)
        outputs.append(hidden[0])
        offset, last = offset + size, size
    ended.append(hidden)
    return torch.cat(outputs, 0), [_joined(ended[::-1])]


def _packed_backwards(cell: Cell, sizes: Sequence[int], x: Tensor, start: Hidden, weights: RecurrentWeights) -> Result:
    """Sequences join the batch where they end."""
    whole = _linear(x, weights.ih, weights.b_ih)
    outputs, offset, last = [], len(x), sizes[-1]
    hidden = _slice(start, 0, last)
    for size in reversed(sizes):
        if size > last:
            hidden = _joined([hidden, _slice(start, last, size)])
        hidden = cell(whole.narrow(0, offset - size, size), hidden, weights)
        outputs.append(hidden[0])
        offset, last = offset - size, size
    return torch.cat(outputs[::-1], 0), [hidden]


def _packed(
    sizes: Sequence[int], cell: Cell, x: Tensor, hidden: Sequence[Hidden], weights: Sequence[RecurrentWeights]
) -> Result:
    there, end = _packed_onwards(cell, sizes, x, hidden[0], weights[0])
    if len(weights) == 1:
        return there, end
    back, start = _packed_backwards(cell, sizes, x, hidden[1], weights[1])
    return torch.cat([there, back], -1), end + start


def _stacked(
    layer: Layer,
    cell: Cell,
    x: Tensor,
    hidden: list[Hidden],
    weights: list[RecurrentWeights],
    width: int,
    dropout: float,
) -> Result:
    """All layers, each of so many directions."""
    last = len(weights) - width
    ends: list[Hidden] = []
    for i in range(0, len(weights), width):
        out, end = layer(cell, x, hidden[i : i + width], weights[i : i + width])
        ends += end
        x = F.dropout(out, dropout) if dropout and i < last else out
        del out, end
    return x, ends


# Operators ------------------------------------------------------------------------------------------------------------


def _gathered(params: Sequence[Tensor], has_biases: bool, has_projections: bool) -> Iterator[RecurrentWeights]:
    width = 2 + 2 * has_biases + has_projections
    for i in range(0, len(params), width):
        own = params[i : i + width]
        yield (
            RecurrentWeights(*own) if has_biases or not has_projections else RecurrentWeights(own[0], own[1], hr=own[2])
        )


def _run(
    layer: Layer, cell: Cell, x: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], *settings: Any
) -> tuple[Tensor, ...] | None:
    has_biases, num_layers, dropout, train, bidirectional = settings
    has_projections = len(hx) == 2 and hx[0].shape[-1] != hx[1].shape[-1]
    width = 2 if bidirectional else 1
    if len(params) != num_layers * width * (2 + 2 * has_biases + has_projections):
        return None
    if any(state.dim() != 3 or len(state) != num_layers * width for state in hx):
        return None
    weights = list(_gathered(params, has_biases, has_projections))
    hidden = list(zip(*(state.unbind(0) for state in hx), strict=True))
    out, ends = _stacked(layer, cell, x, hidden, weights, width, dropout if train else 0.0)
    states = [torch.stack(each, 0) for each in reversed(list(zip(*ends, strict=True)))]  # as torch's builds evaluate
    return (out, *reversed(states))


def _of_input(cell: Cell, states: int) -> Operator:
    """All sequences of one length."""

    def run(x: Tensor, hx: Any, params: Any, *args: Any) -> tuple[Tensor, ...] | None:
        *settings, bidirectional, batch_first = args
        hx = hx if states > 1 else [hx]
        if x.dim() != 3 or not x.shape[1 if batch_first else 0] or len(hx) != states:
            return None
        x = x.transpose(0, 1) if batch_first else x
        results = _run(
            _both_directions if bidirectional else _single_direction, cell, x, hx, params, *settings, bidirectional
        )
        if not results or not batch_first:
            return results
        out = results[0].transpose(0, 1) if states > 1 else results[0].transpose_(0, 1)  # in place but in an LSTM
        return (out, *results[1:])

    return run


def _of_data(cell: Cell, states: int) -> Operator:
    """Packed sequences. The sizes of the batch must have values."""

    def run(x: Tensor, batch_sizes: Tensor, hx: Any, params: Any, *settings: Any) -> tuple[Tensor, ...] | None:
        hx = hx if states > 1 else [hx]
        if x.dim() != 2 or batch_sizes.is_meta or len(hx) != states:
            return None
        return _run(partial(_packed, batch_sizes.tolist()), cell, x, hx, params, *settings)

    return run


# What a CPU runs, by operator; each returns None for what torch refuses.
RECURRENT: Mapping[Any, Operator] = {
    _aten.lstm.input: _of_input(_lstm, 2),
    _aten.gru.input: _of_input(_gru, 1),
    _aten.rnn_tanh.input: _of_input(partial(_simple, torch.tanh), 1),
    _aten.rnn_relu.input: _of_input(partial(_simple, torch.relu), 1),
}
PACKED: Mapping[Any, Operator] = {
    _aten.lstm.data: _of_data(_lstm, 2),
    _aten.gru.data: _of_data(_gru, 1),
    _aten.rnn_tanh.data: _of_data(partial(_simple, torch.tanh), 1),
    _aten.rnn_relu.data: _of_data(partial(_simple, torch.relu), 1),
}
