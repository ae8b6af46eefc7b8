"""Which module of the original model does a node belong to? Read from its metadata, or from its name.

`torch.onnx.export(dynamo=True)` writes the modules' paths and classes as metadata. The older exporter, and others, name
a node by its path: `/layer1/layer1.0/conv1/Conv`.
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
# Names come from files and may be anything: parts beyond these limits are not read as modules.
_MOST_PARTS, _LONGEST_PART, _DEEPEST = 64, 1024, 256
_AGAIN = re.compile(r"(?P<path>.+)_\d+")


class Scopes:
    """Paths of modules, and their classes where the file has them. A second call of a module gets a path of its own."""

    def __init__(self, with_weights: Sequence[str], cost: Budget) -> None:
        self._cost = cost
        self.classes: dict[str, str] = {}
        self._paths: set[str] = set(with_weights)  # a path that weights are named by is surely a module

    def of(self, node: NodeProto) -> tuple[str, ...]:
        """The modules around a node, outermost first, without the root; behind an @, which call of the module it is."""
        metadata = {entry.key: entry.value for entry in node.metadata_props}
        paths = self._from_metadata(metadata) if _SCOPES in metadata else self._from_name(node.name)
        return tuple(path for path in paths[:_MOST_PARTS] if path.count(".") < _DEEPEST)

    def _from_metadata(self, metadata: Mapping[str, str]) -> tuple[str, ...]:
        """From the lists of paths and of classes, both of which end with the operator itself."""
        paths, classes = _names(metadata[_SCOPES])[:-1], _names(metadata.get(_CLASSES, ""))[:-1]
        for path, cls in zip(paths, classes, strict=False):
            self.classes.setdefault(path, cls)
        self._add(paths)
        return tuple(dict.fromkeys(path for path in paths if path))

    def _from_name(self, name: str) -> tuple[str, ...]:
        paths: list[str] = []
        walked = ""
        for part in name.strip("/").split("/", _MOST_PARTS)[:-1]:
            if not part or len(part) > _LONGEST_PART:
                continue
            walked = _below(walked, part)
            plain = self._plain(walked)
            walked = plain.partition("@")[0]
            self._add([walked])
            paths.append(plain)
        return tuple(paths)

    def _add(self, paths: Sequence[str]) -> None:
        before = len(self._paths)
        self._paths.update(paths)
        self._cost.charge(MODULES, len(self._paths) - before)

    def _plain(self, path: str) -> str:
        """`relu_1` is the second call of `relu` where there is a `relu`, and no module `relu_1` that has weights."""
        again = _AGAIN.fullmatch(path)
        if again is None or path in self._paths or again["path"] not in self._paths:
            return path
        return f"{again['path']}@{path.rpartition('_')[2]}"


def has_scope(node: NodeProto) -> bool:
    """Whether a node's metadata or name says which module it was in; the root counts."""
    return "/" in node.name or any(entry.key == _SCOPES for entry in node.metadata_props)


def with_neighbours(rows: Sequence[tuple[Inferred, Path]]) -> Iterator[tuple[Inferred, Path]]:
    """Nodes with their modules; a node without a scope is in the modules that both of its neighbours are in."""
    after: list[Path] = []
    following: Path = ()
    for row, path in reversed(rows):
        after.append(following)
        following = path if has_scope(row.node) else following
    before: Path = ()
    for (row, path), next_ in zip(rows, reversed(after), strict=True):
        before = path if has_scope(row.node) else _common(before, next_)
        yield row, before


def _common(first: Path, second: Path) -> Path:
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _names(text: str) -> list[str]:
    """The strings of a list that is written as Python writes it; none where it is not one."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    return [str(item) for item in value] if isinstance(value, list) else []


def _below(path: str, part: str) -> str:
    """A part may repeat the end of the path it continues: `features.0` after `features`."""
    words = path.split(".") if path else []
    for first in range(max(0, len(words) - _DEEPEST), len(words)):
        tail = ".".join(words[first:])
        if part.startswith(f"{tail}."):
            return path + part[len(tail) :]
    return f"{path}.{part}" if path else part
