"""Which control flow can be unrolled? An `If` whose condition is constant, a loop with a known number of steps.

Both are replaced by the nodes that will run, with values renamed so that no name occurs twice. An `If` or a loop that
depends on data stays one node, whose cost is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy
from onnx import GraphProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

MOST_NODES = 100_000  # that a loop may become


class Unrolled:
    """Nodes, and the constants that they need. `taken` are names in use, which a weight of a body may not get."""

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
        """A copy of a body without its initialisers, nested ones included: they are stored once for all runs."""
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
        remaining = [node for node in graph.node if not self._is_lifted(node, names)]
        nodes = [_renamed(node, names) for node in remaining]
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    self._lift(attribute.g, names)
        for output in graph.output:
            output.name = names.get(output.name, output.name)
        del graph.initializer[:], graph.sparse_initializer[:], graph.node[:]
        graph.node.extend(nodes)

    def _is_lifted(self, node: NodeProto, names: dict[str, str]) -> bool:
        """Whether a node is a constant, which is stored as an initialiser would be."""
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
        """The name, or one with a number behind it where it is in use: both branches may have a weight of that name."""
        free, number = name, 1
        while free in self._taken or free in self._own:
            free, number = f"{name}@{number}", number + 1
        self._own.add(free)
        return free

    def body(self, graph: GraphProto, mark: str, bound: Mapping[str, str]) -> Mapping[str, str]:
        """Append one run of a body; `bound` maps its inputs to outer values. Returns its values' new names."""
        own = [output for node in graph.node for output in node.output]
        renamed = {name: f"{name}{mark}" for name in own if name} | dict(bound)
        for node in graph.node:
            self.nodes.append(_renamed(node, renamed))
        return renamed


def _renamed(node: NodeProto, names: Mapping[str, str]) -> NodeProto:
    """A copy of a node with its values renamed, also inside its bodies, which refer to outer values by name."""
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
    """The nodes that a node of control flow runs; None where that depends on data, or is more than `most` nodes.

    lengths: values' first dimensions.
    """
    graphs = {attribute.name: attribute.g for attribute in node.attribute if attribute.HasField("g")}
    unrolling = Unrolled(taken)
    if node.op_type == "If" and node.input[0] in constants:
        return _branch(unrolling, node, graphs["then_branch" if bool(constants[node.input[0]]) else "else_branch"])
    if node.op_type == "Loop":
        return _loop(unrolling, node, graphs["body"], constants, most)
    if node.op_type == "Scan":
        return _scan(unrolling, node, graphs["body"], lengths, most)
    return None


def without_weights(node: NodeProto, taken: Set[str]) -> tuple[NodeProto, Unrolled]:
    """A node that depends on data, without the initialisers of its bodies; and those."""
    emptied, bodies = NodeProto(), Unrolled(taken)
    emptied.CopyFrom(node)
    for attribute in emptied.attribute:
        if attribute.HasField("g"):
            attribute.g.CopyFrom(bodies.lifted(attribute.g))
    return emptied, bodies


def inside(node: NodeProto) -> Iterator[NodeProto]:
    """All nodes in the bodies of a node, at every depth."""
    for attribute in node.attribute:
        for inner in attribute.g.node if attribute.HasField("g") else ():
            yield inner
            yield from inside(inner)


def _mark(node: NodeProto, step: int = 0) -> str:
    return f"@{next(iter(node.output), '')}.{step}"


def _branch(unrolling: Unrolled, node: NodeProto, graph: GraphProto) -> Unrolled:
    body = unrolling.lifted(graph)
    names = unrolling.body(body, _mark(node), {})
    for output, inner in zip(node.output, body.output, strict=False):
        unrolling.add("Identity", [names.get(inner.name, inner.name)], [output])
    return unrolling


