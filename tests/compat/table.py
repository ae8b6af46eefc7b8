"""The table: a row a model, a column a version, and below it the figures that differ with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.compat.reasons import reason
from tests.compat.results import Difference, Results, differences

EQUAL, MISSING = "equal", "not available"
_SHOWN = 4  # differences of one model


def written(here: Results, columns: Mapping[str, Results | str]) -> tuple[str, bool]:
    """The table as Markdown, and whether each difference in it has a reason."""
    there = {name: found for name, found in columns.items() if isinstance(found, Results)}
    cells = {(model, name): _cell(here, found, model) for model in here.models for name, found in there.items()}
    rows = [["Model", *there], ["---"] * (1 + len(there))]
    rows += [[model, *(cells[model, name].word for name in there)] for model in here.models]
    lines = [_versions(here, "This environment")]
    lines += [_versions(found, f"torch {name}") for name, found in there.items()]
    lines += [f"- torch {name}: {MISSING} ({why})" for name, why in columns.items() if isinstance(why, str)]
    lines += ["", *(f"| {' | '.join(row)} |" for row in rows), ""]
    for (model, name), cell in cells.items():
        lines += cell.told(model, name)
    return "\n".join(lines), all(cell.is_explained for cell in cells.values())


def _versions(found: Results, name: str) -> str:
    return f"- {name}: " + ", ".join(f"{library} {version}" for library, version in found.versions.items())


class _Cell:
    """A model in a version: what differs from this environment, and why."""

    def __init__(self, found: Sequence[Difference], error: str | None, why: str | None) -> None:
        self.found, self.error, self.why = found, error, why

    @property
    def word(self) -> str:
        if self.error is not None:
            return MISSING
        return "differs" if self.found else EQUAL

    @property
    def is_explained(self) -> bool:
        return self.word == EQUAL or self.why is not None

    def told(self, model: str, version: str) -> Iterator[str]:
        if self.word == EQUAL:
            return
        yield f"- {model}, torch {version}: {self.why or 'NO REASON IS KNOWN'}"
        if self.error is not None:
            yield f"  - {self.error}"
        for difference in self.found[:_SHOWN]:
            yield f"  - {difference.where}: {_short(difference.here)} here, {_short(difference.there)} there"
        if len(self.found) > _SHOWN:
            yield f"  - and {len(self.found) - _SHOWN} more figures"


def _cell(here: Results, there: Results, model: str) -> _Cell:
    before, after = here.models[model], there.models.get(model, {"error": "it was not run"})
    error = after.get("error") if "error" not in before else None
    found = [] if error else sorted(differences(before, after), key=_importance)
    return _Cell(found, error, reason(model, there.versions) if error or found else None)


def _importance(difference: Difference) -> tuple[bool, bool]:
    """Totals before layers, and of these what is a sum before its parts."""
    return not difference.where.startswith("totals."), "cost" in difference.where


def _short(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
