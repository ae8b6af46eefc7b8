"""In which order does an exported graph run, inside which calls of modules, and how long does each value live?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from profiler.sources.exported.archive import Frame, Graph, Node
from profiler.sources.exported.values import names


@dataclass(slots=True)
class Step:
    """One operator; `dying` are the values that nobody needs after it."""

    node: Node
    dying: tuple[str, ...]


@dataclass(slots=True)
class ModuleCall:
    """One call of a module: what it is given, what it does and what it gives, by name."""

    path: str
    given: tuple[str, ...]
    parts: list[Any]
    made: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """A graph with its operators put into the calls of modules that they were recorded in."""

    graph: Graph
    parts: list[Any] = field(default_factory=list)


def planned(graph: Graph, held: AbstractSet[str] = frozenset()) -> Plan:
    """`held` are the names of weights, which modules are not given when they are called."""
    kept = set(names(list(graph.outputs)))
    last = {name: position for position, node in enumerate(graph.nodes) for name in _touched(node)}
    dying: list[list[str]] = [[] for _ in graph.nodes]
    for name, position in last.items():
        if name not in kept:
            dying[position].append(name)
    steps = [Step(node, tuple(dead)) for node, dead in zip(graph.nodes, dying, strict=True)]
    rows = list(zip(steps, _framed(graph), range(len(steps)), strict=True))
    return Plan(graph, _parts(rows, 1, last | dict.fromkeys(kept, len(steps)), held))


def _touched(node: Node) -> Iterator[str]:
    yield from _read(node)
    yield from names(list(node.outputs))


def _read(node: Node) -> Iterator[str]:
    for _, tagged, _ in node.inputs:
        yield from names(tagged)


def _framed(graph: Graph) -> Iterator[tuple[Frame, ...]]:
    """Each operator's modules; one that has none told is where the one before it was."""
    frames: tuple[Frame, ...] = ()
    for node in graph.nodes:
        frames = frames if node.frames is None else node.frames
        yield frames


def _parts(rows: list[Any], depth: int, last: Mapping[str, int], held: AbstractSet[str]) -> list[Any]:
    """Steps, and calls of modules for those that are deeper."""
    found: list[Any] = []
    for frame, several in groupby(rows, key=lambda row: row[1][depth] if len(row[1]) > depth else None):
        inside = list(several)
        if frame is None:
            found += [step for step, _, _ in inside]
            continue
        given = dict.fromkeys(name for step, _, _ in inside for name in _read(step.node))
        made = dict.fromkeys(name for step, _, _ in inside for name in names(list(step.node.outputs)))
        end = inside[-1][2]
        found.append(
            ModuleCall(
                frame.path,
                tuple(name for name in given if name not in made and name not in held),
                _parts(inside, depth + 1, last, held),
                tuple(name for name in made if last[name] > end),
            )
        )
    return found
