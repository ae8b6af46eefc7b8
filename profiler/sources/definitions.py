"""What does a file of Python code define that may be a model? Read from its text: nothing in it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from profiler import errors
from profiler.records.files import reading as files

_LONGEST = 1 << 24  # bytes of a file of code
_SHOWN = 5
# They may bind names that are not in the text.
_HIDING = {"exec", "eval", "globals", "locals", "vars", "setattr", "*"}
_HIDING_ATTRIBUTES = {"__dict__", "modules"}


@dataclass(frozen=True, slots=True)
class Definitions:
    """The names that a file binds at its top: models first among the candidates, then what else can be called.

    is_complete: whether it binds no others while it is run, as `from x import *` does.
    """

    names: frozenset[str]
    candidates: tuple[str, ...]
    is_complete: bool


def definitions(path: str) -> Definitions:
    """Raises `errors.ProfileError`, also for what is not Python."""
    try:
        tree = ast.parse(files.content(path, _LONGEST), path)
    except OSError:
        raise errors.no_such_file(path) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # `ValueError` for a NUL
        raise errors.cannot_import(path, error) from None
    names = frozenset(name for node in _at_the_top(tree) for name in _bound(node))
    return Definitions(names, tuple(_candidates(tree)), not any(map(_hides, ast.walk(tree))))


def remedy(path: str, candidates: tuple[str, ...]) -> str:
    """What to write for a model that is in the file."""
    if not candidates:
        return "it defines no class and no function; name a file that does, like FILE.py:CALLABLE"
    shown = ", ".join(f"{path}:{name}" for name in candidates[:_SHOWN])
    return f"say which callable in it: {shown}" + ", ..." * (len(candidates) > _SHOWN)


def _candidates(tree: ast.Module) -> Iterator[str]:
    """Classes of modules, then functions, as the file has them; private ones are left out."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    modules: set[str] = set()
    for node in classes:
        bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        if bases & modules or any(base.endswith(("Module", "Model", "Sequential")) for base in bases):
            modules.add(node.name)
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
    others = [node.name for node in classes if node.name not in modules]
    yield from (*(node.name for node in classes if node.name in modules), *functions, *others)


def _at_the_top(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the file is imported, in branches and loops too; not those in functions and classes."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _at_the_top(child)


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _hides(node: ast.AST) -> bool:
    """Whether it may bind a name that `_bound` does not return."""
    if isinstance(node, ast.Name):
        return node.id in _HIDING
    if isinstance(node, ast.Attribute):
        return node.attr in _HIDING_ATTRIBUTES
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    return isinstance(node, ast.Global) or (isinstance(node, ast.FunctionDef) and node.name == "__getattr__")
