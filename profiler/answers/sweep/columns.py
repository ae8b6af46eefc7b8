"""Which columns has a sweep? The figures of a model by their names, a column for each metric, and how a model ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from profiler import errors
from profiler.answers.common.time_columns import TIME
from profiler.answers.models.metrics import better
from profiler.answers.models.table import MODEL_COLUMNS
from profiler.answers.sweep.row import FIGURES, OK, TIMES, WORD
from profiler.records.times import LOWER_BOUND, MEASURED, PREDICTED
from profiler.render.formats.csv import key
from profiler.render.tables import Better, Column, Unit

MODEL, SPEC, STATUS, REASON = "model", "spec", "status", "reason"
_WORDS = (LOWER_BOUND, PREDICTED, MEASURED)
_NAMES = (
    MODEL_COLUMNS[MODEL],
    MODEL_COLUMNS[SPEC],
    Column(STATUS, "Status", Unit.TEXT, rank=3),
    Column(REASON, "Reason", Unit.TEXT, rank=5, most=60),
)


def columns(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str] = ()) -> dict[str, Column]:
    """By their names: what the rows have of our own, and metrics. Raises where a metric has the name of a figure."""
    present = dict.fromkeys(name for row in rows for name in row)
    ours = {column.name: column for column in _ours(rows, present)}
    for name in metrics:
        if name in ours:
            raise _is_afigure(name)
    return ours | {name: _metric(name, rows) for name in metrics}


def _ours(rows: Sequence[Mapping[str, Any]], present: Iterable[str]) -> Iterator[Column]:
    for column in _NAMES:
        yield _of_row(column)
    for column in FIGURES:
        if column.name == "flops":
            yield from (_of_row(replace(column, name=name, heading=heading)) for name, heading in _flops(present))
        else:
            yield _of_row(column)
    for name in present:
        if name.startswith(WORD):
            word = next((row[name] for row in rows if row.get(name)), "")
            yield from (_of_row(column) for column in _times(name.removeprefix(WORD), word))


def _of_row(column: Column) -> Column:
    unit = Unit.TEXT if column.unit is Unit.SHAPE else column.unit
    return replace(column, unit=unit, get=partial(_value, column.name))


def _value(name: str, row: Mapping[str, Any], _: Any = None) -> Any:
    return row.get(name)


def _flops(present: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The first convention's, and those of others."""
    yield "flops", "FLOPs"
    for name in present:
        if name.startswith("flops_"):
            yield name, f"FLOPs, {name.removeprefix('flops_')}"


def _times(suffix: str, word: str) -> Iterator[Column]:
    """On one device. The word stands in the heading of every time."""
    device = suffix.replace("_", " ")
    for column in TIMES:
        is_time = column.name.startswith(TIME)
        rest = column.name.removeprefix(TIME).replace("_", ", ")
        heading = f"{word.capitalize()}{rest}" if is_time else column.heading
        name = f"{column.name}{suffix}"
        yield replace(column, name=name, heading=f"{heading}{device}", kind=word if is_time else "")


def _metric(name: str, rows: Sequence[Mapping[str, Any]]) -> Column:
    values = [row[name] for row in rows if name in row]
    is_number = any(value is None or isinstance(value, (int, float, Decimal)) for value in values)
    unit = Unit.NUMBER if is_number else Unit.TEXT
    return Column(name, name, unit, partial(_value, name), 0, None if is_number else 24, better(name))


def directed(text: str, known: Mapping[str, Column]) -> tuple[Column, Better]:
    """A column and which of its values is the best, as `acc@1` or `params:max` say; raises `errors.ProfileError`."""
    name, _, direction = text.rpartition(":")
    if direction not in ("min", "max") or name not in known:
        name, direction = text, ""
    if name not in known:
        raise no_such_column(name, known)
    best = direction or known[name].better
    if not best:
        raise _no_direction(name)
    return known[name], "min" if best == "min" else "max"


def is_ok(row: Mapping[str, Any]) -> bool:
    return row.get(STATUS) == OK


# What a file calls them -----------------------------------------------------------------------------------------------

_TIME_KEY = re.compile(
    rf"(?P<word>{'|'.join(_WORDS).replace(' ', '_')})_(?P<name>time(?:_low|_high)?)(?P<suffix>_\w+)?"
)


def from_keys(keys: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Of a file's columns: by its key, what a row has it as; and by its name, the word of each device's times."""
    known = {key(column): column.name for column in (*_NAMES, *FIGURES, *TIMES)}
    names: dict[str, str] = {}
    words: dict[str, str] = {}
    for text in keys:
        match = _TIME_KEY.fullmatch(text.removesuffix("_seconds")) if text.endswith("_seconds") else None
        if match is None:
            names[text] = known.get(text, text)
            continue
        names[text] = match["name"] + (match["suffix"] or "")
        words[f"{WORD}{match['suffix'] or ''}"] = match["word"].replace("_", " ")
    return names, words


def is_metric(name: str, words: Mapping[str, str]) -> bool:
    """Whether a name of a file's columns is none of ours."""
    own = {column.name for column in (*_NAMES, *FIGURES)}
    of_devices = {f"{column.name}{word.removeprefix(WORD)}" for word in words for column in TIMES}
    return name not in own | of_devices and not name.startswith("flops_")


# Error messages -------------------------------------------------------------------------------------------------------


def no_such_column(name: str, names: Iterable[str]) -> errors.ProfileError:
    names = list(names)
    near = errors.nearest(name, names, most=1)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
    return errors.ProfileError(f"no column is called {name!r}; {hint}")


def _no_direction(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"column {name!r} has no best by itself; write {name}:min or {name}:max")


def _is_afigure(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"a metric is called {name!r}, as is a column of this table; rename it in your file")
