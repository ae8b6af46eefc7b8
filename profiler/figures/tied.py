"""Which layers hold a weight that another layer holds too?"""

from __future__ import annotations

from collections.abc import Mapping

from profiler.records.trace import Trace, state_name


def holders(trace: Trace) -> Mapping[str, frozenset[str]]:
    """Of each tied parameter, by its name at the first layer that holds it: the paths of all layers that do."""
    held: dict[int, set[str]] = {}
    for weight in trace.parameters:
        if weight.same_as is not None:
            first = trace.parameters[weight.same_as]
            held.setdefault(weight.same_as, {trace.modules[first.module].path}).add(trace.modules[weight.module].path)
    names = {index: trace.parameters[index] for index in held}
    return {
        state_name(trace.modules[weight.module].path, weight.name): frozenset(held[index])
        for index, weight in names.items()
    }
