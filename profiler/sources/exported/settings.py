"""Settings of an exported program's modules, from the operators that they called; see `profiler.ops.layers.kind`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiler.ops.layers.kind import settings_by_call
from profiler.records.trace import Value
from profiler.sources.exported.archive import Graph, Node, Program

_PLAIN = {"as_int", "as_ints", "as_float", "as_bool", "as_string", "as_floats"}


def told(program: Program) -> dict[str, dict[str, Value]]:
    """By module's path; the first call decides."""
    found: dict[str, dict[str, Value]] = {}
    for node in program.graph.nodes:
        innermost = node.frames[-1] if node.frames else None
        if innermost is not None and innermost.path not in found:
            op = node.target.removeprefix("torch.ops.")
            said = settings_by_call(innermost.cls, op, _arguments(node, program.graph))
            if said is not None:
                found[innermost.path] = said
    return found


def _arguments(node: Node, graph: Graph) -> list[Value]:
    return [_value(tagged, graph) for _, tagged, by_name in node.inputs if not by_name]


def _value(tagged: Mapping[str, Any], graph: Graph) -> Value:
    """Tensors as they were for the example input; what is no plain value either is left out."""
    ((tag, said),) = tagged.items()
    if tag == "as_tensor" and said["name"] in graph.tensors:
        meta = graph.tensors[said["name"]]
        return meta.tensor if all(size.number is not None for size in (*meta.sizes, *meta.strides)) else None
    if tag not in _PLAIN:
        return None
    plain: Value = tuple(said) if isinstance(said, list) else said
    return plain
