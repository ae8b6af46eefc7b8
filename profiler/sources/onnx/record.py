"""What is recorded of an ONNX graph? Its operator calls, their memory, and the modules that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from onnx import AttributeProto, ModelProto, NodeProto, helper

from profiler.ops import cost
from profiler.records.files.limits import Budget
from profiler.records.trace import Call, Caller, Input, Packing, Signature, Storage, Tensor, Trace, Value, Weight
from profiler.sources.onnx import (  # noqa: F401
    attention,
    elementwise,
    experts,
    images,
    losses,
    movement,
    norms,
    notes,
    products,
    quantised,
    recurrent,
    signal,
)
from profiler.sources.onnx.control import inside
from profiler.sources.onnx.modules import Tree, module_calls
from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, operands, parts
from profiler.sources.onnx.scopes import Scopes, with_neighbours
from profiler.sources.onnx.shapes import Inferred, Shapes, full_name
from profiler.sources.onnx.values import stored
from profiler.sources.onnx.weights import (
    OnnxWeight,
    is_named,
    modules_with_weights,
    packing_of,
    scaled_weight,
    scales_of,
    stored_as,
    weight_of,
)


@dataclass(slots=True)
class _Use:
    """An initialiser with the nodes that use it."""

    tensor: Tensor
    nodes: list[tuple[NodeProto, str, int, str]] = field(default_factory=list)


class Recording:
    """Builds the trace of one model, node by node."""

    def __init__(self, model: ModelProto, inputs: Mapping[str, Tensor], cost: Budget) -> None:
        self._model = model
        self._input_tensors = inputs
        self._shapes = Shapes(model, inputs, cost)
        self._initializers = self._shapes.initializers
        self._scopes = Scopes(sorted(modules_with_weights(self._initializers)), cost)
        self._rows: list[tuple[Inferred, tuple[str, ...]]] = []
        self._storages: list[Storage] = []
        self._storage_of: dict[str, int] = {}  # value -> storage
        self._signatures: dict[Signature, int] = {}
        self._calls: list[tuple[int, tuple[str, ...], tuple[int, ...], tuple[int, ...]]] = []
        self._last_use: dict[int, int] = {}
        self._uses: dict[str, _Use] = {}
        self._scales: dict[str, str] = {}  # values that are scales or zero points, and the weights that they are of
        self._aliases: dict[str, str] = {}  # output of an Identity -> the initialiser that it repeats
        self._followed: list[tuple[tuple[str, ...], str]] = []  # nodes' modules and operators
        self._results: dict[tuple[int, int], Tensor] = {}  # outputs of nodes, by the node's last call and the storage
        self._failures: list[str] = []
        self._rule_notes: list[str] = []  # remarks of rules on what their counts leave out

    def trace(self, name: str, versions: Mapping[str, str]) -> Trace:
        for value, tensor in self._input_tensors.items():
            self._storage_of[value] = self._storage(tensor.size_bytes, "input")
        for row in self._shapes.walk(self._model.graph.node):
            self._count_uses(row)
        self._rows = list(with_neighbours(self._rows))
        weights = self._weights()
        self._place(weights)
        for row, path in self._rows:
            self._emit(row, self._owned(row, path, weights))
        outputs = self._outputs()
        self._release(outputs)
        tree = Tree(self._scopes.classes)
        return self._finished(name, versions, weights, tree, outputs)

    # First: which node uses which initialiser ------------------------------------------------------------------------

    def _count_uses(self, row: Inferred) -> None:
        node = row.node
        if node.op_type == "Identity" and self._resolved(node.input[0]) in self._initializers:
            self._aliases[node.output[0]] = self._resolved(node.input[0])
            return
        path = self._scopes.of(node)
        if row.folded or node.op_type == "Constant":
            return
        self._rows.append((row, path))
        here = path[-1].partition("@")[0] if path else ""
        self._use(node, row.op, here)
        for inner in inside(node):
            self._use(inner, full_name(inner), here)

    def _use(self, node: NodeProto, op: str, path: str) -> None:
        self._scales.update(scales_of(node, op))
        for position, input_name in enumerate(node.input):
            name = self._resolved(input_name)
            tensor = self._shapes.tensor(name)
            if name in self._initializers and tensor is not None:
                self._uses.setdefault(name, _Use(tensor)).nodes.append((node, op, position, path))

    def _resolved(self, name: str) -> str:
        return self._aliases.get(name, name)

    def _weights(self) -> dict[str, OnnxWeight]:
        weights = {}
        for name, use in self._uses.items():
            weight = weight_of(name, use.tensor, use.nodes, name in self._shapes.literals)
            scaled = self._resolved(scaled_weight(name, use.nodes, self._scales))
            if scaled in self._uses:
                path, _, last = name.rpartition(".") if is_named(name) else ("", "", name)
                weights[name] = OnnxWeight(path, last, False, packing=Packing(self._form(scaled)))
            elif weight is not None:
                weights[name] = weight._replace(packing=packing_of(use.tensor, use.nodes))
        return self._beside(weights)

    def _form(self, name: str) -> str:
        """How a weight is stored, in a word."""
        use = self._uses[name]
        packing = stored_as(use.tensor, self._shapes.sparse.get(name), packing_of(use.tensor, use.nodes))[1]
        return use.tensor.dtype if packing is None else packing.format

    def _beside(self, weights: dict[str, OnnxWeight]) -> dict[str, OnnxWeight]:
        """A weight without a name of its own belongs where another weight of the same node has one."""
        named = {name for name, weight in weights.items() if is_named(name) and not weight.is_computed}
        owners = {
            id(node): weights[name].path for name in named for node, op, *_ in self._uses[name].nodes if op in _PRODUCTS
        }
        moved = dict(weights)
        for name, weight in weights.items():
            if name not in named:
                paths = (owners[id(node)] for node, *_ in self._uses[name].nodes if id(node) in owners)
                moved[name] = weight._replace(path=next(paths, weight.path))
        return moved

    def _place(self, weights: Mapping[str, OnnxWeight]) -> None:
        for name, initializer in self._initializers.items():
            kind = stored(initializer)
            if kind is not None:
                weight = weights.get(name)
                role = "parameter" if weight is not None and not weight.is_buffer else "buffer"
                self._storage_of[name] = self._storage(self._stored(name, kind)[0].size_bytes, role)
        for alias, name in self._aliases.items():
            if name in self._storage_of:
                self._storage_of[alias] = self._storage_of[name]

    def _stored(self, name: str, tensor: Tensor, packing: Packing | None = None) -> tuple[Tensor, Packing | None]:
        return stored_as(tensor, self._shapes.sparse.get(name), packing)

    def _owned(self, row: Inferred, path: tuple[str, ...], weights: Mapping[str, OnnxWeight]) -> tuple[str, ...]:
        """A product belongs to the module whose named weight it uses, even if its node lost that module's name."""
        if row.op not in _PRODUCTS:
            return path
        for input_name in row.node.input:
            name = self._resolved(input_name)
            weight = weights.get(name)
            if weight is not None and is_named(name) and len(self._uses[name].nodes) == 1:
                here = path[-1].partition("@")[0] if path else ""
                around = tuple(p for p in path if _is_around(p.partition("@")[0], weight.path))
                return path if here == weight.path else (*around, weight.path)
        return path

    # Then: the calls of each node ------------------------------------------------------------------------------------

    def _emit(self, row: Inferred, path: tuple[str, ...]) -> None:
        node = self._node(row)
        self._followed.append((path, row.op))
        try:
            node_parts = self._priced(row, node)
            self._rule_notes += [f"{row.node.name or row.op}: {note}" for note in node.notes]
        except Uncovered as error:
            self._failures.append(f"{row.node.name or row.op}: {error}")
            node_parts = [_unknown(node, row.op)]
        places: dict[tuple[str, int], int] = {}
        for index, value in enumerate(row.node.input):
            if value in self._storage_of:
                places["input", index] = self._storage_of[value]
        for part in node_parts:
            self._call(part, path, places)
        for index, value in enumerate(row.node.output):
            if value:
                storage = self._storage_of[value] = self._output_storage(node_parts, index, places)
                tensor = self._shapes.tensor(value)
                if tensor is not None:
                    self._results[len(self._calls) - 1, storage] = tensor

    def _priced(self, row: Inferred, node: OnnxNode) -> list[Part]:
        if row.failure:
            raise Uncovered(row.failure)
        node_parts = parts(node)
        if not all(map(_has_price, node_parts)):
            raise Uncovered("no formula covers its arguments")
        return node_parts

    def _output_storage(self, node_parts: Sequence[Part], index: int, places: dict[tuple[str, int], int]) -> int:
        """The storage of a node's output: a new one, or that of the input which it is a view of."""
        for part in reversed(node_parts):
            outs = part.out if isinstance(part.out, tuple) else (part.out,)
            for position, operand in enumerate(outs):
                if isinstance(operand, Operand) and operand.place == ("output", index):
                    return places[operand.place]
                if (
                    isinstance(operand, Operand)
                    and operand.place[0] == "input"
                    and position == min(index, len(outs) - 1)
                ):
                    return places[operand.place]
        return places.setdefault(("output", index), self._storage(0, "activation", len(self._calls) - 1))

    def _node(self, row: Inferred) -> OnnxNode:
        node = row.node
        inputs = tuple(self._operand(name, "input", index) for index, name in enumerate(node.input))
        outputs = tuple(self._operand(name, "output", index) for index, name in enumerate(node.output))
        attributes = {a.name: _attribute(a) for a in node.attribute}
        constants = tuple(self._shapes.constants.get(self._resolved(name)) if name else None for name in node.input)
        opset = self._shapes.opsets.get(node.domain, self._shapes.opset)
        return OnnxNode(row.op, inputs, outputs, attributes, constants, opset)

    def _operand(self, name: str, side: str, index: int) -> Operand | None:
        tensor = self._shapes.tensor(self._resolved(name)) if name else None
        return None if tensor is None else Operand(tensor, (side, index))

    def _call(self, part: Part, path: tuple[str, ...], places: dict[tuple[str, int], int]) -> None:
        now = len(self._calls)
        reads = tuple(self._at(operand, places, now) for operand in operands(part.args))
        writes = tuple(self._at(operand, places, now) for operand in operands((part.out,)))
        signature = _signature(part)
        number = self._signatures.setdefault(signature, len(self._signatures))
        self._calls.append((number, path, reads, writes))
        for storage in (*reads, *writes):
            self._last_use[storage] = now

    def _at(self, operand: Operand, places: dict[tuple[str, int], int], now: int) -> int:
        """The storage of an operand; a temporary that has none yet is allocated by this call."""
        if operand.place not in places:
            born = -1 if operand.place[0] == "input" else now
            places[operand.place] = self._storage(operand.tensor.size_bytes, "activation", born)
        return places[operand.place]

    def _storage(self, size_bytes: int, role: str, born: int = -1) -> int:
        self._storages.append(Storage(size_bytes, role, born))
        return len(self._storages) - 1

    # Last: lifetimes of storages, and the trace ----------------------------------------------------------------------

    def _outputs(self) -> tuple[int, ...]:
        names = [value.name for value in self._model.graph.output if value.name in self._storage_of]
        return tuple(dict.fromkeys(self._storage_of[name] for name in names))

    def _release(self, outputs: Iterable[int]) -> None:
        """Every storage that is not an output of the graph is freed after its last use."""
        returned = set(outputs)
        for index, storage in enumerate(self._storages):
            if storage.born >= 0 and index not in returned:
                storage.died = self._last_use.get(index, storage.born) + 1

    def _finished(
        self,
        name: str,
        versions: Mapping[str, str],
        weights: Mapping[str, OnnxWeight],
        tree: Tree,
        outputs: tuple[int, ...],
    ) -> Trace:
        signatures = tuple(self._signatures)
        for path, op in self._followed:
            tree.follow(path, op)
        for weight in weights.values():
            tree.add(weight.path)
        for number, path, *_ in self._calls:
            tree.call(path[-1].partition("@")[0] if path else "", signatures[number])
        modules = tree.modules()
        calls = [
            Call(number, tree.row(path[-1].partition("@")[0] if path else ""), reads, writes)
            for number, path, reads, writes in self._calls
        ]
        return Trace(
            model=name,
            source="onnx",
            engine="onnx",
            inputs=tuple(self._inputs()),
            modules=modules,
            parameters=tuple(self._listed(weights, tree, False)),
            buffers=tuple(self._listed(weights, tree, True)),
            signatures=signatures,
            calls=tuple(calls),
            callers=(Caller((), False),),
            composites=(),
            module_calls=module_calls(
                [path for _, path, *_ in self._calls], calls, self._results, self._storages, tree
            ),
            storages=tuple(self._storages),
            outputs=outputs,
            versions=versions,
            notes=tuple(self._notes(weights)),
        )

    def _inputs(self) -> Iterator[Input]:
        """A lone input goes without a name, as one that is passed by position."""
        for name, tensor in self._input_tensors.items():
            yield Input(name if len(self._input_tensors) > 1 else None, tensor.shape, tensor.dtype)

    def _notes(self, weights: Mapping[str, OnnxWeight]) -> Iterator[str]:
        nodes = [row.node for row, _ in self._rows]
        tensors = {name: use.tensor for name, use in self._uses.items()}
        shared = [name for name in weights if len({path for *_, path in self._uses[name].nodes}) > 1]
        shared += sorted({name for name in self._aliases.values() if name in weights} - set(shared))
        computed = [name for name, weight in weights.items() if weight.is_computed]
        yield from notes.folded(nodes, self._resolved)
        yield from notes.stored(computed, shared, tensors)
        yield from notes.several(dict.fromkeys(self._rule_notes))
        yield from notes.unknown(self._failures)

    def _listed(self, weights: Mapping[str, OnnxWeight], tree: Tree, buffers: bool) -> list[Weight]:
        listed: list[Weight] = []
        for name, weight in sorted(weights.items(), key=lambda item: tree.row(item[1].path)):
            if weight.is_buffer == buffers:
                tensor, packing = self._stored(name, self._uses[name].tensor, weight.packing)
                listed.append(
                    Weight(
                        tree.row(weight.path), weight.name, tensor, self._storage_of[name], not buffers, packing=packing
                    )
                )
        return listed


