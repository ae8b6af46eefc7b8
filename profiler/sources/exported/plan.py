"""In which order does an exported graph run, inside which calls of modules, and how long does each value live?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from profiler.sources.exported.archive import Frame, Graph, OperatorCall
from profiler.sources.exported.values import names


@dataclass(slots=True)
class OperatorStep:
    """One operator; `last_used` are the values that no later one needs."""

    node: OperatorCall
    last_used: tuple[str, ...]


@dataclass(slots=True)
class ModuleStep:
    """One call of a module: the names of its inputs and outputs, and the steps inside."""

    path: str
    inputs: tuple[str, ...]
    steps: list[Any]
    outputs: tuple[str, ...]


@dataclass(slots=True)
class RunPlan:
    """A graph's operators in order, nested in the module calls that they were recorded in."""

    graph: Graph
    steps: list[Any] = field(default_factory=list)


def run_plan(graph: Graph, weights: AbstractSet[str] = frozenset()) -> RunPlan:
    """The order of a graph. `weights` are names of weights, which are no inputs of the calls of modules."""
    outputs = set(names(list(graph.outputs)))
    last = {name: position for position, node in enumerate(graph.nodes) for name in _inputs_and_outputs(node)}
    last_used: list[list[str]] = [[] for _ in graph.nodes]
    for name, position in last.items():
        if name not in outputs:
            last_used[position].append(name)
    steps = [
        OperatorStep(node, tuple(names_last_used)) for node, names_last_used in zip(graph.nodes, last_used, strict=True)
    ]
    rows = list(zip(steps, _frames(graph), range(len(steps)), strict=True))
    return RunPlan(graph, _nested(rows, 1, last | dict.fromkeys(outputs, len(steps)), weights))


def _inputs_and_outputs(node: OperatorCall) -> Iterator[str]:
    yield from _inputs(node)
    yield from names(list(node.outputs))


def _inputs(node: OperatorCall) -> Iterator[str]:
    for _, tagged, _ in node.inputs:
        yield from names(tagged)


def _frames(graph: Graph) -> Iterator[tuple[Frame, ...]]:
    """Each operator's modules; where none are recorded, those of the operator before it."""
    frames: tuple[Frame, ...] = ()
    for node in graph.nodes:
        frames = frames if node.frames is None else node.frames
        yield frames


def _nested(rows: list[Any], depth: int, last: Mapping[str, int], weights: AbstractSet[str]) -> list[Any]:
    """The steps at this depth; those of deeper modules stand inside calls of these."""
    steps: list[Any] = []
    for frame, group in groupby(rows, key=lambda row: row[1][depth] if len(row[1]) > depth else None):
        inside = list(group)
        if frame is None:
            steps += [step for step, _, _ in inside]
            continue
        inputs = dict.fromkeys(name for step, _, _ in inside for name in _inputs(step.node))
        outputs = dict.fromkeys(name for step, _, _ in inside for name in names(list(step.node.outputs)))
        end = inside[-1][2]
        steps.append(
            ModuleStep(
                frame.path,
                tuple(name for name in inputs if name not in outputs and name not in weights),
                _nested(inside, depth + 1, last, weights),
                tuple(name for name in outputs if last[name] > end),
            )
        )
    return steps
