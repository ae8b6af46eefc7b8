"""How much of a run is attention? The products in which neither factor is a weight: queries with keys, with values.

What is a weight is told from where it lives: a parameter or a buffer, or what was made of those alone (a cast, a slice,
the experts that were picked). The products of a recurrent state are of this kind as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.ops import cost
from profiler.records.trace import Call, Trace

_WEIGHTS = ("parameter", "buffer")
_ATTENTION = "scaled_dot_product"
_PICKING = ("aten.index.", "aten.index_select.", "aten.gather.")  # out of a weight, by indices that are none


def attention_macs(trace: Trace) -> int:
    return sum(macs for _, macs in attention(trace))


def attention(trace: Trace) -> Iterator[tuple[int, int]]:
    """The calls that multiply activations with activations, by their positions, and their MACs."""
    macs = [0 if amount is None else int(amount.macs) for amount in map(cost, trace.signatures)]
    weights = {index for index, storage in enumerate(trace.storages) if storage.role in _WEIGHTS}
    for position, call in enumerate(trace.calls):
        op = trace.signatures[call.signature].op
        if macs[call.signature]:
            if _ATTENTION in op or not weights.intersection(call.reads):
                yield position, macs[call.signature]
        elif call.reads and _is_of_weights(call, op, weights):
            weights.update(call.writes)


def _is_of_weights(call: Call, op: str, weights: set[int]) -> bool:
    read = call.reads[:1] if op.startswith(_PICKING) else call.reads
    return weights.issuperset(read)
