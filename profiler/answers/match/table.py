"""A checkpoint held against a model, as a table: a row a name that differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from profiler.answers.match.compute import DTYPE, MISSING, SHAPE, TIED, UNEXPECTED, Difference, Fit
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


def fit_table(found: Fit) -> Table:
    return Table(
        _COLUMNS, tuple(_rows(found)), tuple(_facts(found)), tuple(_notes(found)), f"{found.path} in {found.model}"
    )


def _rows(found: Fit) -> Iterator[Row]:
    top = TOP if found.top is None else found.top
    for what in _ORDER:
        differing = found.of(what)
        yield from map(_row, differing[:top])
        rest = len(differing) - top
        if rest > 0:
            yield Row((what, f"… and {rest:,} more", "", ""))


def _row(one: Difference) -> Row:
    return Row((one.what, one.name, *_both(one)))


def _both(one: Difference) -> tuple[str, str]:
    expected = "" if one.expected is None else _words(one.expected.shape, one.expected.dtype)
    return expected, "" if one.given is None else _words(one.given.shape, one.given.dtype)


def _words(shape: Sequence[int], dtype: str) -> str:
    return f"{'×'.join(map(str, shape)) or 'scalar'} {dtype}"


def _facts(found: Fit) -> Iterator[tuple[str, Any, Unit, str]]:
    missing = len(found.of(MISSING)) + len(found.of(TIED))
    fitting = found.expected - missing - len(found.of(SHAPE))
    yield "Fits", "yes" if found.passed else "no", Unit.TEXT, ""
    yield "Tensors of the model", found.expected, Unit.EXACT, f"{fitting:,} of them in the file, with the same shape"
    yield "Tensors of the file", found.given, Unit.EXACT, ""
    for what in _ORDER:
        differing = found.of(what)
        if differing:
            yield what.capitalize(), len(differing), Unit.EXACT, _REMARKS[what]


def _notes(found: Fit) -> Iterator[str]:
    if found.wrapper:
        keys = "".join(f"[{key!r}]" for key in found.wrapper)
        yield f"The weights are under {keys} in the file."
    if found.remedy:
        yield f"Remedy: {found.remedy}."


def raw_fit_table(found: Fit) -> Table:
    rows = tuple(_row(one) for what in _ORDER for one in found.of(what))
    return Table(_COLUMNS, rows, chosen=True)


def fit_data(found: Fit) -> dict[str, Any]:
    return {
        "model": found.model,
        "file": found.path,
        "fits": found.passed,
        "tensors": {"model": found.expected, "file": found.given},
        "differences": [
            {
                "what": one.what,
                "tensor": one.name,
                "shape_in_model": None if one.expected is None else list(one.expected.shape),
                "dtype_in_model": None if one.expected is None else one.expected.dtype,
                "shape_in_file": None if one.given is None else list(one.given.shape),
                "dtype_in_file": None if one.given is None else one.given.dtype,
            }
            for one in found.differences
        ],
        "wrapper": list(found.wrapper),
        "remedy": found.remedy or None,
    }


show(Fit, Shown(lambda found: [fit_table(found)], raw_fit_table, fit_data))
