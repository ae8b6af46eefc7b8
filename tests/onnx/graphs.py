"""Small ONNX files for tests: one node, or a few, with inputs and weights by shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from profiler import Profile, sources

FLOAT, INT8, UINT8, INT32, INT64, BOOL = (
    TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL,
)  # fmt: skip


def value(name: str, shape: Sequence[int | str | None], dtype: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def weight(name: str, *shape: int, dtype: Any = numpy.float32) -> Any:
    """Values that differ, as those of a trained model do."""
    numbers = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape) % 7 + 1
    return numpy_helper.from_array(numbers.astype(dtype), name)


def constant(name: str, numbers: Any, dtype: Any = numpy.int64) -> Any:
    return numpy_helper.from_array(numpy.array(numbers, dtype=dtype), name)


def model(
    nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], held: Sequence[Any] = (), opset: int = 20
) -> Any:
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(held))
    domains = {node.domain for node in nodes} - {""}
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def one_node(
    op: str,
    inputs: Sequence[Any],
    held: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    opset: int = 20,
    takes: Sequence[str] | None = None,
    **attributes: Any,
) -> Any:
    """A node that takes all inputs and then all that is held, or these by name; "domain.Op" is of another domain."""
    domain, _, name = op.rpartition(".")
    names = [item.name for item in (*inputs, *held)] if takes is None else list(takes)
    given = list(outputs) or [onnx.ValueInfoProto(name="y")]
    node = helper.make_node(name, names, [output.name for output in given], domain=domain, **attributes)
    return model([node], inputs, given, held, opset)


def profiled(found: Any, folder: Path, **feed: Any) -> Profile:
    path = folder / "model.onnx"
    onnx.save(found, path)
    return Profile(sources.load(str(path), sources.Feed(**feed)))  # type: ignore[arg-type]


def counts(profile: Profile) -> Mapping[str, int]:
    """What the model costs, without traffic, and what of that is not nothing."""
    cost = profile.figures.cost
    found = {n: int(getattr(cost, n)) for n in ("macs", "adds", "muls", "divs", "specials", "comparisons")}
    return {name: count for name, count in found.items() if count}
