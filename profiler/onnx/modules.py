"""The tree of modules that nodes and weights are in, and the calls of modules that can be read off the nodes' order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from profiler.records import Call, Module, ModuleCall, Signature, Storage, Tensor, tensors

_ROOT, _NOT_TOLD = "onnx.Graph", "onnx.Module"


class Tree:
    """Paths in the order in which they are met; `classes` are those that the file tells."""

    def __init__(self, classes: Mapping[str, str]) -> None:
        self._classes = classes
        self._children: dict[str, dict[str, None]] = {"": {}}
        self._ops: dict[str, list[str]] = {}
        self._rows: dict[str, int] = {}

    def add(self, path: str) -> None:
        while path not in self._children:
            self._children[path] = {}
            parent = path.rpartition(".")[0]
            self._children.setdefault(parent, {})[path] = None
            if parent:
                self._ensure(parent)
                self._children[parent][path] = None
            path = parent

    def _ensure(self, path: str) -> None:
        """A parent that was met as such only has to be its own parent's child, too."""
        grand = path.rpartition(".")[0]
        self._children.setdefault(grand, {}).setdefault(path, None)
        if grand:
            self._ensure(grand)

    def follow(self, path: tuple[str, ...], op: str) -> None:
        """A call of an operator in these modules."""
        for entry in path:
            self.add(entry.partition("@")[0])
        self._ops.setdefault(path[-1].partition("@")[0] if path else "", []).append(op)

    def modules(self) -> tuple[Module, ...]:
        paths = list(self._preorder(""))
        self._rows = {path: row for row, path in enumerate(paths)}
        return tuple(Module(path, (self._class(path),), ()) for path in paths)

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
        return _ROOT if not path else _NOT_TOLD


def module_calls(
    paths: Sequence[tuple[str, ...]],
    calls: Sequence[Call],
    signatures: Sequence[Signature],
    storages: Sequence[Storage],
    tree: Tree,
) -> tuple[ModuleCall, ...]:
    """A stretch of calls in one module is one call of it; the root's is the whole."""
    made = _made(calls, signatures)
    last = _last_reads(calls)
    found: list[ModuleCall] = []

    def enter(rows: Sequence[int], depth: int) -> None:
        for entry, several in groupby(rows, key=lambda row: paths[row][depth] if len(paths[row]) > depth else None):
            inside = list(several)
            if entry is not None:
                enter(inside, depth + 1)
                found.append(_module_call(tree.row(entry.partition("@")[0]), inside))

    def _module_call(module: int, inside: Sequence[int]) -> ModuleCall:
        first, end = inside[0], inside[-1] + 1
        own = {storage for row in inside for storage in calls[row].writes}
        read = dict.fromkeys(storage for row in inside for storage in calls[row].reads)
        given = [s for s in read if storages[s].role in ("activation", "input") and storages[s].born < first]
        outs = [s for s in dict.fromkeys(made) if s in own and last.get(s, len(calls)) >= end]
        inputs = tuple(found_ for s in given if (found_ := _at(s, first, calls, signatures)) is not None)
        results = tuple(found_ for s in outs if (found_ := _at(s, end, calls, signatures)) is not None)
        return ModuleCall(module, first, end, inputs, results[0] if len(results) == 1 else results)

    enter(range(len(calls)), 0)
    return tuple(found)


def _made(calls: Sequence[Call], signatures: Sequence[Signature]) -> list[int]:
    return [storage for call in calls for storage in call.writes]


def _last_reads(calls: Sequence[Call]) -> dict[int, int]:
    return {storage: row for row, call in enumerate(calls) for storage in call.reads}


def _at(storage: int, before: int, calls: Sequence[Call], signatures: Sequence[Signature]) -> Tensor | None:
    """The tensor that was last made in some memory."""
    for row in range(before - 1, -1, -1):
        call = calls[row]
        if storage in call.writes:
            returned = list(tensors(signatures[call.signature].output))
            return returned[call.writes.index(storage)] if len(returned) == len(call.writes) else None
    return None
