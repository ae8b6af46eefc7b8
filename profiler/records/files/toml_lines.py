"""On which line of a TOML file does a key stand? The standard library's reader does not say.

A TOML file is a list of statements: a table's header, or a key with its value. A statement goes on over lines as long
as a bracket or a text of several lines is open; so the file is gone through once, and each statement is read alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
# A text, a comment, or a sign that opens, closes or ends something.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}\n,=]|[^\s\[\]{},=#"\']+',
    re.DOTALL,
)


class _TomlStatement(NamedTuple):
    """Its text and first line, and the lines, from its first, on which the elements of its outermost list begin."""

    text: str
    line: int
    elements: list[int]


def lines(text: str) -> Mapping[Path, int]:
    """The line, from 1, on which each key and each element of a list begins: `{("models", 0, "model"): 2}`.

    text: valid TOML.
    """
    import tomllib  # which a command that reads no such file does not need

    first_lines: dict[Path, int] = {}
    arrays: Counter[Path] = Counter()  # how many tables each [[array]] has so far
    table: Path = ()
    for statement in _statements(text.replace("\r\n", "\n")):
        data = tomllib.loads(statement.text)
        if statement.text.lstrip().startswith("["):
            table = _entered(data, arrays)
            for end in range(1, len(table) + 1):
                first_lines.setdefault(table[:end], statement.line)
        else:
            for path, offset in _offsets(data, statement.elements):
                first_lines.setdefault(table + path, statement.line + offset)
    return first_lines


def _statements(text: str) -> Iterator[_TomlStatement]:
    """Each statement, without blank lines and comments around it."""
    first, line, depth, elements = 0, 1, 0, _Elements()
    begins: int | None = None  # the line of the statement's first token
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == "\n" and not depth:
            if begins is not None:
                yield _TomlStatement(text[first : token.start()], begins, elements.offsets)
            first, begins, elements = token.end(), None, _Elements()
        elif sign[0] not in "\n#":
            begins = line if begins is None else begins
            elements.meet(sign, depth, line - begins)
        depth += (sign in ("[", "{")) - (sign in ("]", "}"))
        line += sign.count("\n")
    if begins is not None:
        yield _TomlStatement(text[first:], begins, elements.offsets)


class _Elements:
    """Where the elements of the list begin that is a statement's value."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self._is_value = self._is_list = self._is_next = False

    def meet(self, sign: str, depth: int, offset: int) -> None:
        """A token outside of comments; depth: how many brackets are open before it."""
        if not self._is_value:
            self._is_value = sign == "=" and not depth
        elif not depth and not self._is_list:
            self._is_list = self._is_next = sign == "["
        elif self._is_list and depth == 1 and sign in (",", "]"):
            self._is_next = sign == ","
        elif self._is_list and self._is_next:
            self._is_next = False
            self.offsets.append(offset)


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


def _offsets(data: dict[str, Any], elements: list[int]) -> Iterator[tuple[Path, int]]:
    """All that a key with its value holds. In a list over several lines, each element has a line of its own."""
    path: Path = ()
    node: Any = data
    while isinstance(node, dict) and len(node) == 1 and not isinstance(node, list):
        ((name, node),) = node.items()
        path += (name,)
        yield path, 0
    if isinstance(node, list) and len(node) == len(elements):
        for index, (child, offset) in enumerate(zip(node, elements, strict=True)):
            yield (*path, index), offset
            yield from (((*path, index, *below), offset) for below in _paths(child))
    else:
        yield from (((*path, *below), 0) for below in _paths(node))


def _paths(node: Any) -> Iterator[Path]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield (name,)
        yield from ((name, *path) for path in _paths(child))
