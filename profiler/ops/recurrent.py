"""What do recurrent layers cost? Each step multiplies input and hidden state by weights and combines the gates.

The matrix products are read off the weights' shapes: W_ih is gates·H × in, W_hh is gates·H × H, and with a projection
W_hh is gates·H × P and W_hr is P × H. A packed batch holds only the real steps, one row each.
"""

from __future__ import annotations

from math import prod

from profiler.ops.cost import NOTHING, Cost, Count, product
from profiler.ops.elements import summed
from profiler.ops.registry import Uncovered, formula
from profiler.records.trace import Tensor, Value

# A step of one hidden unit behind the matrix products; each gate is a sum of an input part and a hidden part.
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
CELL = {
    # σ(i), σ(f), tanh(g), σ(o); c' = f·c + i·g; h' = o·tanh(c')
    "lstm": Cost(adds=4 + 1, muls=3, specials=5),
    # σ(r), σ(z); n = tanh(x + r·h); h' = (h - n)·z + n, as ATen computes (1 - z)·n + z·h
    "gru": Cost(adds=3 + 2, muls=2, specials=3),
    "rnn_tanh": Cost(adds=1, specials=1),
    "rnn_relu": Cost(adds=1, comparisons=1),
}

Rows = tuple[tuple[str, int], ...]  # the steps times the batch, named


def _steps(rows: Rows) -> int:
    return prod(size for _, size in rows)


def _weight_macs(rows: Rows, *factors: tuple[str, int]) -> Count:
    named = (*rows, *factors)
    return product(" ".join(name for name, _ in named), *(size for _, size in named))


def recurrent_cell(kind: str, rows: Rows, w_ih: Tensor, w_hh: Tensor, biases: int, w_hr: Tensor | None = None) -> Cost:
    """One layer in one direction."""
    gates = GATES[kind]
    wide = f"{gates}H" if gates > 1 else "H", w_ih.shape[0]
    hidden = w_hh.shape[0] // gates
    units = _steps(rows) * hidden
    macs = _weight_macs(rows, wide, ("in", w_ih.shape[1]))
    macs += _weight_macs(rows, wide, ("H" if w_hr is None else "P", w_hh.shape[1]))
    if w_hr is not None:
        macs += _weight_macs(rows, ("P", w_hr.shape[0]), ("H", w_hr.shape[1]))
    return Cost(macs=macs, adds=biases * gates * units) + CELL[kind] * units


def recurrent_layers(
    kind: str, rows: Rows, params: tuple[Tensor, ...], has_biases: bool, num_layers: int, dropout: float, train: bool,
    bidirectional: bool,
) -> Cost:  # fmt: skip
    """All layers and directions: `params` holds W_ih, W_hh, two biases and W_hr of each in turn, those that exist."""
    directions = 2 if bidirectional else 1
    width, extra = divmod(len(params), num_layers * directions)
    biases = 2 if has_biases else 0
    if extra or width - 2 - biases not in (0, 1):
        raise Uncovered(f"{len(params)} weights in {num_layers * directions} layers")
    cost = NOTHING
    for i in range(0, len(params), width):
        w_ih, w_hh, *rest = params[i : i + width]
        cost += recurrent_cell(kind, rows, w_ih, w_hh, biases, *rest[biases:])
    if train and dropout:
        output = _steps(rows) * directions * params[1].shape[1]
        cost += Cost(muls=2 * output * (num_layers - 1))
    return cost


def _register(kind: str) -> None:
    @formula(f"aten.{kind}.input")
    def layers(
        x: Tensor, hx: Value, params: tuple[Tensor, ...], has_biases: bool, num_layers: int, dropout: float,
        train: bool, bidirectional: bool, batch_first: bool, *, out: Value,
    ) -> Cost:  # fmt: skip
        rows = tuple(zip(("N", "T") if batch_first else ("T", "N"), x.shape[:2], strict=True))
        return recurrent_layers(kind, rows, params, has_biases, num_layers, dropout, train, bidirectional)

    @formula(f"aten.{kind}.data")
    def packed(
        x: Tensor, batch_sizes: Tensor, hx: Value, params: tuple[Tensor, ...], has_biases: bool, num_layers: int,
        dropout: float, train: bool, bidirectional: bool, *, out: Value,
    ) -> Cost:  # fmt: skip
        return recurrent_layers(
            kind, (("ΣT", x.shape[0]),), params, has_biases, num_layers, dropout, train, bidirectional
        )

    @formula(f"aten.{kind}_cell")
    def cell(
        x: Tensor, hx: Value, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None,
        *, out: Value,
    ) -> Cost:  # fmt: skip
        biases = int(b_ih is not None) + int(b_hh is not None)
        return recurrent_cell(kind, (("N", x.shape[0]),), w_ih, w_hh, biases)


