"""Control flow with a known way: a branch that is taken for sure, a loop that runs a known number of times.

Both become the nodes that will run, values renamed so that each has a name of its own. What depends on data stays one
node, which is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy
from onnx import GraphProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

MOST_NODES = 100_000  # that a loop may become


class Unrolled:
    """Nodes, and the constants that they need. `taken` are the names that a weight of a body cannot have any more."""

    def __init__(self, taken: Set[str] = frozenset()) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.sparse: list[SparseTensorProto] = []
        self.literals: set[str] = set()  # those that are constants among the nodes of a body
        self._taken = taken
        self._own: set[str] = set()

    def add(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, list(inputs), list(outputs), **attributes))

    def constant(self, name: str, value: Any) -> str:
        self.initializers.append(numpy_helper.from_array(numpy.array(value), name))
        return name

    def lifted(self, graph: GraphProto) -> GraphProto:
        """A body without the weights that it holds, which are there once however often it runs, and those inside."""
        copy = GraphProto()
        copy.CopyFrom(graph)
        self._lift(copy, {})
        return copy

    def _lift(self, graph: GraphProto, around: Mapping[str, str]) -> None:
        names = dict(around)
        for initializer in graph.initializer:
            names[initializer.name] = self._hold(initializer, initializer.name)
        for sparse in graph.sparse_initializer:
            names[sparse.values.name] = self._hold_sparse(sparse, sparse.values.name)
        kept = [node for node in graph.node if not self._is_lifted(node, names)]
        nodes = [_renamed(node, names) for node in kept]
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    self._lift(attribute.g, names)
        for output in graph.output:
            output.name = names.get(output.name, output.name)
        del graph.initializer[:], graph.sparse_initializer[:], graph.node[:]
        graph.node.extend(nodes)

    def _is_lifted(self, node: NodeProto, names: dict[str, str]) -> bool:
        """A constant among the nodes is as good as a weight."""
        if node.op_type != "Constant" or len(node.attribute) != 1 or len(node.output) != 1:
            return False
        attribute, name = node.attribute[0], node.output[0]
        if attribute.name == "value":
            names[name] = self._hold(attribute.t, name)
        elif attribute.name == "sparse_value":
            names[name] = self._hold_sparse(attribute.sparse_tensor, name)
        else:
            return False
        self.literals.add(names[name])
        return True

    def _hold(self, initializer: TensorProto, name: str) -> str:
        copy = TensorProto()
        copy.CopyFrom(initializer)
        copy.name = self._free(name)
        self.initializers.append(copy)
        return copy.name

    def _hold_sparse(self, sparse: SparseTensorProto, name: str) -> str:
        copy = SparseTensorProto()
        copy.CopyFrom(sparse)
        copy.values.name = self._free(name)
        self.sparse.append(copy)
        return copy.values.name

    def _free(self, name: str) -> str:
        """Both branches may have weights of one name."""
        found, number = name, 1
        while found in self._taken or found in self._own:
            found, number = f"{name}@{number}", number + 1
        self._own.add(found)
        return found

    def body(self, graph: GraphProto, mark: str, bound: Mapping[str, str]) -> Mapping[str, str]:
        """A body once; `bound` are its inputs by what they stand for. Returns the new names of all its values."""
        own = [output for node in graph.node for output in node.output]
        renamed = {name: f"{name}{mark}" for name in own if name} | dict(bound)
        for node in graph.node:
            self.nodes.append(_renamed(node, renamed))
        return renamed


def _renamed(node: NodeProto, names: Mapping[str, str]) -> NodeProto:
    """Bodies of nodes inside refer to values by name as well."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    for attribute in copy.attribute:
        if attribute.HasField("g"):
            inner = [_renamed(inside, names) for inside in attribute.g.node]
            del attribute.g.node[:]
            attribute.g.node.extend(inner)
            for output in attribute.g.output:
                output.name = names.get(output.name, output.name)
    return copy


def unrolled(
    node: NodeProto,
    constants: Mapping[str, Any],
    lengths: Mapping[str, int],
    taken: Set[str] = frozenset(),
    most: int = MOST_NODES,
) -> Unrolled | None:
    """What a node of control flow comes to; None where that depends on data, or is more than `most` nodes.

    lengths: values' first dimensions.
    """
    graphs = {attribute.name: attribute.g for attribute in node.attribute if attribute.HasField("g")}
    found = Unrolled(taken)
    if node.op_type == "If" and node.input[0] in constants:
        return _branch(found, node, graphs["then_branch" if bool(constants[node.input[0]]) else "else_branch"])
    if node.op_type == "Loop":
        return _loop(found, node, graphs["body"], constants, most)
    if node.op_type == "Scan":
        return _scan(found, node, graphs["body"], lengths, most)
    return None


def kept(node: NodeProto, taken: Set[str]) -> tuple[NodeProto, Unrolled]:
    """A node whose way depends on data, without the weights that are in its bodies, and those."""
    copy, found = NodeProto(), Unrolled(taken)
    copy.CopyFrom(node)
    for attribute in copy.attribute:
        if attribute.HasField("g"):
            attribute.g.CopyFrom(found.lifted(attribute.g))
    return copy, found


