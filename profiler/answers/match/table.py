"""How is a checkpoint shown that was held against a model? As a table with a row for each name that differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from profiler.answers.match.compute import DTYPE, MISSING, SHAPE, TIED, UNEXPECTED, Difference, Match
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit

TOP = 20  # of each kind
_ORDER = (MISSING, UNEXPECTED, SHAPE, DTYPE, TIED)
_REMARKS = {
    MISSING: "in the model, and not in the file",
    UNEXPECTED: "in the file, and not in the model",
    SHAPE: "in both, with different shapes",
    DTYPE: "which is cast when it is loaded",
    TIED: "not in the file, and tied to one that is",
}


def _column(name: str, heading: str, unit: Unit, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, 0, most)


_COLUMNS = (
    _column("what", "What", Unit.TEXT),
    _column("tensor", "Tensor", Unit.TEXT, 60),
    _column("model", "In the model", Unit.TEXT, 32),
    _column("file", "In the file", Unit.TEXT, 32),
)


def match_table(answer: Match) -> Table:
    return Table(
        _COLUMNS, tuple(_rows(answer)), tuple(_facts(answer)), tuple(_notes(answer)), f"{answer.path} in {answer.model}"
    )


def _rows(answer: Match) -> Iterator[Row]:
    top = TOP if answer.top is None else answer.top
    for what in _ORDER:
        differing = answer.of(what)
        yield from map(_row, differing[:top])
        rest = len(differing) - top
        if rest > 0:
            yield Row((what, f"… and {rest:,} more", "", ""))


def _row(difference: Difference) -> Row:
    return Row((difference.what, difference.name, *_both(difference)))


def _both(difference: Difference) -> tuple[str, str]:
    expected = "" if difference.expected is None else _words(difference.expected.shape, difference.expected.dtype)
    return expected, "" if difference.given is None else _words(difference.given.shape, difference.given.dtype)


def _words(shape: Sequence[int], dtype: str) -> str:
    return f"{'×'.join(map(str, shape)) or 'scalar'} {dtype}"


def _facts(answer: Match) -> Iterator[tuple[str, Any, Unit, str]]:
    missing = len(answer.of(MISSING)) + len(answer.of(TIED))
    matching = answer.expected - missing - len(answer.of(SHAPE))
    yield "Matches", "yes" if answer.passed else "no", Unit.TEXT, ""
    yield "Tensors of the model", answer.expected, Unit.EXACT, f"{matching:,} of them in the file, with the same shape"
    yield "Tensors of the file", answer.given, Unit.EXACT, ""
    for what in _ORDER:
        differing = answer.of(what)
        if differing:
            yield what.capitalize(), len(differing), Unit.EXACT, _REMARKS[what]


def _notes(answer: Match) -> Iterator[str]:
    if answer.wrapper:
        keys = "".join(f"[{key!r}]" for key in answer.wrapper)
        yield f"The weights are under {keys} in the file."
    if answer.remedy:
        yield f"Remedy: {answer.remedy}."


def raw_match_table(answer: Match) -> Table:
    rows = tuple(_row(difference) for what in _ORDER for difference in answer.of(what))
    return Table(_COLUMNS, rows, chosen=True)


def match_data(answer: Match) -> dict[str, Any]:
    return {
        "model": answer.model,
        "file": answer.path,
        "matches": answer.passed,
        "tensors": {"model": answer.expected, "file": answer.given},
        "differences": [
            {
                "what": difference.what,
                "tensor": difference.name,
                "shape_in_model": None if difference.expected is None else list(difference.expected.shape),
                "dtype_in_model": None if difference.expected is None else difference.expected.dtype,
                "shape_in_file": None if difference.given is None else list(difference.given.shape),
                "dtype_in_file": None if difference.given is None else difference.given.dtype,
            }
            for difference in answer.differences
        ],
        "wrapper": list(answer.wrapper),
        "remedy": answer.remedy or None,
    }


show(Match, Shown(lambda answer: [match_table(answer)], raw_match_table, match_data))
