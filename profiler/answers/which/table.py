"""The figures that round to a number as a table."""

from __future__ import annotations

from profiler.answers.which.compute import PARAMETERS, Candidate, Search, Which
from profiler.counters import conventions
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit

_COLUMNS = (
    Column("model", "Model", Unit.TEXT, lambda row, _: row),
    Column("counts", "Convention", Unit.TEXT, lambda row, _: row),
    Column("input", "Input", Unit.SHAPE, lambda row, _: row),
    Column("value", "Value", Unit.EXACT, lambda row, _: row),
)
_OFF = Column("off", "Off %", Unit.SHARE, lambda row, _: row)


def which_table(found: Which) -> Table:
    """One row a figure; how far the nearest figures are off, where nothing rounds to the number."""
    searches = found.searches
    columns = _COLUMNS if all(one.is_met for one in searches) else (*_COLUMNS, _OFF)
    rows = tuple(
        Row((one.model, candidate.counts, candidate.input, candidate.value, _off(one, candidate))[: len(columns)])
        for one in searches
        for candidate in one.found
    )
    named = dict.fromkeys(candidate.counts for one in searches for candidate in one.found)
    notes = [f"{one.model}: nothing is {one.number.text}; these are the nearest." for one in searches if not one.is_met]
    notes += [f"{name}: {conventions.named(name).says}." for name in named if name != PARAMETERS]
    return Table(columns, rows, notes=tuple(notes), chosen=True)


def _off(one: Search, candidate: Candidate) -> float:
    return float(candidate.value / one.number.middle - 1)


show(Which, Shown(lambda found: [which_table(found)]))
