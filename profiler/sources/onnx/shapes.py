"""Which shapes do a graph's values have? By ONNX's own inference, with the few values that shapes depend on.

Small integers and single numbers are computed where their inputs are constants: exporters leave nodes that read a shape
and compute another from it. Such a node is `folded`: at inference there is nothing left of it to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import onnx
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, TypeProto, helper, numpy_helper
from onnx import shape_inference as inference

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files.limits import LARGEST_INTEGER, NODES, Budget
from profiler.records.files.reading import quoted
from profiler.records.trace import Tensor
from profiler.sources.onnx.control import Unrolled, unrolled, without_weights
from profiler.sources.onnx.unschemed import result_tensors
from profiler.sources.onnx.values import constant_of, dense, is_small, size_of, small_floats, stored, tensor_of, type_of

_FOLDED = frozenset(
    [
        "Constant",
        "Shape",
        "Size",
        "ConstantOfShape",
        "Gather",
        "Concat",
        "Slice",
        "Squeeze",
        "Unsqueeze",
        "Cast",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Mod",
        "Sqrt",
        "Neg",
        "Floor",
        "Ceil",
        "Equal",
        "Greater",
        "Less",
        "GreaterOrEqual",
        "LessOrEqual",
        "Not",
        "And",
        "Or",
        "Where",
        "Range",
        "ReduceProd",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "Min",
        "Max",
        "Expand",
        "Reshape",
        "Identity",
        "Transpose",
        "Pow",
        "Reciprocal",
        "Abs",
        "Tile",
        "Split",
        "CastLike",
        "Flatten",
        "ScatterND",
        "GatherND",
        "GatherElements",
        "Round",
        "Sign",
        "CumSum",
        "NonZero",
    ]
)
_OWN = ("", "ai.onnx")
# Why a node of control flow was not unrolled.
CONTROL = {
    "If": "which of its branches is taken depends on data",
    "Loop": "how often it runs depends on data",
    "Scan": "how often it runs is not known",
}
_SCALED = ("Resize", "Upsample")  # their output shapes depend on fractions


class Inferred(NamedTuple):
    """A node after shape inference. `failure` is why the shape of an output is not known; empty where all are."""

    node: NodeProto
    op: str
    folded: bool
    failure: str = ""


def full_name(node: NodeProto) -> str:
    return node.op_type if node.domain in _OWN else f"{node.domain}.{node.op_type}"


def _check_size(name: str, tensor: Tensor | None) -> None:
    if tensor is not None and not 0 <= tensor.numel <= LARGEST_INTEGER:
        raise Malformed(f"its value {quoted(name)} is larger than any tensor can be")


class Shapes:
    """The types of a graph's values, and the constants among them, by name; filled in as nodes are walked."""

    def __init__(self, model: ModelProto, inputs: Mapping[str, Tensor], cost: Budget) -> None:
        self._cost = cost
        self.constants: dict[str, Any] = {}
        self.initializers: dict[str, TensorProto] = {}
        self.literals: set[str] = set()  # constants that are written as nodes
        self.sparse: dict[str, int] = {}  # initialisers that are stored sparse -> their bytes
        self.opsets = {entry.domain or "": int(entry.version) for entry in model.opset_import}
        self._types: dict[str, TypeProto] = {}
        self._declared_types: dict[str, TypeProto] = {}  # what the file says of values, for operators without inference
        self._imports = list(model.opset_import)
        self._version = model.ir_version
        self._defined = set(inputs) | {value.name for value in model.graph.input}
        self._graph(model.graph)
        self._hold(model.graph.initializer)
        for name, tensor in inputs.items():
            _check_size(name, tensor)
            self._types[name] = type_of(tensor)

    @property
    def opset(self) -> int:
        return self.opsets.get("", 1)

    def tensor(self, name: str) -> Tensor | None:
        return tensor_of(self._types.get(name))

    def _graph(self, graph: GraphProto) -> None:
        for sparse in graph.sparse_initializer:
            self._hold_sparse(sparse)
        for value in (*graph.value_info, *graph.output):
            self._declared_types[value.name] = value.type

    def _hold(self, initializers: Iterable[TensorProto]) -> None:
        for initializer in initializers:
            self.initializers[initializer.name] = initializer
            self._defined.add(initializer.name)
            kind = stored(initializer)
            _check_size(initializer.name, kind)
            if kind is not None:
                self._types[initializer.name] = type_of(kind)
            value = constant_of(initializer)
            if value is not None:
                self.constants[initializer.name] = value

    def _hold_sparse(self, sparse: SparseTensorProto) -> None:
        """Register a sparse initialiser as the dense tensor that it stands for."""
        initializer = dense(sparse)
        self.sparse[initializer.name] = size_of(sparse)
        self._hold([initializer])

    def _hold_all(self, unrolling: Unrolled) -> None:
        """Register the initialisers of bodies, and as constants those that were nodes: shapes may depend on them."""
        self._hold(unrolling.initializers)
        for sparse in unrolling.sparse:
            self._hold_sparse(sparse)
        self.literals |= unrolling.literals
        for initializer in unrolling.initializers:
            if initializer.name in unrolling.literals and is_small(stored(initializer)):
                self.constants[initializer.name] = numpy_helper.to_array(initializer)

    def _literal(self, node: NodeProto) -> None:
        """Register the tensor of a Constant node as an initialiser."""
        for attribute in node.attribute:
            if attribute.name == "sparse_value":
                copy = SparseTensorProto()
                copy.CopyFrom(attribute.sparse_tensor)
                copy.values.name = node.output[0]
                self.literals.add(node.output[0])
                self._hold_sparse(copy)
            if attribute.name == "value":
                tensor = TensorProto()
                tensor.CopyFrom(attribute.t)
                tensor.name = node.output[0]
                self.literals.add(tensor.name)
                self._hold([tensor])

    def walk(self, nodes: Sequence[NodeProto]) -> Iterator[Inferred]:
        """The nodes in order. When a node is yielded, the types of its outputs have been inferred."""
        for node in nodes:
            op = full_name(node)
            self._check(node)
            if op == "Constant":
                self._literal(node)
            if op in CONTROL:
                yield from self._control(node, op)
                continue
            failure = self._infer(node)
            yield Inferred(node, op, not failure and self._fold(node), failure)

    def _control(self, node: NodeProto, op: str) -> Iterator[Inferred]:
        """The nodes that it runs where that is known; else the node itself, its bodies' weights registered."""
        unrolling = self._taken(node)
        if unrolling is not None:
            self._hold_all(unrolling)
            yield from self.walk(unrolling.nodes)
            return
        self._infer(node)
        copy, bodies = without_weights(node, self._defined)
        self._hold_all(bodies)
        yield Inferred(copy, op, False, CONTROL[op])

    def _check(self, node: NodeProto) -> None:
        """Refuse a node that stands before the one which computes its input."""
        missing = next((name for name in node.input if name and name not in self._defined), None)
        if missing is not None:
            what = node.name or node.op_type
            raise Malformed(f"node {what} takes {missing}, which nothing before it gives")
        self._defined.update(node.output)

    def _taken(self, node: NodeProto) -> Unrolled | None:
        """The nodes that a node of control flow runs, where that does not depend on data."""
        shapes = {name: tensor.shape for name in node.input if (tensor := self.tensor(name)) is not None}
        lengths = {name: shape[0] for name, shape in shapes.items() if shape}
        taken = unrolled(node, self.constants, lengths, self._defined, self._cost.left(NODES))
        if taken is not None and node.op_type != "If":
            self._cost.charge(NODES, len(taken.nodes))
        return taken

    def _infer(self, node: NodeProto) -> str:
        try:
            schema = onnx.defs.get_schema(node.op_type, self.opsets.get(node.domain, 1), node.domain)
            types = {name: self._types[name] for name in node.input if name in self._types}
            data = self._data(node)
            inferred = inference.infer_node_outputs(
                schema, node, types, data, opset_imports=self._imports, ir_version=self._version
            )
        except onnx.defs.SchemaError:
            inferred, failure = {}, f"{node.op_type} is not an operator of ONNX's"
        except Exception as error:  # ONNX's C++ checks raise several types
            inferred, failure = {}, errors.first_line(error)
        else:
            failure = ""
        for name in node.output:
            self._learn(name, inferred.get(name))
        for name, result in zip(node.output, self._unschemed(node), strict=False):
            if name and self.tensor(name) is None and result is not None:
                self._learn(name, type_of(result))
        return "" if all(self.tensor(name) for name in node.output if name) else failure or "a shape is not known"

    def _data(self, node: NodeProto) -> dict[str, TensorProto]:
        """The values that a node's shapes may depend on."""
        values = {name: self._proto(name) for name in node.input if name in self.constants}
        for name in node.input[1:] if node.op_type in _SCALED else ():
            initializer = self.initializers.get(name)
            if name not in values and initializer is not None and (scales := small_floats(initializer)) is not None:
                values[name] = scales
        return values

    def _unschemed(self, node: NodeProto) -> Sequence[Tensor | None]:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        values = [self.constants.get(name) for name in node.input]
        return result_tensors(full_name(node), [self.tensor(name) for name in node.input], attributes, values)

    def _learn(self, name: str, kind: TypeProto | None) -> None:
        """Set a value's type: the inferred one, or the one that the file declares where inference knows less."""
        if not name:
            return
        if tensor_of(kind) is None and tensor_of(self._declared_types.get(name)) is not None:
            kind = self._declared_types[name]
        if kind is not None:
            self._types[name] = kind
            _check_size(name, tensor_of(kind))

    def _proto(self, name: str) -> TensorProto:
        return numpy_helper.from_array(self.constants[name], name)

    def _fold(self, node: NodeProto) -> bool:
        """Compute a node's values where they are known and small; whether that was possible."""
        if node.op_type not in _FOLDED or node.domain not in _OWN:
            return False
        if node.op_type in ("Shape", "Size"):
            return self._fold_shape(node)
        if any(name not in self.constants for name in node.input if name):
            return False
        if not all(is_small(self.tensor(name)) for name in node.output if name):
            return False
        return self._computed(node)

    def _fold_shape(self, node: NodeProto) -> bool:
        import numpy

        tensor = self.tensor(node.input[0])
        if tensor is None:
            return False
        if node.op_type == "Size":
            value = numpy.array(tensor.numel, dtype=numpy.int64)
        else:
            bounds = {a.name: a.i for a in node.attribute}
            value = numpy.array(tensor.shape[bounds.get("start", 0) : bounds.get("end")], dtype=numpy.int64)
        self.constants[node.output[0]] = value
        return True

    def _computed(self, node: NodeProto) -> bool:
        from onnx.reference import ReferenceEvaluator

        try:
            run = ReferenceEvaluator(node, opsets=dict(self.opsets))
            results = run.run(None, {name: self.constants[name] for name in node.input if name})
        except Exception:  # the evaluator may fail in any way; the node is then a call like others
            return False
        constants = dict(zip((name for name in node.output if name), results, strict=False))
        self.constants.update(constants)
        return True
