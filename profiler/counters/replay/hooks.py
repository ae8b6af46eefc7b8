"""How do tools with hooks walk a model? From a module to its children, each once for a parent.

So a module that stands at two paths is met once where one parent holds it twice, and twice where two parents do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from profiler.counters.replay.rules import layer_kind
from profiler.records.trace import Trace


def children(trace: Trace) -> list[list[int]]:
    """The first rows of each module's children, each child once for its parent."""
    rows = {module.path: row for row, module in enumerate(trace.modules)}
    inside: list[dict[int, None]] = [{} for _ in trace.modules]
    for row, module in enumerate(trace.modules):
        if row:
            parent = rows[module.path.rpartition(".")[0]]
            inside[parent][row if module.same_as is None else module.same_as] = None
    return [list(rows_of_children) for rows_of_children in inside]


def visits(trace: Trace, hides: Callable[[str], bool] = lambda kind: False, opens_model: bool = True) -> Iterator[int]:
    """The rows that a walk from the model down meets, the model first, each as often as it is met.

    hides: whether a module of this kind, as in `layer_kind`, keeps the walk from what is inside it.
    opens_model: whether the model itself is looked into whatever its kind.
    """
    below = children(trace)
    open_rows = [0]
    while open_rows:
        row = open_rows.pop()
        yield row
        if (opens_model and not row) or not hides(layer_kind(trace.modules[row].classes[0])):
            open_rows.extend(reversed(below[row]))
