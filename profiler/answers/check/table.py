"""How are checked budgets shown? As one row for each limit of each model; and raw, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiler.answers.check.compute import BudgetCheck, Checked, Verdict
from profiler.answers.common.limitable import Contribution
from profiler.render.answer import Shown, show
from profiler.render.plain import failed
from profiler.render.tables import Caution, Column, Quantity, Row, Table, Unit

_COLUMNS = (
    Column("model", "Model", Unit.TEXT, lambda row, _: row, 0, 32),
    Column("figure", "Figure", Unit.TEXT, lambda row, _: row),
    Column("measured", "Value", Unit.MIXED, lambda row, _: row),
    Column("limit", "Limit", Unit.MIXED, lambda row, _: row),
    Column("used", "Used %", Unit.SHARE, lambda row, _: row, 1),
    Column("over", "Over", Unit.MIXED, lambda row, _: row),
    Column("place", "Limit in", Unit.TEXT, lambda row, _: row, 2, 32),
)
_NOTHING = ""  # a cell that there is nothing to say in


def budget_table(check: BudgetCheck) -> Table:
    """A model that could not be measured keeps its row, with the reason."""
    return Table(_COLUMNS, tuple(_rows(check)), notes=tuple(_notes(check)))


def _rows(check: BudgetCheck) -> Iterator[Row]:
    for model in check.models:
        if model.problem is not None:
            yield Row((model.model, *[_NOTHING] * (len(_COLUMNS) - 1)), failure=str(model.problem))
        for verdict in model.verdicts:
            yield Row((model.model, *_values(verdict)))


def _values(verdict: Verdict) -> tuple[object, ...]:
    limit, unit = verdict.limit, verdict.limit.figure.unit
    is_complete = verdict.measured is not None and not verdict.is_incomplete
    over = verdict.over or (0 if is_complete else None)
    return (
        limit.figure.words,
        Quantity(verdict.measured, unit),
        Quantity(limit.most, unit),
        verdict.used if limit.most or not is_complete else _NOTHING,
        _NOTHING if over == 0 else Quantity(over, unit),
        limit.place,
    )


def _notes(check: BudgetCheck) -> Iterator[str]:
    for model in check.models:
        lacking = next((verdict.unknown_ops for verdict in model.verdicts if verdict.is_incomplete), None)
        if lacking:
            calls = ", ".join(f"{op} ×{times}" for op, times in lacking.items())
            yield Caution(f"{model.model}: NOT COUNTED, for want of a formula: {calls}")


# Raw ------------------------------------------------------------------------------------------------------------------

_RAW = tuple(
    Column(name, name, unit, lambda row, _: row)
    for name, unit in (
        *((name, Unit.TEXT) for name in ("model", "figure")),
        *((name, Unit.EXACT) for name in ("measured", "limit", "over", "uncounted_calls")),
        *((name, Unit.TEXT) for name in ("passed", "place", "layers")),
    )
)


def raw_budget_table(check: BudgetCheck) -> Table:
    """Figures by the names that options have them by; sizes in bytes; `layers` are those that a failed figure is in."""
    return Table(_RAW, tuple(_raw_rows(check)), chosen=True)


def _raw_rows(check: BudgetCheck) -> Iterator[Row]:
    for model in check.models:
        if model.problem is not None:
            yield Row((model.model, *[_NOTHING] * (len(_RAW) - 1)), failure=str(model.problem))
        for verdict in model.verdicts:
            limit = verdict.limit
            layers = " ".join(f"{_place(part)}:{part.amount}" for part in verdict.parts)
            passed = "yes" if verdict.passed else "no"
            uncounted = sum(verdict.unknown_ops.values()) if verdict.is_incomplete else 0
            over = None if verdict.measured is None else verdict.over
            figures = (verdict.measured, limit.most, over, uncounted)
            yield Row((model.model, limit.figure.name, *figures, passed, limit.place, layers))


def _place(part: Contribution) -> str:
    """A layer's path, or in parentheses what is of no layer."""
    return f"({part.words.removeprefix('the ')})" if part.path is None else part.path


# Data -----------------------------------------------------------------------------------------------------------------


def _checked(model: Checked) -> dict[str, Any]:
    problem = None if model.problem is None else str(model.problem)
    passed = problem is None and all(verdict.passed for verdict in model.verdicts)
    limits = [_verdict(verdict) for verdict in model.verdicts]
    return {"model": model.model, "passed": passed, "limits": limits} | failed(problem)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    failure = verdict.failure()
    return {
        "figure": verdict.limit.figure.name,
        "unit": unit.value if (unit := verdict.limit.figure.unit) in (Unit.BYTES, Unit.NANOSECONDS) else None,
        "measured": verdict.measured,
        "limit": verdict.limit.most,
        "over": None if verdict.measured is None else verdict.over,
        "passed": verdict.passed,
        "place": verdict.limit.place,
        "layers": [{"path": part.path, "amount": part.amount} for part in verdict.parts],
        "unknown_ops": dict(verdict.unknown_ops),
        "message": None if failure is None else str(failure),
    }


show(
    BudgetCheck,
    Shown(
        lambda check: [budget_table(check)],
        raw_budget_table,
        lambda check: [_checked(model) for model in check.models],
    ),
)
