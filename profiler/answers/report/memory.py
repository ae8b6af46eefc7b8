"""What does a page show of a run's memory? Each piece with its life, so that any call can be looked into."""

from __future__ import annotations

from typing import Any

from profiler.errors import shown
from profiler.figures import memory
from profiler.records.trace import Tensor, Trace
from profiler.render import numbers


def memory_data(trace: Trace) -> dict[str, Any] | None:
    """`Memory` of the page's `data.ts`; None where nothing was called."""
    if not trace.calls:
        return None
    ops, roles, names = _Index(), _Index(), _Index()
    pieces = [
        [piece.size_bytes, roles[piece.role], piece.call, died, names[_words(piece.tensor)]]
        for piece, died in memory.lives(trace)
        if piece.size_bytes
    ]
    return {
        "live": list(memory.live_bytes(trace)),
        "layer": [call.module for call in trace.calls],
        "op": [ops[shown(trace.signatures[call.signature].op)] for call in trace.calls],
        "ops": list(ops),
        "peak": memory.peak_call(trace),
        "storages": pieces,
        "roles": list(roles),
        "tensors": list(names),
        "phases": [[phase.kind, phase.first, phase.last] for phase in trace.phases],
    }


class _Index(dict[str, int]):
    """Each different text once, by its position."""

    def __missing__(self, text: str) -> int:
        return self.setdefault(text, len(self))


def _words(tensor: Tensor | None) -> str:
    return "" if tensor is None else f"{numbers.shape(tensor)} {tensor.dtype}"
