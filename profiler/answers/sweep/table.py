"""How is a sweep shown? As a table with a row for each model that is shown; for programs with all columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from profiler import errors
from profiler.answers.sweep.columns import MODEL, REASON, STATUS, is_ok
from profiler.answers.sweep.compute import Sweep
from profiler.counters import conventions
from profiler.render import numbers
from profiler.render.answer import Shown, show
from profiler.render.plain import plain
from profiler.render.tables import Caution, Column, Explanation, Row, Table, Unit, chosen_columns


def _table(sweep: Sweep) -> Table:
    columns = chosen_columns(sweep.names, sweep.known)
    best = None if sweep.choice.best is None else sweep.choice.best.removesuffix(":min").removesuffix(":max")
    marked = frozenset(i for i, column in enumerate(columns) if column.name == best)
    rows = tuple(_row(row, columns, marked if number == 0 else frozenset()) for number, row in enumerate(sweep.rows))
    return Table(columns, rows, notes=tuple(_notes(sweep)), chosen=sweep.is_chosen)


def _row(row: Mapping[str, Any], columns: Sequence[Column], best: frozenset[int]) -> Row:
    """The reason of one that failed stands behind its name, unless a column has it."""
    values = tuple(_shown(column, row) for column in columns)
    names = {column.name for column in columns}
    if is_ok(row) or {STATUS, REASON} & names:
        return Row(values, best=best)
    reason = str(row[REASON])
    return Row(values, failure=reason if columns[0].name == MODEL else f"{row[MODEL]}: {reason}")


def _shown(column: Column, row: Mapping[str, Any]) -> Any:
    """No reason is needed of what is well, so that none is not known. A score that a row has as None is not defined."""
    value = column.get(row, None)
    if value is None and column.name == REASON:
        return ""
    return numbers.UNDEFINED if value is None and column.unit is Unit.NUMBER and column.name in row else value


def _notes(sweep: Sweep) -> Iterator[str]:
    lacking = [row[MODEL] for row in sweep.rows if row.get("unknown")]
    if lacking:
        yield Caution(f"NOT COUNTED in {errors.some(lacking)}: operators without a formula")
    yield f"{sweep.summary[:1].upper()}{sweep.summary[1:]}."
    yield from sweep.remarks
    if sweep.convention is not None:
        yield f"Convention {sweep.convention}."
        yield Explanation(f"{sweep.convention}: {conventions.named(sweep.convention).says}.")


def _raw_table(sweep: Sweep) -> Table:
    """All columns, unless some are chosen."""
    columns = chosen_columns(sweep.names if sweep.is_chosen else tuple(sweep.known), sweep.known)
    return Table(columns, tuple(Row(tuple(c.get(row, None) for c in columns)) for row in sweep.rows), chosen=True)


def _data(sweep: Sweep) -> dict[str, Any]:
    """The rows by the names of columns."""
    from profiler.render.formats.csv import key

    table = _raw_table(sweep)
    keys = [key(column) for column in table.columns]
    return {
        "models": sum(sweep.counts.values()),
        "by_status": dict(sorted(sweep.counts.items())),
        "convention": sweep.convention,
        "rows": [dict(zip(keys, map(plain, row.values), strict=True)) for row in table.rows],
        "notes": [str(note) for note in _notes(sweep)],
    }


def _about(sweep: Sweep) -> dict[str, Any]:
    return {"convention": sweep.convention}


show(Sweep, Shown(lambda sweep: [_table(sweep)], _raw_table, _data, about=_about))
