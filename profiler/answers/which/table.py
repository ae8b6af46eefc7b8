"""How are the figures that round to a number shown as a table?"""

from __future__ import annotations

from profiler.answers.which.compute import PARAMETERS, Candidate, Search, Which
from profiler.counters import conventions
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit

_COLUMNS = (
    Column("model", "Model", Unit.TEXT, lambda row, _: row),
    Column("counts", "Convention", Unit.TEXT, lambda row, _: row),
    Column("input", "Input", Unit.SHAPE, lambda row, _: row),
    Column("value", "Value", Unit.EXACT, lambda row, _: row),
)
_OFF = Column("off", "Off %", Unit.SHARE, lambda row, _: row)


def which_table(answer: Which) -> Table:
    """One row a figure; how far the nearest figures are off, where nothing rounds to the number."""
    searches = answer.searches
    columns = _COLUMNS if all(search.is_met for search in searches) else (*_COLUMNS, _OFF)
    rows = tuple(
        Row((search.model, candidate.counts, candidate.input, candidate.value, _off(search, candidate))[: len(columns)])
        for search in searches
        for candidate in search.candidates
    )
    named = dict.fromkeys(candidate.counts for search in searches for candidate in search.candidates)
    notes = [
        f"{search.model}: nothing is {search.number.text}; these are the nearest."
        for search in searches
        if not search.is_met
    ]
    notes += [Explanation(f"{name}: {conventions.named(name).says}.") for name in named if name != PARAMETERS]
    return Table(columns, rows, notes=tuple(notes), chosen=True)


def _off(search: Search, candidate: Candidate) -> float:
    return float(candidate.value / search.number.middle - 1)


show(Which, Shown(lambda answer: [which_table(answer)]))