def inside(node: NodeProto) -> Iterator[NodeProto]:
    """All nodes in its bodies, and in theirs."""
    for attribute in node.attribute:
        for inner in attribute.g.node if attribute.HasField("g") else ():
            yield inner
            yield from inside(inner)


def _mark(node: NodeProto, step: int = 0) -> str:
    return f"@{next(iter(node.output), '')}.{step}"


def _branch(found: Unrolled, node: NodeProto, graph: GraphProto) -> Unrolled:
    body = found.lifted(graph)
    names = found.body(body, _mark(node), {})
    for output, inner in zip(node.output, body.output, strict=False):
        found.add("Identity", [names.get(inner.name, inner.name)], [output])
    return found


def _loop(
    found: Unrolled, node: NodeProto, graph: GraphProto, constants: Mapping[str, Any], most: int
) -> Unrolled | None:
    """Inputs are the number of steps, a condition, and what is carried from step to step."""
    trips, condition = constants.get(node.input[0]), node.input[1] if len(node.input) > 1 else ""
    if trips is None or (condition and not bool(constants.get(condition, False))) or not _goes_on(graph):
        return None
    steps, carried = int(trips), list(node.input[2:])
    if steps < 1 or steps * _of_a_step(graph) > most:
        return None
    graph = found.lifted(graph)
    collected: list[list[str]] = [[] for _ in graph.output[1 + len(carried) :]]
    always = found.constant(f"true{_mark(node)}", True)
    for step in range(steps):
        number = found.constant(f"step{_mark(node, step)}", numpy.int64(step))
        bound = dict(zip([value.name for value in graph.input], [number, always, *carried], strict=True))
        names = found.body(graph, _mark(node, step), bound)
        results = [names.get(value.name, value.name) for value in graph.output]
        carried = results[1 : 1 + len(carried)]
        for gathered, result in zip(collected, results[1 + len(carried) :], strict=True):
            gathered.append(result)
    return _closed(found, node, carried, collected)


def _of_a_step(graph: GraphProto) -> int:
    """How many nodes one step becomes: the body's own, and those that bring slices there and results back."""
    own = sum(1 + sum(1 for _ in inside(node)) for node in graph.node)
    return own + len(graph.input) + len(graph.output)


def _goes_on(graph: GraphProto) -> bool:
    """Whether no step says that it is the last: the condition comes out as it went in, or is always true."""
    name = graph.output[0].name
    makers = {output: node for node in graph.node for output in node.output}
    while name in makers and makers[name].op_type in ("Identity", "Cast"):
        name = makers.pop(name).input[0]  # which a graph that goes in a circle comes back to
    if name in makers and makers[name].op_type == "Constant":
        return bool(numpy.all(numpy_helper.to_array(makers[name].attribute[0].t)))
    known: bool = name == graph.input[1].name
    return known


def _scan(
    found: Unrolled, node: NodeProto, graph: GraphProto, lengths: Mapping[str, int], most: int
) -> Unrolled | None:
    """Inputs are what is carried, and what is gone through along the first dimension, from the front."""
    scanned = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 0)
    if any(a.name.startswith("scan_") and any(a.ints) for a in node.attribute) or not scanned:
        return None
    carried, sequences = list(node.input[:-scanned]), list(node.input[-scanned:])
    steps = lengths.get(sequences[0])
    if steps is None or not 1 <= steps * _of_a_step(graph) <= most:
        return None
    graph = found.lifted(graph)
    collected: list[list[str]] = [[] for _ in graph.output[len(carried) :]]
    for step in range(steps):
        mark = _mark(node, step)
        number = found.constant(f"step{mark}", numpy.int64(step))
        slices = [f"{name}{mark}.{at}" for at, name in enumerate(sequences)]
        for name, part in zip(sequences, slices, strict=True):
            found.add("Gather", [name, number], [part], axis=0)
        names = found.body(graph, mark, dict(zip([v.name for v in graph.input], [*carried, *slices], strict=True)))
        results = [names.get(value.name, value.name) for value in graph.output]
        carried = results[: len(carried)]
        for gathered, result in zip(collected, results[len(carried) :], strict=True):
            gathered.append(result)
    return _closed(found, node, carried, collected)


def _closed(found: Unrolled, node: NodeProto, carried: Sequence[str], collected: Sequence[Sequence[str]]) -> Unrolled:
    """The last values that were carried, and those of all steps one after the other, as the node's outputs."""
    for output, name in zip(node.output, carried, strict=False):
        if output:
            found.add("Identity", [name], [output])
    axes = found.constant(f"axes{_mark(node)}", numpy.array([0], dtype=numpy.int64))
    for output, several in zip(list(node.output)[len(carried) :], collected, strict=False):
        rows = list(_rows(found, several, axes))
        if output:
            found.add("Concat", rows, [output], axis=0)
    return found


def _rows(found: Unrolled, several: Sequence[str], axes: str) -> Iterator[str]:
    for at, name in enumerate(several):
        found.add("Unsqueeze", [name, axes], [f"{name}.row{at}"])
        yield f"{name}.row{at}"
