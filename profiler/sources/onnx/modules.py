"""In which modules are nodes and weights, and which calls of these can be read off the nodes' order?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from profiler.ops.layers.kind import settings_by_call
from profiler.records.trace import Call, Module, ModuleCall, Signature, Storage, Tensor

_ROOT, _NO_CLASS = "onnx.Graph", "onnx.Module"
# Operators that accompany the one which a layer's class is named after: the bias, and changes of shape.
_BESIDE = frozenset(
    {"Add", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Cast", "Constant"}
)


class Tree:
    """Paths of modules in order of first use; `classes` are the modules' classes, where the file has them."""

    def __init__(self, classes: Mapping[str, str]) -> None:
        self._classes = classes
        self._children: dict[str, dict[str, None]] = {"": {}}
        self._ops: dict[str, list[str]] = {}
        self._signatures: dict[str, list[Signature]] = {}
        self._rows: dict[str, int] = {}

    def add(self, path: str) -> None:
        """Add a module, and the modules around it, unless they are there already."""
        if path in self._children:
            return
        parent = path.rpartition(".")[0]
        self.add(parent)
        self._children[parent][path] = None
        self._children[path] = {}

    def follow(self, path: tuple[str, ...], op: str) -> None:
        """Add the modules of a path, and note that its innermost one calls an operator."""
        for entry in path:
            self.add(entry.partition("@")[0])
        self._ops.setdefault(path[-1].partition("@")[0] if path else "", []).append(op)

    def call(self, path: str, signature: Signature) -> None:
        """Note an operator call in a module; the module's settings are read from such calls."""
        self._signatures.setdefault(path, []).append(signature)

    def modules(self) -> tuple[Module, ...]:
        paths = list(self._preorder(""))
        self._rows = {path: row for row, path in enumerate(paths)}
        return tuple(self._module(path) for path in paths)

    def _module(self, path: str) -> Module:
        cls = self._class(path)
        settings = (settings_by_call(cls, s.op, s.args) for s in self._signatures.get(path, ()))
        return Module(path, (cls,), tuple(next(filter(None, settings), {}).items()))

    def row(self, path: str) -> int:
        return self._rows[path]

    def _preorder(self, path: str) -> Iterator[str]:
        yield path
        for child in self._children.get(path, ()):
            yield from self._preorder(child)

    def _class(self, path: str) -> str:
        """The class in the file; else, for a module with a single computing operator, that: `onnx.Conv`."""
        if path in self._classes:
            return self._classes[path]
        ops = {op for op in self._ops.get(path, ()) if op not in _BESIDE}
        if path and len(ops) == 1 and not self._children[path]:
            return f"onnx.{ops.pop().rpartition('.')[2]}"
        return _NO_CLASS if path else _ROOT


def module_calls(
    paths: Sequence[tuple[str, ...]],
    calls: Sequence[Call],
    outputs: Mapping[tuple[int, int], Tensor],
    storages: Sequence[Storage],
    tree: Tree,
) -> tuple[ModuleCall, ...]:
    """Consecutive operator calls in one module are one call of that module; all calls together are one of the root.

    `paths` are the modules around each call, `outputs` the nodes' output tensors, by the node's last call and storage.
    """
    last = {storage: row for row, call in enumerate(calls) for storage in call.reads}
    writes: dict[int, list[tuple[int, Tensor]]] = {}
    for (row, storage), tensor in outputs.items():
        writes.setdefault(storage, []).append((row, tensor))
    ordered: list[ModuleCall] = []

    def enter(rows: Sequence[int], depth: int) -> None:
        for entry, group in groupby(rows, key=lambda row: paths[row][depth] if len(paths[row]) > depth else None):
            inside = list(group)
            if entry is not None:
                enter(inside, depth + 1)
                ordered.append(call_of(tree.row(entry.partition("@")[0]), inside[0], inside[-1] + 1))

    def call_of(module: int, first: int, end: int) -> ModuleCall:
        read = dict.fromkeys(storage for row in range(first, end) for storage in calls[row].reads)
        written = dict.fromkeys(storage for row in range(first, end) for storage in calls[row].writes)
        taken = [s for s in read if storages[s].role == "activation" and storages[s].born < first]
        produced = (s for s in written if storages[s].role in ("activation", "input"))
        lasting = [s for s in produced if last.get(s, len(calls)) >= end or storages[s].died is None]
        inputs = tuple(tensor for s in taken if (tensor := _before(writes.get(s, ()), first)) is not None)
        outputs = tuple(tensor for s in lasting if (tensor := _before(writes.get(s, ()), end)) is not None)
        return ModuleCall(module, first, end, inputs, outputs[0] if len(outputs) == 1 else outputs)

    enter(range(len(calls)), 0)
    if calls:
        ordered.append(call_of(0, 0, len(calls)))
    return tuple(ordered)


def _before(writes: Sequence[tuple[int, Tensor]], end: int) -> Tensor | None:
    """The tensor that was written last before a call; `writes` are all tensors of one storage, in order."""
    return next((tensor for row, tensor in reversed(writes) if row < end), None)