def _loop(
    unrolling: Unrolled, node: NodeProto, graph: GraphProto, constants: Mapping[str, Any], most: int
) -> Unrolled | None:
    """Inputs: the number of steps, a condition, and the values that are carried from step to step."""
    trips, condition = constants.get(node.input[0]), node.input[1] if len(node.input) > 1 else ""
    if trips is None or (condition and not bool(constants.get(condition, False))) or not _goes_on(graph):
        return None
    steps, carried = int(trips), list(node.input[2:])
    if steps < 1 or steps * _of_a_step(graph) > most:
        return None
    graph = unrolling.lifted(graph)
    collected: list[list[str]] = [[] for _ in graph.output[1 + len(carried) :]]
    always = unrolling.constant(f"true{_mark(node)}", True)
    for step in range(steps):
        number = unrolling.constant(f"step{_mark(node, step)}", numpy.int64(step))
        bound = dict(zip([value.name for value in graph.input], [number, always, *carried], strict=True))
        names = unrolling.body(graph, _mark(node, step), bound)
        results = [names.get(value.name, value.name) for value in graph.output]
        carried = results[1 : 1 + len(carried)]
        for gathered, result in zip(collected, results[1 + len(carried) :], strict=True):
            gathered.append(result)
    return _closed(unrolling, node, carried, collected)


def _of_a_step(graph: GraphProto) -> int:
    """How many nodes one step becomes: the body's, and those that slice its inputs and collect its outputs."""
    own = sum(1 + sum(1 for _ in inside(node)) for node in graph.node)
    return own + len(graph.input) + len(graph.output)


def _goes_on(graph: GraphProto) -> bool:
    """Whether no step can end the loop: the condition is passed through unchanged, or is always true."""
    name = graph.output[0].name
    makers = {output: node for node in graph.node for output in node.output}
    while name in makers and makers[name].op_type in ("Identity", "Cast"):
        name = makers.pop(name).input[0]  # which a graph that goes in a circle comes back to
    if name in makers and makers[name].op_type == "Constant":
        return bool(numpy.all(numpy_helper.to_array(makers[name].attribute[0].t)))
    is_unchanged: bool = name == graph.input[1].name
    return is_unchanged


def _scan(
    unrolling: Unrolled, node: NodeProto, graph: GraphProto, lengths: Mapping[str, int], most: int
) -> Unrolled | None:
    """Inputs: the values that are carried from step to step, and tensors of which each step takes the next slice."""
    scanned = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 0)
    if any(a.name.startswith("scan_") and any(a.ints) for a in node.attribute) or not scanned:
        return None
    carried, sequences = list(node.input[:-scanned]), list(node.input[-scanned:])
    steps = lengths.get(sequences[0])
    if steps is None or not 1 <= steps * _of_a_step(graph) <= most:
        return None
    graph = unrolling.lifted(graph)
    collected: list[list[str]] = [[] for _ in graph.output[len(carried) :]]
    for step in range(steps):
        mark = _mark(node, step)
        number = unrolling.constant(f"step{mark}", numpy.int64(step))
        slices = [f"{name}{mark}.{at}" for at, name in enumerate(sequences)]
        for name, part in zip(sequences, slices, strict=True):
            unrolling.add("Gather", [name, number], [part], axis=0)
        names = unrolling.body(graph, mark, dict(zip([v.name for v in graph.input], [*carried, *slices], strict=True)))
        results = [names.get(value.name, value.name) for value in graph.output]
        carried = results[: len(carried)]
        for gathered, result in zip(collected, results[len(carried) :], strict=True):
            gathered.append(result)
    return _closed(unrolling, node, carried, collected)


def _closed(
    unrolling: Unrolled, node: NodeProto, carried: Sequence[str], collected: Sequence[Sequence[str]]
) -> Unrolled:
    """The node's outputs: the carried values after the last step, and the results of all steps concatenated."""
    for output, name in zip(node.output, carried, strict=False):
        if output:
            unrolling.add("Identity", [name], [output])
    axes = unrolling.constant(f"axes{_mark(node)}", numpy.array([0], dtype=numpy.int64))
    for output, several in zip(list(node.output)[len(carried) :], collected, strict=False):
        rows = list(_rows(unrolling, several, axes))
        if output:
            unrolling.add("Concat", rows, [output], axis=0)
    return unrolling


def _rows(unrolling: Unrolled, several: Sequence[str], axes: str) -> Iterator[str]:
    for at, name in enumerate(several):
        unrolling.add("Unsqueeze", [name, axes], [f"{name}.row{at}"])
        yield f"{name}.row{at}"
