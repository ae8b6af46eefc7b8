"""The tree of modules that nodes and weights are in, and the calls of modules that can be read off the nodes' order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from profiler.ops.layers.kind import settings_by_call
from profiler.records.trace import Call, Module, ModuleCall, Signature, Storage, Tensor

_ROOT, _NOT_TOLD = "onnx.Graph", "onnx.Module"
# What stands beside the operator that a layer is called by: a bias, and changes of shape.
_BESIDE = frozenset(
    {"Add", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Cast", "Constant"}
)


class Tree:
    """Paths in the order in which they are met; `classes` are those that the file tells."""

    def __init__(self, classes: Mapping[str, str]) -> None:
        self._classes = classes
        self._children: dict[str, dict[str, None]] = {"": {}}
        self._ops: dict[str, list[str]] = {}
        self._signatures: dict[str, list[Signature]] = {}
        self._rows: dict[str, int] = {}

    def add(self, path: str) -> None:
        """A module, and those around it that are not there yet."""
        if path in self._children:
            return
        parent = path.rpartition(".")[0]
        self.add(parent)
        self._children[parent][path] = None
        self._children[path] = {}

    def follow(self, path: tuple[str, ...], op: str) -> None:
        """A call of an operator in these modules."""
        for entry in path:
            self.add(entry.partition("@")[0])
        self._ops.setdefault(path[-1].partition("@")[0] if path else "", []).append(op)

    def call(self, path: str, signature: Signature) -> None:
        """What a node of a module amounts to."""
        self._signatures.setdefault(path, []).append(signature)

    def modules(self) -> tuple[Module, ...]:
        paths = list(self._preorder(""))
        self._rows = {path: row for row, path in enumerate(paths)}
        return tuple(self._module(path) for path in paths)

    def _module(self, path: str) -> Module:
        cls = self._class(path)
        told = (settings_by_call(cls, s.op, s.args) for s in self._signatures.get(path, ()))
        return Module(path, (cls,), tuple(next(filter(None, told), {}).items()))

    def row(self, path: str) -> int:
        return self._rows[path]

    def _preorder(self, path: str) -> Iterator[str]:
        yield path
        for child in self._children.get(path, ()):
            yield from self._preorder(child)

    def _class(self, path: str) -> str:
        """As it is told; else by the only operator that computes in a module without others, such as `onnx.Conv`."""
        if path in self._classes:
            return self._classes[path]
        ops = {op for op in self._ops.get(path, ()) if op not in _BESIDE}
        if path and len(ops) == 1 and not self._children[path]:
            return f"onnx.{ops.pop().rpartition('.')[2]}"
        return _NOT_TOLD if path else _ROOT


def module_calls(
    paths: Sequence[tuple[str, ...]],
    calls: Sequence[Call],
    results: Mapping[tuple[int, int], Tensor],
    storages: Sequence[Storage],
    tree: Tree,
) -> tuple[ModuleCall, ...]:
    """A stretch of calls in one module is one call of it; the root's is the whole.

    `paths` are the modules around each call, `results` what nodes gave, by their last call and the memory.
    """
    last = {storage: row for row, call in enumerate(calls) for storage in call.reads}
    made: dict[int, list[tuple[int, Tensor]]] = {}
    for (row, storage), tensor in results.items():
        made.setdefault(storage, []).append((row, tensor))
    found: list[ModuleCall] = []

    def enter(rows: Sequence[int], depth: int) -> None:
        for entry, several in groupby(rows, key=lambda row: paths[row][depth] if len(paths[row]) > depth else None):
            inside = list(several)
            if entry is not None:
                enter(inside, depth + 1)
                found.append(called(tree.row(entry.partition("@")[0]), inside[0], inside[-1] + 1))

    def called(module: int, first: int, end: int) -> ModuleCall:
        read = dict.fromkeys(storage for row in range(first, end) for storage in calls[row].reads)
        written = dict.fromkeys(storage for row in range(first, end) for storage in calls[row].writes)
        given = [s for s in read if storages[s].role == "activation" and storages[s].born < first]
        kept = (s for s in written if storages[s].role in ("activation", "input"))
        gone = [s for s in kept if last.get(s, len(calls)) >= end or storages[s].died is None]
        inputs = tuple(tensor for s in given if (tensor := _before(made.get(s, ()), first)) is not None)
        results = tuple(tensor for s in gone if (tensor := _before(made.get(s, ()), end)) is not None)
        return ModuleCall(module, first, end, inputs, results[0] if len(results) == 1 else results)

    enter(range(len(calls)), 0)
    if calls:
        found.append(called(0, 0, len(calls)))
    return tuple(found)


def _before(made: Sequence[tuple[int, Tensor]], end: int) -> Tensor | None:
    """What was last made in some memory before a call."""
    return next((tensor for row, tensor in reversed(made) if row < end), None)
