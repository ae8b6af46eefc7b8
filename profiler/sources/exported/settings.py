"""Which settings do an exported program's modules have? Read from the operators that they called.

What settings are for: see `profiler.ops.layers.kind`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiler.ops.layers.kind import settings_by_call
from profiler.records.trace import Value
from profiler.sources.exported.archive import ExportedProgram, Graph, OperatorCall

_PLAIN = {"as_int", "as_ints", "as_float", "as_bool", "as_string", "as_floats"}


def settings_by_path(program: ExportedProgram) -> dict[str, dict[str, Value]]:
    """The settings of each module by its path, taken from its first operator."""
    by_path: dict[str, dict[str, Value]] = {}
    for node in program.graph.nodes:
        innermost = node.frames[-1] if node.frames else None
        if innermost is not None and innermost.path not in by_path:
            op = node.target.removeprefix("torch.ops.")
            settings = settings_by_call(innermost.cls, op, _arguments(node, program.graph))
            if settings is not None:
                by_path[innermost.path] = settings
    return by_path


def _arguments(node: OperatorCall, graph: Graph) -> list[Value]:
    return [_value(tagged, graph) for _, tagged, by_name in node.inputs if not by_name]


def _value(tagged: Mapping[str, Any], graph: Graph) -> Value:
    """Tensors as they were for the example input; None for what is neither a tensor nor a plain value."""
    ((tag, content),) = tagged.items()
    if tag == "as_tensor" and content["name"] in graph.tensors:
        meta = graph.tensors[content["name"]]
        return meta.tensor if all(size.number is not None for size in (*meta.sizes, *meta.strides)) else None
    if tag not in _PLAIN:
        return None
    plain: Value = tuple(content) if isinstance(content, list) else content
    return plain
