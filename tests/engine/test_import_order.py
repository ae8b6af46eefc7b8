"""Which packages of the engine know which? Each knows those before it, and importing one of its files runs no other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import profiler

ENGINE = Path(profiler.__file__).parent / "engine"
ORDER = ("containers", "meta", "record", "guard", "run", "changing", "gradients")
APART = "processes"  # what watches over a process knows of no model, and loads no torch


def imported(code: str, within: str) -> Iterator[str]:
    """The modules that some code imports, wherever in it: `import a.b`, `from a import b`, `from . import b`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = within.split(".")[: len(within.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def wrong_arrows(package: str, code: str) -> list[str]:
    """What a file of a package imports from the packages that it must not know."""
    known = {package, *(ORDER[: ORDER.index(package)] if package in ORDER else ())}
    inside = "profiler.engine."
    modules = [name for name in imported(code, inside + package) if name.startswith(inside)]
    return [name for name in modules if name.split(".")[2] not in known]


def test_the_packages_are_these() -> None:
    assert {path.parent.name for path in ENGINE.glob("*/__init__.py")} == {*ORDER, APART}
    assert [path.name for path in ENGINE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("package", [*ORDER, APART])
def test_a_package_knows_those_before_it(package: str) -> None:
    found = {path.name: wrong_arrows(package, path.read_text()) for path in (ENGINE / package).glob("*.py")}
    assert {name: arrows for name, arrows in found.items() if arrows} == {}


def test_an_arrow_against_the_order_is_seen() -> None:
    arrow = "def later():\n    from profiler.engine.record.memo import recall"
    assert wrong_arrows("meta", arrow) == ["profiler.engine.record.memo.recall"]
    assert wrong_arrows("meta", "from profiler.engine import record") == ["profiler.engine.record"]
    assert wrong_arrows("meta", "from ..record import memo") == ["profiler.engine.record.memo"]
    assert wrong_arrows(APART, "import profiler.engine.containers.walk") == ["profiler.engine.containers.walk"]
    assert wrong_arrows("guard", arrow) == []


@pytest.mark.parametrize("path", [ENGINE / "__init__.py", *ENGINE.glob("*/__init__.py")], ids=lambda p: p.parent.name)
def test_a_package_itself_imports_nothing(path: Path) -> None:
    assert list(imported(path.read_text(), "profiler.engine")) == []


def loads_torch(module: str) -> bool:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_watching_over_a_process_loads_no_torch() -> None:
    assert not loads_torch("profiler.engine.processes.watching")
    assert loads_torch("profiler.engine.containers.layouts")
