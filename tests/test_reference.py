"""Every public name stands in the reference of Python, and its docstring says what each of its parameters is."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import griffe
import pytest

import profiler

ROOT = Path(__file__).parent.parent
PAGES = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("api*.md")))
LISTED = re.findall(r"^::: (\S+)$", PAGES, re.MULTILINE)
CONTENTS = {"Args": griffe.DocstringSectionKind.parameters, "Attributes": griffe.DocstringSectionKind.attributes}


def docstrings() -> ModuleType:
    """What the site reads our docstrings with."""
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "docs" / "site" / "docstrings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXTENSIONS = griffe.load_extensions(docstrings().Sections)
PACKAGE = griffe.load("profiler", search_paths=[ROOT], extensions=EXTENSIONS)


def target(name: str) -> griffe.Object:
    found = PACKAGE[name.removeprefix("profiler.")]
    return found.final_target if isinstance(found, griffe.Alias) else found


def entries(documented: griffe.Object, section: str) -> set[str]:
    """The names that a docstring has words on."""
    if documented.docstring is None:
        return set()
    parts = documented.docstring.parse("google", warnings=False)
    return {entry.name.lstrip("*") for part in parts if part.kind is CONTENTS[section] for entry in part.value}


def undocumented(documented: griffe.Object) -> Iterator[str]:
    """What there is no word on: the object itself, a parameter, a field, or any of that in a method."""
    if documented.docstring is None:
        yield documented.path
    if isinstance(documented, griffe.Function):
        names = {parameter.name.lstrip("*") for parameter in documented.parameters} - {"self", "cls"}
        yield from (f"{documented.path}({name})" for name in sorted(names - entries(documented, "Args")))
    if isinstance(documented, griffe.Class):
        yield from _undocumented_members(documented)


def _undocumented_members(documented: griffe.Class) -> Iterator[str]:
    told = set().union(*(entries(cls, "Attributes") for cls in [documented, *documented.mro()]))
    for name, member in documented.all_members.items():
        final = member.final_target if isinstance(member, griffe.Alias) else member
        if name.startswith("_") and name != "__getitem__":
            continue
        if isinstance(final, griffe.Attribute) and name not in told and final.docstring is None:
            yield final.path
        elif isinstance(final, griffe.Function):
            yield from undocumented(final)


@pytest.mark.parametrize("name", profiler.__all__)
def test_a_public_name_is_in_the_reference(name: str) -> None:
    assert f"profiler.{name}" in LISTED


@pytest.mark.parametrize("name", LISTED)
def test_it_says_what_everything_is(name: str) -> None:
    if name != "profiler.__version__":
        assert list(undocumented(target(name))) == []


def test_what_a_question_is_answered_with_is_in_the_reference() -> None:
    """Of the functions in `profiler`, and the methods of `Profile`. A `Figure` is matplotlib's, a `Module` torch's."""
    functions = [target(f"profiler.{name}") for name in profiler.__all__ if name.islower() and name.isidentifier()]
    methods = [member for member in target("profiler.Profile").members.values() if not member.name.startswith("_")]
    answers = set()
    for function in [*functions, *methods]:
        if isinstance(function, griffe.Function) and function.path.startswith("profiler.api."):
            answers |= set(re.findall(r"[A-Z]\w+", str(function.returns)))
    assert len(answers) > 8
    assert answers - {"None", "Self", "Figure", "Iterator", "Module"} <= {name.rpartition(".")[2] for name in LISTED}


# The check itself -----------------------------------------------------------------------------------------------------


INCOMPLETE = {
    "a function without a docstring": ("def f(): ...", ["m.f"]),
    "a parameter": ('def f(a, b, *c):\n  """F.\n\n  a: one.\n  """', ["m.f(b)", "m.f(c)"]),
    "a field": ('class f:\n  """F.\n\n  a: one.\n  """\n  a: int\n  b: int', ["m.f.b"]),
    "a method": ('class f:\n  """F."""\n  def g(self): ...\n  def _h(self): ...', ["m.f.g"]),
}


@pytest.mark.parametrize(("code", "missing"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_what_is_missing_is_seen(code: str, missing: list[str]) -> None:
    with griffe.temporary_visited_package("m", {"__init__.py": code}, extensions=EXTENSIONS) as read:
        assert list(undocumented(read["f"])) == missing


SECTIONS = {
    "two names": (["F.", "", "a, b: x.", "c: y"], ["F.", "", "", "Args:", "    a: x.", "    b: x.", "    c: y"]),
    "a second line": (
        ["a: x", "    more.", "", "After."],
        ["", "Args:", "    a: x", "        more.", "", "", "After."],
    ),
    "a sentence": (["d: no parameter."], ["d: no parameter."]),
}


@pytest.mark.parametrize(("lines", "section"), SECTIONS.values(), ids=SECTIONS)
def test_a_line_on_a_parameter_becomes_one_of_a_section(lines: list[str], section: list[str]) -> None:
    rewritten = list(docstrings().with_section(lines, "Args", {"a", "b", "c"}))
    assert [line for line in rewritten if line] == [line for line in section if line]
