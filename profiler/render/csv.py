"""CSV with raw values: counts as integers, sizes in bytes, shares from 0 to 1, nothing for what is not known."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from profiler.profiles import Profile
from profiler.render import numbers
from profiler.tables import Table, Unit, View, layer_table, model_table

SUFFIXES = (".csv",)


def layers(profile: Profile, view: View | None = None) -> str:
    """Layers are told apart by their whole path."""
    columns = [_PATH.get(name, name) for name in (view.columns if view and view.columns else _LAYER_COLUMNS)]
    return _render(layer_table(profile, replace(view or View(), columns=columns)))


def models(profiles: Sequence[Profile], columns: Sequence[str] = ()) -> str:
    return _render(model_table(profiles, columns))


_PATH = {"layer": "path"}
_LAYER_COLUMNS = ("path", "class", "kind", "output", "params", "macs", "flops", "size", "share", "calls")


def _render(table: Table) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([f"{c.name}_bytes" if c.unit is Unit.BYTES else c.name for c in table.columns])
    for row in table.rows:
        writer.writerow([_raw(value, column.unit) for value, column in zip(row.values, table.columns, strict=True)])
    return file.getvalue().rstrip("\n")


def _raw(value: Any, unit: Unit) -> Any:
    if unit is Unit.SHAPE:
        return numbers.shape(value).replace("×", "x")
    return "" if value is None else value
