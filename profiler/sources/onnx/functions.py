"""How many nodes does a graph have once its functions are inlined? Counted first, for it may be exponentially many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from onnx import AttributeProto, ModelProto, NodeProto

from profiler.records.files.limits import LARGEST_INTEGER

Key: TypeAlias = tuple[str, str, str]
_DEEPEST = 200  # functions in functions


class Endless(Exception):
    """Functions that use each other in a circle, or too deeply."""


def size(model: ModelProto) -> int:
    """How many nodes the graph has with its functions inlined; raises `Endless`."""
    functions = {(f.domain, f.name, f.overload): f.node for f in model.functions}
    return _size(model.graph.node, functions, {}, 0)


def _size(
    nodes: Iterable[NodeProto], functions: Mapping[Key, Iterable[NodeProto]], sizes: dict[Key, int], depth: int
) -> int:
    if depth > _DEEPEST:
        raise Endless(f"they use each other in a circle, or more than {_DEEPEST} deep")
    total = 0
    for node in _each(nodes):
        key = node.domain, node.op_type, node.overload
        if key not in functions:
            total += 1
            continue
        if key not in sizes:
            sizes[key] = min(_size(functions[key], functions, sizes, depth + 1), LARGEST_INTEGER)
        total += sizes[key]
    return total


def _each(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """The nodes, and those of graphs in their attributes."""
    waiting = [iter(nodes)]
    while waiting:
        node = next(waiting[-1], None)
        if node is None:
            waiting.pop()
            continue
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                waiting.append(iter(attribute.g.node))
            waiting += [iter(graph.node) for graph in attribute.graphs]
