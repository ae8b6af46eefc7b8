"""DeepSpeed 0.19.8's flops profiler, the MACs of `get_model_profile(model, ...)`; it gives FLOPs beside them.

It patches functions of torch.nn.functional and torch, and `@` (deepspeed/profiling/flops_profiler/profiler.py), and
charges each call to the module that is running. Gradients are enabled, so that the fast path of attention is taken only
where nothing is trainable. Read there, and compared with what it prints:

- `einsum` and recurrent layers count FLOPs alone; `mv`, `dot` and `Bilinear` count nothing.
- `matmul` takes the left operand's size times the right one's last width: (4, 5) by (7, 5, 6) gives 120 and is 840,
  and a matrix by a vector of 7 is 7 times too large.
- A convolution's output size is computed from its arguments. With padding="same" and an even kernel it is too small.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.counters.convention import Charge, Replica, Weighing
from profiler.counters.replay.events import Operator
from profiler.counters.replay.patches import SHARED, TRANSPOSED, patched
from profiler.counters.replay.rules import convolution, families, mm, own_parameters, tensor
from profiler.records.trace import Trace


def _attention(op: Operator) -> int:
    """Both products of every query; the batch is the query's."""
    query, key, value = (tensor(op, position) for position in range(3))
    return query.numel // query.shape[-1] * key.shape[-2] * (query.shape[-1] + value.shape[-1])


RULES = families(
    *SHARED,
    ("matrix product", ("mm", "bmm"), mm, ""),
    ("attention", ("scaled_dot_product_attention",), _attention, ""),
    ("transposed convolution", TRANSPOSED, convolution, ""),
)


def _charges(trace: Trace) -> Iterator[Charge]:
    return patched(trace, RULES, counts_signs=True)


def _weighings(trace: Trace) -> Iterator[Weighing]:
    return own_parameters(trace)


CONVENTION = Replica(
    "deepspeed",
    "DeepSpeed's MACs: of linear layers, convolutions, matrix products and attention that it patches",
    _charges,
    _weighings,
    lambda op: "einsum counts FLOPs, and no MACs" if op.short == "einsum" else f"{op.short} counts no MACs",
    version="0.19.8",
)