_PRODUCTS = frozenset(
    {
        "Conv", "ConvTranspose", "com.microsoft.FusedConv", "ConvInteger", "QLinearConv", "Gemm", "MatMul",
        "MatMulInteger", "QLinearMatMul", "com.microsoft.FusedMatMul", "com.microsoft.QGemm", "LSTM", "GRU", "RNN",
        "com.microsoft.MatMulNBits", "com.microsoft.DynamicQuantizeMatMul", "com.microsoft.MatMulIntegerToFloat",
    }
)  # fmt: skip


def _is_around(outer: str, inner: str) -> bool:
    return inner.startswith(f"{outer}.")


def _has_price(part: Part) -> bool:
    """Whether the operator's formula accepts the arguments; those of a malformed node it may not."""
    try:
        cost(_signature(part))
    except Exception:  # a formula may fail in any way with arguments that no schema allows
        return False
    return True


def _signature(part: Part) -> Signature:
    kwargs = tuple((name, _plain(value)) for name, value in part.kwargs)
    return Signature(part.op, tuple(map(_plain, part.args)), kwargs, _plain(part.out))


def _unknown(node: OnnxNode, op: str) -> Part:
    outs = tuple(operand for operand in node.outputs if operand is not None)
    inputs = tuple(operand for operand in node.inputs if operand is not None)
    return Part(f"onnx.{op}", inputs, outs[0] if len(outs) == 1 else outs)


def _plain(value: Any) -> Value:
    if isinstance(value, Operand):
        return value.tensor
    if isinstance(value, (tuple, list)):
        return tuple(map(_plain, value))
    plain: Value = value
    return plain


def _attribute(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (int, float)):
        return value
    if attribute.type == AttributeProto.STRINGS:
        return [item.decode(errors="replace") for item in value]
    return list(value) if attribute.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value
