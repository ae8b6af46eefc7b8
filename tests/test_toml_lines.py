"""On which line a key stands: written by hand, and for files that are put together at random."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.records.files.toml_lines import Path, lines

# Each key's value is the line that it stands on, and so is each element that is a number.
FILES = {
    "plain": "a = 1\nb = 2\n",
    "blank lines and comments": "# [[models]]\n\na = 3 # b = 9\n\n\n  b = 6\n",
    "tables": "[x]\na = 2\n[x.y]\na = 4\n[z]\na = 6\n",
    "dotted and quoted keys": 'a.b.c = 1\n"a.b" = 2\n\'max "q"\' = 3\n[d."e f"]\n"" = 5\n',
    "arrays of tables": "[[m]]\na = 2\n[[m]]\n\na = 5\nb = 6\n[[n]]\na = 8\n[[m]]\na = 10\n",
    "tables inside them": "[[m]]\n[m.sub]\na = 3\n[[m.list]]\na = 5\n[[m.list]]\na = 7\n[[m]]\n[[m.list]]\na = 10\n",
    "a text that looks like keys": 'text = """\na = 7\n[[m]]\n"""\nb = 5\n[[m]]\na = 7\n',
    "a literal text": "text = '''\n\"\"\"\nb = 1 '''\nc = 4\n",
    "a list over several lines": "a = [\n  2,\n  3, # ]\n\n  5, 5,\n  6\n]\nb = 8\n",
    "inline tables in a list": "m = [\n  {a = 2, b = 2},\n\n  # {a = 9}\n  {a = 5}, {a = 5},\n  {a = 6}]\nb = 7\n",
    "a list in an inline table": "m = {a = [1, 1]}\nb = 2\n",
    "brackets in texts": 'm = [\n  {text = "]", a = 2},\n  {text = "[{", a = 3},\n]\n',
    "windows": "a = 1\r\n[[m]]\r\nb = 3\r\n",
    "no last line end": "a = 1\n[x]\nb = 3",
    "a header with a comment": "[[ m ]] # one\na = 2\n[ x . y ]\nb = 4\n",
}


def leaves(node: Any, path: Path = ()) -> dict[Path, Any]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if children is None:
        return {path: node}
    return {at: value for name, child in children for at, value in leaves(child, (*path, name)).items()}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_each_number_is_its_line(text: str) -> None:
    found = lines(text)
    numbers = {path: value for path, value in leaves(tomllib.loads(text)).items() if isinstance(value, int)}
    assert numbers
    assert {path: found[path] for path in numbers} == numbers


def test_tables_have_the_line_of_their_header() -> None:
    assert lines("\n[[m]]\na = 1\n\n[[m]]\n[x.y]\n") == {
        ("m",): 2, ("m", 0): 2, ("m", 0, "a"): 3, ("m", 1): 5, ("x",): 6, ("x", "y"): 6,
    }  # fmt: skip


# Lines that are no key, and ways to begin and end a value.
_NOISE = st.sampled_from(["", "# a = 1", "   ", "# [[m]]", "#'''", '# """ ['])
_KEYS = st.sampled_from(["a", "max-size", '"quo ted"', "'li.teral'", "x.y"])
_VALUES = st.sampled_from(
    [
        "1",
        '"text"',
        "'''\n[[m]]\n'''",
        '"""\\\n  a = 2\n"""',
        "[\n 1,\n]",
        "[[1,\n 2],\n [3]]",
        "{p = 1, q = [2]}",
        "1e9",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """A file of `[[m]]` and `[t.N]` tables, and the line of every key in them."""
    rows: list[str] = []
    expected: dict[Path, int] = {}
    arrays = 0
    for number in range(draw(st.integers(0, 6))):
        rows += draw(st.lists(_NOISE, max_size=2))
        is_array = draw(st.booleans())
        rows.append("[[m]]" if is_array else f"[t.{number}]")
        at: Path = ("m", arrays) if is_array else ("t", str(number))
        arrays += is_array
        for key in draw(st.lists(_KEYS, max_size=4, unique=True)):
            rows += draw(st.lists(_NOISE, max_size=2))
            names = tomllib.loads(f"{key} = 1")
            path = next(iter(leaves(names)))
            expected[at + path] = len(rows) + 1
            rows += f"{key} = {draw(_VALUES)}".split("\n")
    return "\n".join(rows), expected


@given(files())
def test_any_file(made: tuple[str, dict[Path, int]]) -> None:
    text, expected = made
    found = lines(text)
    assert {path: found[path] for path in expected} == expected


@given(files())
def test_every_leaf_has_a_line(made: tuple[str, dict[Path, int]]) -> None:
    text, _ = made
    assert {path for path, value in leaves(tomllib.loads(text)).items() if path} <= lines(text).keys()
