"""The lines of torchinfo's summary: one for each module call, and one for a container that is around them unseen.

As torchinfo 1.8.0 makes them (torchinfo/torchinfo.py, `apply_hooks` and `add_missing_container_layers`): a module that
stands at several places has its lines at the last one; a later call of a module is marked, and so is a container
whose line comes a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from profiler.records.trace import ModuleCall, Trace


@dataclass(slots=True, eq=False)
class Line:
    """A module in the summary: its row in the trace, and its place in the tree.

    is_again: whether the module has had a line before.
    """

    row: int
    depth: int
    parent: Line | None
    is_again: bool = False

    def around(self) -> Iterator[Line]:
        """What it stands in, from the nearest outwards, without the model itself."""
        line = self.parent
        while line is not None and line.depth:
            yield line
            line = line.parent


def lines(trace: Trace) -> list[Line]:
    places, met = _places(trace), set[int]()
    found: list[Line] = []
    for row in _begun(trace):
        found.append(Line(row, places[row].depth, places[row].parent, row in met))
        met.add(row)
    _add_containers(found, met)
    return found


def _places(trace: Trace) -> dict[int, Line]:
    """The last place of each module in a walk that goes into a shared one wherever it stands."""
    rows = {module.path: row for row, module in enumerate(trace.modules)}
    below: list[list[int]] = [[] for _ in trace.modules]
    for row, module in enumerate(trace.modules):
        if row:
            below[rows[module.path.rpartition(".")[0]]].append(row if module.same_as is None else module.same_as)
    found: dict[int, Line] = {}
    waiting = [Line(0, 0, None)]
    while waiting:
        place = waiting.pop()
        found[place.row] = place
        waiting += [Line(row, place.depth + 1, place) for row in reversed(below[place.row])]
    return found


def _begun(trace: Trace) -> list[int]:
    """The modules called, in the order in which their calls began. A trace holds calls in the order of their ends."""
    ended: list[tuple[ModuleCall, list[int]]] = []
    for call in trace.module_calls:
        inside: list[int] = []
        while ended and _is_inside(trace, ended[-1][0], call):
            inside = ended.pop()[1] + inside
        ended.append((call, [call.module, *inside]))
    return [row for _, rows in ended for row in rows]


def _is_inside(trace: Trace, inner: ModuleCall, outer: ModuleCall) -> bool:
    """Whether a call that ended before another did so inside of it. Where no operator tells, their paths do."""
    if inner.first == inner.last == outer.first:
        path = trace.modules[outer.module].path
        return not path or trace.modules[inner.module].path.startswith(f"{path}.")
    return inner.first >= outer.first


def _add_containers(found: list[Line], met: set[int]) -> None:
    """Put the containers of each line before it, unless they are open already."""
    opened: dict[int, Line] = {}
    position = 0
    while position < len(found):
        line, at = found[position], position
        around = {outer.depth: outer for outer in line.around()}
        for depth in range(1, line.depth):
            outer = around[depth]
            if (depth not in opened or opened[depth].row != outer.row) and outer is not found[at - 1]:
                outer.is_again |= outer.row in met
                found.insert(at, outer)
                met.add(outer.row)
                opened[depth] = outer
                at += 1
        opened[line.depth] = line
        for depth in [depth for depth in opened if depth > line.depth]:
            del opened[depth]
        position += 1
