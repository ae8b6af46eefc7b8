"""What the tests remember of a verb's options is what cyclopts derives of them, and no command leaves it a value."""

from __future__ import annotations

from collections.abc import Callable
from inspect import BoundArguments, signature
from types import SimpleNamespace
from typing import Annotated

import pytest
from cyclopts import Parameter

from profiler import ProfileError
from profiler.cli import parsing, verbs, words
from profiler.cli.declaring import app

VERBS = [None, *verbs.built_in()]


@pytest.mark.parametrize("name", VERBS)
def test_it_is_what_is_derived_anew(name: str | None) -> None:
    application = app(name)
    remembered = application.assemble_argument_collection()
    derived = application.assemble_argument_collection(default_parameter=None)  # asked like this, nothing is remembered
    assert len(remembered) > 3
    assert [vars_of(argument) for argument in remembered] == [vars_of(argument) for argument in derived]


def vars_of(argument: object) -> tuple[object, ...]:
    names = ("name", "names", "negatives", "keys", "hint", "index", "required", "tokens")
    children = [vars_of(child) for child in argument.children]  # type: ignore[attr-defined]
    return (*(getattr(argument, name) for name in names), children)


def test_values_are_of_one_command_line() -> None:
    lines = (["a", "--depth", "3"], ["b", "c"], ["a", "--depth", "3"])
    first, second, third = (app(None).parse_args(line, exit_on_error=False)[1] for line in lines)
    assert first == third
    assert first != second
    assert "depth=3" in str(first)
    assert "depth=3" not in str(second)


@pytest.mark.parametrize("line", [[], ["a"], ["a", "b"], ["a", "b", "c=1,2"]], ids=len)
@pytest.mark.parametrize("name", VERBS)
def test_a_line_without_options_means_what_it_means_beside_them(name: str | None, line: list[str]) -> None:
    assert _read(name, lambda: words.read(name, line)) == _read(name, lambda: parsing.read(name, line))


def _read(name: str | None, reader: Callable[[], BoundArguments]) -> object:
    """What the verb is called with, or what is said to be wrong."""
    try:
        bound = reader()
    except ProfileError as error:
        return str(error)
    whole = signature(verbs.module(name).run).bind_partial(*bound.args, **bound.kwargs)
    whole.apply_defaults()
    return whole.arguments


def test_a_place_that_is_converted_is_read_by_cyclopts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package's verb may take what it likes."""

    def run(
        text: Annotated[str, Parameter(converter=lambda _, tokens: tokens[0].value.upper())], count: int, /, *,
        context: object,
    ) -> None: ...  # fmt: skip

    monkeypatch.setattr(verbs, "module", lambda _: SimpleNamespace(run=run))
    assert words.read("other", ["a", "2"]).arguments == {"text": "A", "count": 2}
    with pytest.raises(ProfileError, match="COUNT"):
        words.read("other", ["a", "b"])
