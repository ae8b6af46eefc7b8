"""The table: a row a model, a column a version, and below it the figures that differ with their reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.compat.reasons import reason
from tests.compat.results import Difference, Results, differences

EQUAL, DIFFERS, MISSING = "equal", "differs", "not available"
_SHOWN = 4  # differences of one model


@dataclass(frozen=True, slots=True)
class Cell:
    """A model in a version: what differs, or why it is not available, and the reason for either."""

    differences: Sequence[Difference]
    error: str | None
    why: str | None

    @property
    def word(self) -> str:
        if self.error is not None:
            return MISSING
        return DIFFERS if self.differences else EQUAL

    @property
    def is_explained(self) -> bool:
        return self.word == EQUAL or self.why is not None

    def lines(self) -> Iterator[str]:
        """What there is to say of it."""
        yield self.why or "NO REASON IS KNOWN"
        if self.error is not None:
            yield self.error
        for difference in self.differences[:_SHOWN]:
            yield f"{difference.where}: {_short(difference.here)} here, {_short(difference.there)} there"
        if len(self.differences) > _SHOWN:
            yield f"and {len(self.differences) - _SHOWN} more figures"


@dataclass(frozen=True)
class Column:
    """A version: what the models are here, and there; or why there is no such environment."""

    name: str
    here: Results
    there: Results | str

    @cached_property
    def cells(self) -> dict[str, Cell]:
        if isinstance(self.there, str):
            return {}
        return {model: _cell(self.here, self.there, model) for model in self.here.models}

    @property
    def is_explained(self) -> bool:
        return all(cell.is_explained for cell in self.cells.values())

    @property
    def versions(self) -> str:
        if isinstance(self.there, str):
            return f"{MISSING} ({self.there})"
        return _versions(self.there)


def written(columns: Sequence[Column]) -> str:
    """All of it, as Markdown."""
    heres = dict.fromkeys(_versions(column.here) for column in columns)
    lines = [*(f"- here: {versions}" for versions in heres), *(f"- {each.name}: {each.versions}" for each in columns)]
    models = dict.fromkeys(model for column in columns for model in column.cells)
    rows = [["Model", *(column.name for column in columns)], ["---"] * (1 + len(columns))]
    rows += [[model, *(_word(column, model) for column in columns)] for model in models]
    lines += ["", *(f"| {' | '.join(row)} |" for row in rows), ""]
    for (model, *told), versions in _grouped(columns).items():
        lines += [f"- {model}, torch {', '.join(versions)}: {told[0]}", *(f"  - {line}" for line in told[1:])]
    return "\n".join(lines)


def _grouped(columns: Sequence[Column]) -> dict[tuple[str, ...], list[str]]:
    """What is to be said, and of which versions: most say the same."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for column in columns:
        for model, cell in column.cells.items():
            if cell.word != EQUAL:
                found[(model, *cell.lines())].append(column.name)
    return dict(sorted(found.items(), key=lambda item: item[0][0]))


def _word(column: Column, model: str) -> str:
    return column.cells[model].word if model in column.cells else MISSING


def _versions(found: Results) -> str:
    return ", ".join(f"{library} {version}" for library, version in found.versions.items())


def _cell(here: Results, there: Results, model: str) -> Cell:
    before, after = here.models[model], there.models.get(model, {"error": "it was not run"})
    error = after.get("error") if before.get("error") != after.get("error") else None
    found = [] if error or "error" in before else sorted(differences(before, after), key=_importance)
    return Cell(found, error, reason(model, there.versions) if error or found else None)


def _importance(difference: Difference) -> tuple[bool, bool]:
    """Totals before layers, and of these what is a sum before its parts."""
    return not difference.where.startswith("totals."), "cost" in difference.where


def _short(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