for _kind in CELL:
    _register(_kind)


@formula("aten.mkldnn_rnn_layer")
def mkldnn_rnn_layer(
    x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, hx: Tensor, cx: Tensor, reverse: bool,
    batch_sizes: Value, mode: int, hidden_size: int, num_layers: int, has_biases: bool, *_: Value, out: Value,
) -> Cost:  # fmt: skip
    """One layer in one direction of an LSTM, on CPU."""
    if mode != 2:
        raise Uncovered("a recurrent layer other than LSTM")
    length, batch, _width = x.shape
    return recurrent_cell("lstm", (("T", length), ("N", batch)), w_ih, w_hh, 2 if has_biases else 0)


def _fused_cell(kind: str) -> None:
    @formula(f"aten._thnn_fused_{kind}_cell")
    def fused_cell(
        input_gates: Tensor, hidden_gates: Tensor, state: Tensor, input_bias: Tensor | None = None,
        hidden_bias: Tensor | None = None, *, out: Value,
    ) -> Cost:  # fmt: skip
        """Only what stands behind the matrix products."""
        biases = int(input_bias is not None) + int(hidden_bias is not None)
        return CELL[kind] * state.numel + Cost(adds=biases * input_gates.numel)


_fused_cell("lstm")
_fused_cell("gru")


# One hidden unit's gradient behind the matrix products, g being a gate's value, which the forward pass kept.
CELL_GRADIENT = {
    # of o: dh·t·(1 - o)·o, t = tanh(c'); c = dh·o·(1 - t·t) + dc'; of i: c·g·(1 - i)·i; of g: c·i·(1 - g·g);
    # of f: c·c₀·(1 - f)·f; of the state before: c·f
    "lstm": Cost(muls=3 + 3 + 3 + 3 + 3 + 1, adds=1 + 2 + 1 + 1 + 1, specials=1),
    # of z: dh·(h - n)·(1 - z)·z; of the state before: dh·z; n = dh·(1 - z)·(1 - n·n), its hidden part n·r;
    # of r: n·(hidden part of n)·(1 - r)·r
    "gru": Cost(muls=3 + 1 + 3 + 1 + 3, adds=2 + 1 + 1),
}


@formula("aten._thnn_fused_lstm_cell_backward_impl")
def fused_lstm_cell_backward(
    grad_hy: Tensor | None, grad_cy: Tensor | None, cx: Tensor, cy: Tensor, workspace: Tensor, has_bias: bool,
    *, out: Value,
) -> Cost:  # fmt: skip
    """Only what stands in front of the matrix products; both biases have one gradient, a sum over the batch."""
    cost = CELL_GRADIENT["lstm"] * cx.numel
    return cost + summed(workspace, workspace.shape[-1]) if has_bias else cost


@formula("aten._thnn_fused_gru_cell_backward")
def fused_gru_cell_backward(grad_hy: Tensor, workspace: Tensor, has_bias: bool, *, out: Value) -> Cost:
    """The biases of the input's and of the hidden state's gates have gradients of their own: r differs."""
    batch, hidden = grad_hy.shape
    biases = Cost(adds=2 * 3 * hidden * (batch - 1) if has_bias else 0)
    return CELL_GRADIENT["gru"] * grad_hy.numel + biases


@formula("aten.mkldnn_rnn_layer_backward")
def mkldnn_rnn_layer_backward(
    x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, hx: Tensor, cx: Tensor, result: Tensor,
    hy: Tensor, cy: Tensor, grad_output: Tensor | None, grad_hy: Tensor | None, grad_cy: Tensor | None, reverse: bool,
    mode: int, hidden_size: int, num_layers: int, has_biases: bool, *_: Value, out: Value,
) -> Cost:  # fmt: skip
    """For every product of the forward pass two: one in the gradient of its input or state, one in its weight's."""
    if mode != 2:
        raise Uncovered("a recurrent layer other than LSTM")
    length, batch, _width = x.shape
    forward = recurrent_cell("lstm", (("T", length), ("N", batch)), w_ih, w_hh, 0).macs
    steps = length * batch
    biases = Cost(adds=4 * hidden_size * max(steps - 1, 0) if has_biases else 0)
    return Cost(macs=forward + forward) + CELL_GRADIENT["lstm"] * (steps * hidden_size) + biases
