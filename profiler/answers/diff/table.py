"""How are changes shown? The totals of both models, then one row a change; or raw, everything in one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common.notes import convention_notes, inputs_words, run_note, run_words, uncounted, versions_note
from profiler.answers.common.time_columns import TIME, check_device, time_notes, worded
from profiler.answers.diff.changes import Change, Reason
from profiler.answers.diff.compute import Diff, Total
from profiler.answers.layers.checkpoint_table import tensor_shapes
from profiler.answers.layers.data import about
from profiler.figures.describe import describe
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.records.trace import Tensor
from profiler.render.answer import Shown, show
from profiler.render.numbers import longer
from profiler.render.tables import Caution, Column, Quantity, Row, Table, Unit, chosen_columns


def _column(name: str, heading: str, unit: Unit, rank: int = 0, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, rank, most)


_NO_TIME = 0.5e-9  # seconds: a difference of sums, where there is none
_NOTHING = ""  # a cell that there is nothing to say in
_TOTALS = (
    _column("figure", "Total", Unit.TEXT),
    _column("before", "Before", Unit.MIXED),
    _column("after", "After", Unit.MIXED),
    _column("difference", "Difference", Unit.MIXED),
    _column("percent", "%", Unit.GROWTH),
)
CHANGE_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("change", "Change", Unit.TEXT, lambda change, _: change.status),
        Column("layer", "Layer", Unit.TEXT, lambda change, _: place(change), 0, 40),
        Column("what", "What", Unit.TEXT, lambda change, _: words(change), 0, 60),
        Column("layers", "Layers", Unit.EXACT, lambda change, _: change.layers, 3),
        Column("params", "Parameters", Unit.DIFFERENCE, lambda change, _: change.amounts.params),
        Column("trainable", "Trainable", Unit.DIFFERENCE, lambda change, _: change.amounts.trainable, 3),
        Column("buffers", "Buffers", Unit.DIFFERENCE, lambda change, _: change.amounts.buffers, 3),
        Column("macs", "MACs", Unit.DIFFERENCE, lambda change, _: change.amounts.macs),
        Column("flops", "FLOPs", Unit.DIFFERENCE, lambda change, _: change.amounts.flops, 1),
        Column("size", "Bytes", Unit.DIFFERENCE, lambda change, _: change.amounts.size, 3),
        Column("activations", "Act. bytes", Unit.DIFFERENCE, lambda change, _: change.amounts.activations, 2),
        Column(TIME, "Time", Unit.LONGER, lambda change, _: change.seconds),
    )
}
DEFAULT_CHANGE_COLUMNS = ("change", "layer", "what", "params", "macs", "flops", "activations")
_WEIGHTS_CHANGE_COLUMNS = ("change", "layer", "what", "params", "buffers", "size")


def diff_tables(diff: Diff) -> Iterator[Table]:
    """The totals with all that is to be said; then the changes, if there are any."""
    check_device(diff.columns, [TIME], diff.after.timer)
    title = f"{diff.before.model} → {diff.after.model}"
    yield Table(_TOTALS, tuple(map(_total, diff.totals)), notes=tuple(diff_notes(diff)), caption=title, chosen=True)
    if diff.blocks:
        usual = _WEIGHTS_CHANGE_COLUMNS if diff.is_of_weights else DEFAULT_CHANGE_COLUMNS
        on_device = () if diff.after.timer is None else (TIME,)
        columns = worded(chosen_columns(diff.columns or usual + on_device, CHANGE_COLUMNS), [diff.after, diff.before])
        rows = tuple(_change_rows(diff, columns))
        yield Table(columns, rows, caption=f"Layers: {_by_status(diff.blocks)}", chosen=bool(diff.columns))


def _total(total: Total) -> Row:
    """Counts have all their digits; a time is in the unit that suits it."""
    is_time = total.unit is Unit.NANOSECONDS
    unit, signed = (Unit.NANOSECONDS, Unit.LONGER) if is_time else (Unit.EXACT, Unit.DIFFERENCE)
    difference = total.difference / 1e9 if is_time and total.difference is not None else total.difference
    amounts = (Quantity(total.before, unit), Quantity(total.after, unit), Quantity(difference, signed))
    return Row((total.heading, *amounts, _growth(total.before, total.growth)))


def _growth(before: int | None, growth: float | None) -> float | str:
    """There is no percentage of nothing."""
    return _NOTHING if growth is None else growth


def _by_status(blocks: Sequence[Change]) -> str:
    statuses = [block.status for block in blocks]
    return ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses), key=statuses.index))


# Changes --------------------------------------------------------------------------------------------------------------


def _change_rows(diff: Diff, columns: Sequence[Column]) -> Iterator[Row]:
    shown = diff.blocks[: diff.top]
    for block in shown:
        yield Row(tuple(column.get(block, diff) for column in columns))
    rest = diff.blocks[len(shown) :]
    if rest:
        yield Row(tuple(_rest(rest, column, diff) for column in columns))


def _rest(rest: Sequence[Change], column: Column, diff: Diff) -> Any:
    """What is not shown, in one row: how many they are, and their amounts together."""
    if column.unit is Unit.TEXT:
        return f"… and {len(rest)} more" if column.name == "layer" else _NOTHING
    amounts = [column.get(block, diff) for block in rest]
    return None if None in amounts else sum(amounts)


def place(change: Change) -> str:
    """Its path, or both where it was renamed or moved."""
    if change.before is None or change.after is None or change.before.path == change.after.path:
        return _path(change.path)
    if change.status == "changed":  # in a renamed block: where it is now
        return _path(change.path)
    return f"{_path(change.before.path)} → {_path(change.after.path)}"


def _path(path: str) -> str:
    return path or "the model itself"


def words(change: Change) -> str:
    """What was added or removed, or in what it differs."""
    size = f", {change.layers} layers" if change.layers > 1 else ""
    if change.before is None or change.after is None:
        return (_described(change.now) + size).removeprefix(", ")
    old, new = _described(change.before), _described(change.after)
    if old != new:
        return f"{old} became {new}{size}"
    differences = ", ".join(dict.fromkeys([*map(_reason, change.reasons), *_costs(change)]))
    return (new + size).removeprefix(", ") + (f": {differences}" if differences else "")


def _described(layer: Layer) -> str:
    return describe(layer.module, layer.weights) if layer.was_run else tensor_shapes(layer)


def _reason(reason: Reason) -> str:
    if reason.before is None:
        return f"{reason.what} {_value(reason.after)} is new"
    if reason.after is None:
        return f"{reason.what} {_value(reason.before)} is gone"
    return f"{reason.what} {_value(reason.before)} became {_value(reason.after)}"


def _value(value: Any) -> str:
    """A setting, a tensor or shapes in a few characters."""
    if isinstance(value, Tensor):
        return f"{'×'.join(map(str, value.shape)) or 'scalar'} {value.dtype}"
    if isinstance(value, tuple):
        return "×".join(map(_value, value)) if value and all(type(v) is int for v in value) else _several(value)
    return str(value)


def _several(values: tuple[Any, ...]) -> str:
    return " ".join(map(_value, values)) or "none"


def _costs(change: Change) -> Iterator[str]:
    """Where there is no reason in the layer itself, what it costs is what changed."""
    if not change.reasons and change.status == "changed":
        yield from (name for name in ("macs", "flops", "activations") if getattr(change.amounts, name))


# Notes ----------------------------------------------------------------------------------------------------------------


def diff_notes(diff: Diff) -> Iterator[str]:
    """In what the two runs differ besides their models: no difference of figures shall hide that."""
    before, after = diff.before, diff.after
    yield from warnings(diff)
    if diff.is_empty and diff.is_of_weights:
        yield "Nothing changed in what both are known to have."
    elif diff.is_empty:
        yield "Nothing changed."
    yield from convention_notes(after)
    if diff.first.convention.name != after.convention.name:
        yield f"The first was made in the convention {diff.first.convention.name}; both are shown in the second's."
    if diff.is_of_weights:
        yield f"{diff.not_run.model}: {run_note(diff.not_run.trace)}"
    elif before.trace.engine == after.trace.engine:
        yield f"Engine {after.trace.engine}."
    else:
        yield f"Different engines: {before.trace.engine} before, {after.trace.engine} after."
    if not diff.is_of_weights and not _has_other_inputs(before, after):
        yield f"Input {inputs_words(after.trace.inputs)}."
    if run_words(after.trace) and run_words(before.trace) == run_words(after.trace):
        yield f"Run as {run_words(after.trace)}."
    yield from time_notes({"Before: ": before, "After: ": after})
    if diff.unchanged_seconds and abs(diff.unchanged_seconds) > _NO_TIME:
        yield f"Layers that are as they were take {longer(diff.unchanged_seconds)} of the difference of times."
    yield from _versions(before, after)


def warnings(diff: Diff) -> Iterator[str]:
    """What the figures must not be read without."""
    before, after = diff.before, diff.after
    yield from uncounted(before, "Before: ")
    yield from uncounted(after, "After: ")
    if diff.is_of_weights:
        return
    if _has_other_inputs(before, after):
        was, now = inputs_words(before.trace.inputs), inputs_words(after.trace.inputs)
        yield Caution(f"Different inputs: {was} before, {now} after. MACs, FLOPs and activations depend on them.")
    was, now = run_words(before.trace), run_words(after.trace)
    if was != now:
        yield Caution(
            f"Run otherwise: {was or 'as usual'} before, {now or 'as usual'} after. Figures of a run depend on that."
        )


def _has_other_inputs(before: Profile, after: Profile) -> bool:
    return before.trace.inputs != after.trace.inputs


def _versions(before: Profile, after: Profile) -> Iterator[str]:
    old, new = before.trace.versions, after.trace.versions
    has_file = before.trace.header is not None or after.trace.header is not None  # which nothing ran for
    names = [name for name in dict.fromkeys([*old, *new]) if not has_file or (name in old and name in new)]
    differing = [name for name in names if old.get(name) != new.get(name)]
    if differing:
        words = (f"{name} {old.get(name, 'none')} before, {new.get(name, 'none')} after" for name in differing)
        yield Caution(f"Different versions: {'; '.join(words)}.")
    yield versions_note((name, version) for name, version in new.items() if name not in differing)


# Raw ------------------------------------------------------------------------------------------------------------------

_FIGURES = ("params", "trainable", "buffers", "macs", "flops", "size_bytes", "activations_bytes")
_RAW = tuple(
    _column(name, name, unit)
    for name, unit in (
        *((name, Unit.TEXT) for name in ("line", "path_before", "path_after", "kind_before", "kind_after", "what")),
        *((name, Unit.DIFFERENCE) for name in (*_FIGURES, "peak_bytes", "memory_bytes")),
    )
)
_RAW_TIME = _column(TIME, TIME, Unit.LONGER)


def raw_diff_table(diff: Diff) -> Table:
    """The totals before and after and their difference, then one row for each layer that differs, with its own."""
    rows = [
        Row((line, "", "", "", "", "", *(_raw_total(total, line) for total in diff.totals)))
        for line in ("before", "after", "difference")
    ]
    columns = _RAW if diff.after.timer is None else worded((*_RAW, _RAW_TIME), [diff.after, diff.before])
    return Table(columns, (*rows, *(_raw(change, diff.after.timer is not None) for change in diff.layers)), chosen=True)


def _raw_total(total: Total, line: str) -> float | None:
    """Times in seconds."""
    amount: int | None = getattr(total, line)
    return amount / 1e9 if total.unit is Unit.NANOSECONDS and amount is not None else amount


def _raw(change: Change, is_timed: bool) -> Row:
    """What is known of a whole run alone is left out."""
    layers = change.before, change.after
    paths, kinds = (layer and layer.path for layer in layers), (layer and layer.kind for layer in layers)
    what = " ".join(reason.what for reason in change.reasons)
    values = (change.status, *paths, *kinds, what, *change.amounts.all)
    values += (None,) * (len(_RAW) - len(values))
    return Row(values + (change.seconds,) * is_timed)


# Data -----------------------------------------------------------------------------------------------------------------


def _data(diff: Diff) -> dict[str, Any]:
    """Both models, their totals, and every layer that differs in its own figures; amounts are after less before."""
    return {
        "before": about(diff.before) | {"unknown_ops": diff.before.unknown_ops},
        "after": about(diff.after) | {"unknown_ops": diff.after.unknown_ops},
        "totals": {
            total.name: {
                "before": total.before,
                "after": total.after,
                "difference": total.difference,
                "growth": total.growth,
                "unit": None if total.unit is Unit.EXACT else total.unit.value,
            }
            for total in diff.totals
        },
        "changes": [_change(change) | _longer(change, diff) for change in diff.layers],
        **({} if diff.after.timer is None else {"unchanged_seconds": diff.unchanged_seconds}),
        "notes": list(diff_notes(diff)),
    }


def _longer(change: Change, diff: Diff) -> dict[str, Any]:
    """On a device alone."""
    return {} if diff.after.timer is None else {"seconds": change.seconds}


def _change(change: Change) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        "status": change.status,
        "path_before": before and before.path,
        "path_after": after and after.path,
        "kind_before": before and before.kind,
        "kind_after": after and after.kind,
        "reasons": [
            {"what": reason.what, "before": _setting(reason.before), "after": _setting(reason.after)}
            for reason in change.reasons
        ],
        "amounts": dataclasses.asdict(change.amounts),
    }


def _setting(value: Any) -> Any:
    """A module's setting, shapes, or a tensor that it holds."""
    if isinstance(value, Tensor):
        return {"shape": list(value.shape), "dtype": value.dtype}
    if isinstance(value, tuple):
        return [_setting(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


show(Diff, Shown(diff_tables, raw_diff_table, _data))
