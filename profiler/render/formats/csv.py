"""CSV with raw values: counts as integers, sizes in bytes, shares from 0 to 1, nothing for what is not known.

A text that a spreadsheet would take for a formula, or a job's log for a command, has an apostrophe before it, which a
spreadsheet does not show (OWASP, "CSV Injection"). A text that is a number stays one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from profiler.answers.check.compute import BudgetCheck
from profiler.answers.check.table import raw_budget_table
from profiler.answers.cross_check.accounts import Account
from profiler.answers.cross_check.table import raw_account_table
from profiler.answers.diff.compute import Diff
from profiler.answers.diff.table import raw_diff_table
from profiler.answers.layers.table import STEP_COLUMNS, layer_table
from profiler.answers.models.compute import Comparison
from profiler.answers.models.table import model_table
from profiler.figures.profile import Profile
from profiler.render import numbers
from profiler.render.answer import Answer
from profiler.render.safe import safe
from profiler.render.tables import Column, Table, Unit, View

SUFFIXES = (".csv",)


def write(table: Table) -> str:
    table = safe(table)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    failed = any(row.failure is not None for row in table.rows)
    writer.writerow([_inert(key(column)) for column in table.columns] + ["error"] * failed)
    for row in table.rows:
        cells = [_raw(value, column.unit) for value, column in zip(row.values, table.columns, strict=True)]
        writer.writerow([*map(_inert, cells), *[_inert(row.failure or "")] * failed])
    return file.getvalue().rstrip("\n")


def layers(profile: Profile, view: View | None = None) -> str:
    """Layers are told apart by their whole path."""
    usual = _LAYER_COLUMNS + (STEP_COLUMNS if profile.trace.phases else ()) + ("dtype",) * (not profile.trace.was_run)
    columns = [_PATH.get(name, name) for name in (view.columns if view and view.columns else usual)]
    return write(layer_table(profile, replace(view or View(), columns=columns)))


def models(comparison: Comparison) -> str:
    return write(model_table(comparison))


def accounts(found: Sequence[Account], verbose: bool = False) -> str:
    """One row for each figure and term; `verbose` for one row for each layer's part of a term."""
    return write(raw_account_table(found, verbose))


def budgets(check: BudgetCheck) -> str:
    """Whole numbers; sizes in bytes."""
    return write(raw_budget_table(check))


def diff(found: Diff) -> str:
    """The totals, and one row for each layer that differs, in its own figures."""
    return write(raw_diff_table(found))


def answer(found: Answer) -> str:
    """Whole numbers; sizes in bytes."""
    return write(found.raw_table())


_PATH = {"layer": "path"}
_LAYER_COLUMNS = ("path", "class", "kind", "output", "params", "macs", "flops", "size", "share", "calls")


def key(column: Column) -> str:
    """A column's name, with the unit of its raw values."""
    return f"{column.name}_bytes" if column.unit is Unit.BYTES and not column.name.endswith("_bytes") else column.name


def _raw(value: Any, unit: Unit) -> Any:
    if unit is Unit.SHAPE:
        return numbers.shape(value).replace("×", "x")
    return "" if value is None else value


_FORMULA = re.compile(r"\s*(?:[=+\-@＝＋－＠]|::|\\[trn])")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? ?%?", re.ASCII)


def _inert(value: Any) -> Any:
    """A cell that is a text and nothing else."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"
