"""Shapes of a graph's values, node by node, by ONNX's own inference; and the few values that shapes depend on.

Small integers, and single numbers, are computed where all that they are computed from is known: an exporter leaves
behind nodes that read a shape and make another of it. Such a node is `folded`: nothing of it is left to run.
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
from profiler.sources.onnx.control import Unrolled, kept, unrolled
from profiler.sources.onnx.unschemed import shaped
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
# Why a node of control flow stays one.
CONTROL = {
    "If": "which of its branches is taken depends on data",
    "Loop": "how often it runs depends on data",
    "Scan": "how often it runs is not known",
}
_SCALED = ("Resize", "Upsample")  # whose shapes depend on numbers that are no whole ones


class Inferred(NamedTuple):
    """A node with what is known of its values. `failure` is why inference says nothing of it."""

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
    """What is known of every value by its name, so far."""

    def __init__(self, model: ModelProto, fed: Mapping[str, Tensor], cost: Budget) -> None:
        self._cost = cost
        self.constants: dict[str, Any] = {}
        self.initializers: dict[str, TensorProto] = {}
        self.literals: set[str] = set()  # constants that are nodes
        self.sparse: dict[str, int] = {}  # initialisers that are kept sparse, and how many bytes they take
        self.opsets = {entry.domain or "": int(entry.version) for entry in model.opset_import}
        self._types: dict[str, TypeProto] = {}
        self._said: dict[str, TypeProto] = {}  # what the file says of values, for operators without inference
        self._imports = list(model.opset_import)
        self._version = model.ir_version
        self._met = set(fed) | {value.name for value in model.graph.input}
        self._graph(model.graph)
        self._hold(model.graph.initializer)
        for name, tensor in fed.items():
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
            self._said[value.name] = value.type

    def _hold(self, initializers: Iterable[TensorProto]) -> None:
        for initializer in initializers:
            self.initializers[initializer.name] = initializer
            self._met.add(initializer.name)
            kind = stored(initializer)
            _check_size(initializer.name, kind)
            if kind is not None:
                self._types[initializer.name] = type_of(kind)
            value = constant_of(initializer)
            if value is not None:
                self.constants[initializer.name] = value

    def _hold_sparse(self, sparse: SparseTensorProto) -> None:
        """As the dense tensor that it stands for."""
        initializer = dense(sparse)
        self.sparse[initializer.name] = size_of(sparse)
        self._hold([initializer])

    def _hold_all(self, found: Unrolled) -> None:
        """The weights of bodies; shapes may depend on the constants among their nodes, as on others."""
        self._hold(found.initializers)
        for sparse in found.sparse:
            self._hold_sparse(sparse)
        self.literals |= found.literals
        for initializer in found.initializers:
            if initializer.name in found.literals and is_small(stored(initializer)):
                self.constants[initializer.name] = numpy_helper.to_array(initializer)

    def _literal(self, node: NodeProto) -> None:
        """A constant that is a node is as good as an initialiser."""
        for attribute in node.attribute:
            if attribute.name == "sparse_value":
                copy = SparseTensorProto()
                copy.CopyFrom(attribute.sparse_tensor)
                copy.values.name = node.output[0]
                self.literals.add(node.output[0])
                self._hold_sparse(copy)
            if attribute.name == "value":
                found = TensorProto()
                found.CopyFrom(attribute.t)
                found.name = node.output[0]
                self.literals.add(found.name)
                self._hold([found])

    def walk(self, nodes: Sequence[NodeProto]) -> Iterator[Inferred]:
        """The nodes in order. When one is given out, its values are known as far as they can be."""
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
        """The nodes that it comes to; else itself, with the weights that its bodies hold."""
        taken = self._taken(node)
        if taken is not None:
            self._hold_all(taken)
            yield from self.walk(taken.nodes)
            return
        self._infer(node)
        copy, held = kept(node, self._met)
        self._hold_all(held)
        yield Inferred(copy, op, False, CONTROL[op])

    def _check(self, node: NodeProto) -> None:
        """A node comes after those whose values it takes."""
        missing = next((name for name in node.input if name and name not in self._met), None)
        if missing is not None:
            what = node.name or node.op_type
            raise Malformed(f"node {what} takes {missing}, which nothing before it gives")
        self._met.update(node.output)

    def _taken(self, node: NodeProto) -> Unrolled | None:
        """The nodes that a node of control flow comes to, where that is known."""
        shapes = {name: found.shape for name in node.input if (found := self.tensor(name)) is not None}
        lengths = {name: shape[0] for name, shape in shapes.items() if shape}
        taken = unrolled(node, self.constants, lengths, self._met, self._cost.left(NODES))
        if taken is not None and node.op_type != "If":
            self._cost.charge(NODES, len(taken.nodes))
        return taken

    def _infer(self, node: NodeProto) -> str:
        try:
            schema = onnx.defs.get_schema(node.op_type, self.opsets.get(node.domain, 1), node.domain)
            types = {name: self._types[name] for name in node.input if name in self._types}
            data = self._data(node)
            found = inference.infer_node_outputs(
                schema, node, types, data, opset_imports=self._imports, ir_version=self._version
            )
        except onnx.defs.SchemaError:
            found, failure = {}, f"{node.op_type} is not an operator of ONNX's"
        except Exception as error:  # whatever the checks of ONNX's own C++ code say
            found, failure = {}, errors.first_line(error)
        else:
            failure = ""
        for name in node.output:
            self._learn(name, found.get(name))
        for name, made in zip(node.output, self._unschemed(node), strict=False):
            if name and self.tensor(name) is None and made is not None:
                self._learn(name, type_of(made))
        return "" if all(self.tensor(name) for name in node.output if name) else failure or "a shape is not known"

    def _data(self, node: NodeProto) -> dict[str, TensorProto]:
        """The values that a node's shapes may depend on."""
        found = {name: self._proto(name) for name in node.input if name in self.constants}
        for name in node.input[1:] if node.op_type in _SCALED else ():
            initializer = self.initializers.get(name)
            if name not in found and initializer is not None and (scales := small_floats(initializer)) is not None:
                found[name] = scales
        return found

    def _unschemed(self, node: NodeProto) -> Sequence[Tensor | None]:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        known = [self.constants.get(name) for name in node.input]
        return shaped(full_name(node), [self.tensor(name) for name in node.input], attributes, known)

    def _learn(self, name: str, kind: TypeProto | None) -> None:
        """A type that inference gives, or what the file says, where that is more."""
        if not name:
            return
        if tensor_of(kind) is None and tensor_of(self._said.get(name)) is not None:
            kind = self._said[name]
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
            found = run.run(None, {name: self.constants[name] for name in node.input if name})
        except Exception:  # whatever a node may be: it is a call as others are, then
            return False
        values = dict(zip((name for name in node.output if name), found, strict=False))
        self.constants.update(values)
        return True
