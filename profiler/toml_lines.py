"""On which line of a TOML file does a key stand? The standard library's reader does not say.

A TOML file is a list of statements: a table's header, or a key with its value. No statement is complete before its last
line, so lines are put together until the reader accepts them; what it then reads is what begins on the first of them.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


def lines(text: str) -> Mapping[Path, int]:
    """The line, from 1, on which each key and each element of a list begins: `{("models", 0, "model"): 2}`.

    text: valid TOML.
    """
    found: dict[Path, int] = {}
    arrays: Counter[Path] = Counter()  # how many tables each [[array]] has so far
    table: Path = ()
    for line, statement in _statements(text.replace("\r\n", "\n").split("\n")):
        data = tomllib.loads("\n".join(statement))
        if statement[0].lstrip().startswith("["):
            table = _entered(data, arrays)
            for end in range(1, len(table) + 1):
                found.setdefault(table[:end], line)
        else:
            for path, offset in _offsets(statement, data):
                found.setdefault(table + path, line + offset)
    return found


def _statements(rows: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Each statement's lines, with the number of the first; blank lines and comments are statements of nothing."""
    first = 0
    for end in range(1, len(rows) + 1):
        if _reads("\n".join(rows[first:end])) is not None:
            yield first + 1, rows[first:end]
            first = end


def _reads(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _entered(header: dict[str, Any], arrays: Counter[Path]) -> Path:
    """The table that `[a.b]` or `[[a.b]]` opens; a part that names an [[array]] means its last table."""
    path: Path = ()
    node: Any = header
    while isinstance(node, dict) and node:
        ((name, node),) = node.items()
        path += (name,)
        if isinstance(node, list):
            arrays[path] += 1
        if path in arrays:
            path += (arrays[path] - 1,)
    return path


def _offsets(statement: list[str], data: dict[str, Any]) -> Iterator[tuple[Path, int]]:
    """All that a key with its value holds. In a list over several lines, each element has a line of its own."""
    before = 0  # lines that hold whole elements
    for end in range(1, len(statement)):
        part = _reads("\n".join([*statement[:end], "]"]))
        if part is not None:
            yield from ((path, before) for path in _paths(part))
            before = end
    yield from ((path, before) for path in _paths(data))


def _paths(node: Any) -> Iterator[Path]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield (name,)
        yield from ((name, *path) for path in _paths(child))
