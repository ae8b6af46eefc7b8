"""In which module of the original model was a node? From what exporters write down: metadata, or the node's name.

`torch.onnx.export(dynamo=True)` keeps the modules' paths and classes as metadata. The older exporter, and others, name
nodes by the way to them: `/layer1/layer1.0/conv1/Conv`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TypeAlias

from onnx import NodeProto

from profiler.records.files.limits import MODULES, Budget
from profiler.sources.onnx.shapes import Inferred

Path: TypeAlias = "tuple[str, ...]"

_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
# A name is somebody else's: what goes on behind so many parts is no scope, and neither is a part of a page of text.
_MOST_PARTS, _LONGEST_PART, _DEEPEST = 64, 1024, 256
_AGAIN = re.compile(r"(?P<path>.+)_\d+")


class Scopes:
    """Paths of modules, the classes that are told of them, and calls: a module that runs a second time is met again."""

    def __init__(self, holding: Sequence[str], cost: Budget) -> None:
        self._cost = cost
        self.classes: dict[str, str] = {}
        self._paths: set[str] = set(holding)  # those that hold weights are surely modules

    def of(self, node: NodeProto) -> tuple[str, ...]:
        """The modules around a node from the outermost in, without the root; what tells a call apart is behind an @."""
        told = {entry.key: entry.value for entry in node.metadata_props}
        found = self._told(told) if _SCOPES in told else self._named(node.name)
        return tuple(path for path in found[:_MOST_PARTS] if path.count(".") < _DEEPEST)

    def _told(self, told: Mapping[str, str]) -> tuple[str, ...]:
        """Both lists end with the operator itself."""
        paths, classes = _names(told[_SCOPES])[:-1], _names(told.get(_CLASSES, ""))[:-1]
        for path, cls in zip(paths, classes, strict=False):
            self.classes.setdefault(path, cls)
        self._meet(paths)
        return tuple(dict.fromkeys(path for path in paths if path))

    def _named(self, name: str) -> tuple[str, ...]:
        found: list[str] = []
        walked = ""
        for part in name.strip("/").split("/", _MOST_PARTS)[:-1]:
            if not part or len(part) > _LONGEST_PART:
                continue
            walked = _below(walked, part)
            plain = self._plain(walked)
            walked = plain.partition("@")[0]
            self._meet([walked])
            found.append(plain)
        return tuple(found)

    def _meet(self, paths: Sequence[str]) -> None:
        before = len(self._paths)
        self._paths.update(paths)
        self._cost.charge(MODULES, len(self._paths) - before)

    def _plain(self, path: str) -> str:
        """`relu_1` is `relu` the second time where there is a `relu`, and no module of its own name with weights."""
        again = _AGAIN.fullmatch(path)
        if again is None or path in self._paths or again["path"] not in self._paths:
            return path
        return f"{again['path']}@{path.rpartition('_')[2]}"


def is_told(node: NodeProto) -> bool:
    """Whether a node says where it was, be it in no module."""
    return "/" in node.name or any(entry.key == _SCOPES for entry in node.metadata_props)


def with_neighbours(rows: Sequence[tuple[Inferred, Path]]) -> Iterator[tuple[Inferred, Path]]:
    """Nodes with their modules; one that nothing is told of is in the modules that both of its neighbours are in."""
    after: list[Path] = []
    following: Path = ()
    for row, path in reversed(rows):
        after.append(following)
        following = path if is_told(row.node) else following
    before: Path = ()
    for (row, path), next_ in zip(rows, reversed(after), strict=True):
        before = path if is_told(row.node) else _common(before, next_)
        yield row, before


def _common(one: Path, other: Path) -> Path:
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _names(text: str) -> list[str]:
    """A list of strings, as Python writes it."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    return [str(item) for item in found] if isinstance(found, list) else []


def _below(path: str, part: str) -> str:
    """A part may repeat the end of the path it continues: `features.0` after `features`."""
    words = path.split(".") if path else []
    for first in range(max(0, len(words) - _DEEPEST), len(words)):
        tail = ".".join(words[first:])
        if part.startswith(f"{tail}."):
            return path + part[len(tail) :]
    return f"{path}.{part}" if path else part
