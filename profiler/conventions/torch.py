"""torch 2.14's own `torch.utils.flop_counter.FlopCounterMode`, on a CPU, in evaluation, under `torch.no_grad()`.

Its unit is one addition or multiplication: a MAC is two. It sees operators after torch has taken composites apart, and
has formulas for matrix products and convolutions (torch/utils/flop_counter.py, `flop_registry`). So it misses what runs
as one kernel on a CPU, as read in torch's source and seen in its counts:

- fused attention: `_scaled_dot_product_flash_attention_for_cpu` is not registered;
- `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` where they take their fast path, projections included;
- `nn.LSTM`, which oneDNN runs, except with projections or packed sequences or in another dtype than float32;
- products of a matrix and a vector, and `Bilinear`.

On the meta device it sees the first three.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.conventions.convention import Charge, Replica
from profiler.conventions.cpu import attention_is_fused, fast_path_calls, lstm_is_fused, unless_fast
from profiler.conventions.events import recorded_calls
from profiler.conventions.rules import (
    CELLS,
    CONVOLUTIONS,
    addmm,
    are_vectors,
    attention,
    by_operator,
    cell,
    convolution,
    families,
    inner,
    is_by_vector,
    linear,
    mm,
    recurrent,
    unless,
    where,
)
from profiler.records import Trace

_RULES = families(
    ("convolution", CONVOLUTIONS, convolution, ""),
    (
        "linear",
        ("linear",),
        unless(is_by_vector, linear),
        where(is_by_vector, "by a vector, not counted"),
    ),
    ("linear", ("addmm",), addmm, ""),
    ("matrix product", ("mm", "bmm"), mm, ""),
    ("matrix product", ("inner",), inner, where(are_vectors, "of two vectors, not counted")),
    ("matrix product", ("baddbmm",), addmm, ""),
    (
        "attention",
        ("scaled_dot_product_attention",),
        unless(attention_is_fused, attention),
        where(attention_is_fused, "runs as one kernel, which it has no formula for"),
    ),
    ("recurrent cell", CELLS, cell, ""),
    ("recurrent", ("gru", "rnn_tanh", "rnn_relu"), recurrent, ""),
    (
        "recurrent",
        ("lstm",),
        unless(lstm_is_fused, recurrent),
        where(lstm_is_fused, "an LSTM runs as one kernel, which it has no formula for"),
    ),
)


def _charges(trace: Trace) -> Iterator[Charge]:
    for charge in unless_fast(by_operator(trace, _RULES, recorded_calls), fast_path_calls(trace)):
        yield charge._replace(amount=2 * charge.amount)


CONVENTION = Replica(
    "torch",
    "FlopCounterMode on a CPU: two for each MAC that it sees, and nothing else",
    _charges,
    None,
    lambda op: f"it has no formula for {op.short}",
    recorded_calls,
    per_mac=2,
    version="2.14",
)
