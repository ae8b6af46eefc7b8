"""The house as it is drawn in docs/architecture.md: which package imports which, read from the files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "profiler"
# Each imports only from those above it.
ORDER = (
    "errors",
    "records",
    "ops",
    "render",
    "engine",
    "sources",
    "counters",
    "figures",
    "devices",
    "answers",
    "api",
    "cli",
)
# Where a program starts: what is public, and the command. They come with no imports of their own at the top.
STARTS = ("profiler", "profiler.__main__")
WITH_TORCH = ("engine", "sources", "counters", "devices")


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        if "node_modules" in path.parts:  # what the report's application is built with, where somebody built it
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(code: str) -> Iterator[str]:
    """Our modules that a file's code imports: at its top, inside of functions, for types alone, or by a name."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "profiler":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "profiler")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            yield from _by_name(node.args[0])


def _by_name(argument: ast.expr) -> Iterator[str]:
    """All that `import_module(f"profiler.package.{name}")` can import."""
    first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
    if isinstance(first, ast.Constant) and str(first.value).startswith("profiler."):
        package = str(first.value).rstrip(".")
        yield from (name for name in MODULES if name.startswith(f"{package}."))


def opens_with_a_question(code: str) -> bool:
    """Whether the first sentence of a module's docstring is a question; its answer may follow on the same line."""
    line = (ast.get_docstring(ast.parse(code)) or "").partition("\n")[0]
    return re.split(r"(?<=[.?!])\s", line)[0].endswith("?")


def package(module: str) -> str:
    return module.split(".")[1]


GRAPH = {name: sorted(set(imported(path.read_text(encoding="utf-8")))) for name, path in MODULES.items()}
INSIDE = [name for name in MODULES if name not in STARTS]


def test_there_are_no_loose_files() -> None:
    entries = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES.values()}
    assert entries == {*ORDER, "__init__", "__main__"}


@pytest.mark.parametrize("name", INSIDE)
def test_no_import_points_up(name: str) -> None:
    rank = ORDER.index(package(name))
    assert [other for other in GRAPH[name] if other in STARTS or ORDER.index(package(other)) > rank] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    list(TopologicalSorter({name: set(GRAPH[name]) - {name} for name in INSIDE}).static_order())


@pytest.mark.parametrize("name", INSIDE)
def test_torch_is_imported_where_models_are_run(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    lines = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    named = {alias.name.split(".")[0] for node in lines if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module).split(".")[0] for node in lines if isinstance(node, ast.ImportFrom)}
    assert "torch" not in named or package(name) in WITH_TORCH


@pytest.mark.parametrize("name", MODULES)
def test_a_file_opens_with_the_question_that_it_answers(name: str) -> None:
    assert opens_with_a_question(MODULES[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_no_function_is_long(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 50] == []


def test_one_driver_runs_every_verb() -> None:
    """It is short, and knows no verb."""
    tree = ast.parse(MODULES["profiler.cli.driver"].read_text(encoding="utf-8"))
    (drive,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "drive")
    assert (drive.end_lineno or 0) - drive.lineno < 40
    assert not any(other.endswith(".verb") for other in GRAPH["profiler.cli.driver"])


def test_the_document_is_drawn_from_the_imports(request: pytest.FixtureRequest) -> None:
    path = ROOT / "docs" / "architecture.md"
    text = path.read_text(encoding="utf-8")
    drawn = _with(_with(text, "packages", _packages()), "imports", _arrows())
    if request.config.getoption("--refresh"):
        path.write_text(drawn, encoding="utf-8")
    assert text == drawn


def _packages() -> Iterator[str]:
    yield from ("| package | the question it answers |", "|---|---|")
    for name in ORDER:
        for inner in (f"profiler.{name}", *sorted(n for n, p in MODULES.items() if _is_folder_of(name, n, p))):
            said = ast.get_docstring(ast.parse(MODULES[inner].read_text(encoding="utf-8"))) or ""
            yield f"| `{inner.removeprefix('profiler.')}` | {said.partition(chr(10))[0]} |"


def _is_folder_of(name: str, inner: str, path: Path) -> bool:
    return inner.startswith(f"profiler.{name}.") and path.name == "__init__.py"


def _arrows() -> Iterator[str]:
    yield from ("| package | imports |", "|---|---|")
    for name in ORDER:
        others = {package(other) for inner in INSIDE if package(inner) == name for other in GRAPH[inner]} - {name}
        yield f"| `{name}` | {', '.join(f'`{other}`' for other in ORDER if other in others) or 'nothing'} |"


def _with(text: str, what: str, lines: Iterator[str]) -> str:
    """The text with lines between two marks."""
    first, last = f"<!-- {what} -->\n", f"<!-- end of {what} -->\n"
    before, _, rest = text.partition(first)
    return before + first + "\n".join(lines) + "\n" + last + rest.partition(last)[2]


# The tests themselves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from profiler import errors", ["profiler.errors"]),
        ("def f():\n    from profiler.render.tables import Table", ["profiler.render.tables"]),
        ("if TYPE_CHECKING:\n    from profiler.engine.run import running", ["profiler.engine.run.running"]),
        ("import profiler.cli.main", ["profiler.cli.main"]),
        ("import_module('profiler.ops.cost')", []),
        ("import_module(f'profiler.counters.tools.{name}')", [n for n in MODULES if "counters.tools." in n]),
        ("import torch", []),
    ],
)
def test_imports_are_seen(code: str, expected: list[str]) -> None:
    assert sorted(imported(code)) == sorted(expected)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("What is it?", True),
        ("What does `a.b` cost? Nothing.\n\nMore.", True),
        ("Convolutions.", False),
        ("Convolutions. What do they cost?", False),
        ("What it costs\nis told by whom?", False),
        ("", False),
    ],
)
def test_questions_are_seen(docstring: str, expected: bool) -> None:
    assert opens_with_a_question(f'"""{docstring}"""') is expected
