"""How are several models shown in one table? With a row for each model, and these columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from profiler import errors
from profiler.answers.common.notes import (
    convention_notes,
    input_shape,
    inputs_words,
    run_words,
    uncounted,
    versions_note,
)
from profiler.answers.common.ordering import rank
from profiler.answers.common.time_columns import (
    BOUND,
    HIGH,
    LOW,
    THROUGHPUT,
    TIME,
    check_device,
    throughput_column,
    time_columns,
    time_notes,
    worded,
)
from profiler.answers.layers.data import profile_data
from profiler.answers.models import metrics
from profiler.answers.models.compute import Comparison, Entry, Layout
from profiler.records.times import Timer
from profiler.records.trace import Value
from profiler.render import numbers
from profiler.render.answer import Shown, show
from profiler.render.plain import failed, plain
from profiler.render.tables import Better, Column, Row, Table, Unit, chosen_columns

# Columns --------------------------------------------------------------------------------------------------------------


def _input(entry: Entry, reference: Entry) -> Value:
    return input_shape(entry.trace.inputs)


def _unknown(entry: Entry, reference: Entry) -> int | None:
    return entry.profile.coverage.unknown if entry.profile is not None and entry.trace.was_run else None


_COSTS = (  # the less, the better; each also as a multiple of another model's
    Column("params", "Params", Unit.COUNT, lambda entry, _: entry.totals.params),
    Column("active", "Active params", Unit.COUNT, lambda entry, _: entry.totals.active_params, 4),
    Column("trainable", "Trainable", Unit.COUNT, lambda entry, _: entry.totals.trainable_params, 4),
    Column("macs", "MACs", Unit.AMOUNT, lambda entry, _: entry.totals.macs),
    Column("flops", "FLOPs", Unit.AMOUNT, lambda entry, _: entry.totals.flops, 1),
    Column("size", "", Unit.BYTES, lambda entry, _: entry.totals.param_bytes, 3),
    Column("activations", "Act.", Unit.BYTES, lambda entry, _: entry.totals.activation_bytes, 4),
    Column("peak", "Peak", Unit.BYTES, lambda entry, _: entry.totals.peak_activation_bytes, 5),
    Column("memory", "Peak memory", Unit.BYTES, lambda entry, _: entry.totals.peak_memory_bytes, 5),
)


def _times(column: Column) -> Column:
    def get(entry: Entry, reference: Entry) -> float | None:
        reference_value = column.get(reference, reference) if reference.profile is not None else None
        value = column.get(entry, reference)
        return value / reference_value if reference_value and value is not None else None

    return Column(
        f"rel_{column.name}", f"Rel. {column.heading or column.name}", Unit.TIMES, get, column.rank, better="min"
    )


def _difference(column: Column) -> Column:
    def get(entry: Entry, reference: Entry) -> int | None:
        reference_value = column.get(reference, reference) if reference.profile is not None else None
        value = column.get(entry, reference)
        return value - reference_value if reference_value is not None and value is not None else None

    heading = f"Diff. {column.heading or column.name}" + " bytes" * (column.unit is Unit.BYTES)
    return Column(f"diff_{column.name}", heading, Unit.DIFFERENCE, get, column.rank)


_TIMES = {
    column.name: column
    for column in (
        *time_columns(lambda entry, _: entry.times, lambda entry: 0),
        throughput_column(lambda entry, _: entry.times),
    )
}
TIME_COLUMNS = (TIME, LOW, HIGH, f"rel_{TIME}", THROUGHPUT, BOUND)  # on a device alone
MODEL_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("model", "Model", Unit.TEXT, lambda entry, _: entry.label, 0, 40),
        Column("spec", "Spec", Unit.TEXT, lambda entry, _: entry.model, 5, 40),
        *(replace(column, better="min") for column in _COSTS),
        *map(_times, _COSTS),
        *map(_difference, _COSTS),
        Column("stored", "Stored", Unit.COUNT, lambda entry, _: entry.totals.stored_params, 4),
        Column("zeros", "Zeros", Unit.COUNT, lambda entry, _: entry.totals.zeros, 4),
        Column("frozen", "Frozen", Unit.COUNT, lambda entry, _: entry.totals.frozen_params, 4),
        Column("buffers", "Buffers", Unit.EXACT, lambda entry, _: entry.totals.buffers, 4),
        Column("input", "Input", Unit.SHAPE, _input, 2, 24),
        Column("unknown", "Unknown", Unit.EXACT, _unknown, 4, better="min"),
        *_TIMES.values(),
        _times(_TIMES[TIME]),
    )
}
_AGAINST_ANOTHER = {Unit.TIMES: "Rel.: times as much as", Unit.DIFFERENCE: "Diff.: the difference to"}
_OF_OPERATORS = (
    "macs",
    "flops",
    "rel_macs",
    "rel_flops",
    "diff_macs",
    "diff_flops",
    *TIME_COLUMNS,
)  # wrong where an operator has no formula
DEFAULT_MODEL_COLUMNS = ("model", "params", "macs", "flops", "size", "activations", "input")
_RELATIVE_MODEL_COLUMNS = ("model", "params", "rel_params", "macs", "rel_macs", "flops", "size", "activations", "input")


def available_columns(named: Iterable[str], entries: Sequence[Entry], timer: Timer | None) -> dict[str, Column]:
    """By their names: our own columns, and one for each metric. Raises where two have one name.

    Where no device is named, a metric may have the name of a column of times.
    """
    columns = dict(MODEL_COLUMNS)
    for name in named:
        if name in MODEL_COLUMNS and not (name in TIME_COLUMNS and timer is None):
            raise _metric_is_acolumn(name)
        columns[name] = _metric(name, entries)
    return columns


def _metric(name: str, entries: Sequence[Entry]) -> Column:
    values = [entry.metrics[name] for entry in entries if name in entry.metrics]
    is_number = any(value is None or isinstance(value, Decimal) for value in values)
    unit = Unit.NUMBER if is_number else Unit.TEXT
    return Column(name, name, unit, partial(_measured, name), 0, None if is_number else 24, metrics.better(name))


def _measured(name: str, entry: Entry, reference: Entry) -> Any:
    return entry.metrics.get(name)


# Tables ---------------------------------------------------------------------------------------------------------------


def model_table(comparison: Comparison) -> Table:
    """One row a model; those that could not be profiled keep theirs, with the reason."""
    return _table(comparison, numbers.UNDEFINED)


def raw_model_table(comparison: Comparison) -> Table:
    """Likewise, for programs."""
    return _table(comparison, None)


def _table(comparison: Comparison, undefined: str | None) -> Table:
    """undefined: what stands in the place of a score that is not defined."""
    layout, entries = comparison.layout, _sorted(comparison)
    columns = worded(_model_columns(layout, comparison.metric_names, entries), comparison.profiles)
    reference = comparison.reference
    rows = [
        Row(tuple(_cell(column, entry, reference, undefined) for column in columns))
        if entry.profile
        else _failed(entry, columns)
        for entry in entries
    ]
    directions = _directions(columns, layout.bold)
    winners = {i: _best(comparison, rows, i, columns[i], direction) for i, direction in directions.items()}
    marked = [replace(row, best=frozenset(i for i in winners if row.values[i] in winners[i])) for row in rows]
    marked_directions = {i: direction for i, direction in directions.items() if winners[i]}
    notes = tuple(_shared_notes(comparison, columns, marked_directions))
    return Table(columns, tuple(marked), (), notes, layout.caption, layout.anchor, chosen=bool(layout.columns))


def _cell(column: Column, entry: Entry, reference: Entry, undefined: str | None) -> Any:
    value = column.get(entry, reference)
    return undefined if value is None and column.name in entry.metrics else value


def telling_columns(comparison: Comparison) -> tuple[str, ...]:
    """The names of all columns that say something of some of the models."""
    columns = available_columns(comparison.metric_names, comparison.entries, comparison.layout.timer)
    ran, reference = [entry for entry in comparison.entries if entry.profile is not None], comparison.reference
    return tuple(
        name
        for name, column in columns.items()
        if (column.unit not in _AGAINST_ANOTHER or comparison.layout.relative_to is not None)
        and any(column.get(entry, reference) not in (None, "", ()) for entry in ran)
    )


def _sorted(comparison: Comparison) -> Sequence[Entry]:
    """In the order that the layout wants; what is not known, and what failed, comes last."""
    sort, entries = comparison.layout.sort, comparison.entries
    if sort is None:
        return entries
    (column,) = chosen_columns([sort], available_columns(comparison.metric_names, entries, comparison.layout.timer))

    def value(entry: Entry) -> Any:
        return column.get(entry, comparison.reference) if entry.profile is not None else None

    return sorted(entries, key=lambda entry: rank(value(entry)))


def check_layout(layout: Layout, named: Iterable[str]) -> None:
    """Raise what `model_table` would raise where metrics have these names."""
    named = tuple(named)
    of_time = set(TIME_COLUMNS) - set(named)
    check_device(layout.columns, of_time, layout.timer)
    if layout.sort is not None:
        check_device([layout.sort], of_time, layout.timer, "sort")
        chosen_columns([layout.sort], available_columns(named, (), layout.timer))
    _directions(_model_columns(layout, tuple(named)), layout.bold)


def _model_columns(layout: Layout, named: Sequence[str], entries: Sequence[Entry] = ()) -> tuple[Column, ...]:
    """The ones chosen. Metrics of which none is chosen come behind them: they were asked for."""
    default = DEFAULT_MODEL_COLUMNS if layout.relative_to is None else _RELATIVE_MODEL_COLUMNS
    column_names = tuple(layout.columns or (*(layout.usual or default), *_usual_times(layout)))
    if not set(column_names) & set(named):
        column_names += tuple(named)
    return chosen_columns(column_names, available_columns(named, entries, layout.timer))


def _usual_times(layout: Layout) -> tuple[str, ...]:
    if layout.timer is None:
        return ()
    return (TIME,) if layout.relative_to is None else (TIME, f"rel_{TIME}")


def _failed(entry: Entry, columns: Sequence[Column]) -> Row:
    """The reason stands behind the row's name, wherever that is."""
    values = tuple(entry.label if column.name == "model" else None for column in columns)
    return Row(values, failure=entry.failure if values[0] is not None else f"{entry.label}: {entry.failure}")


def _directions(columns: Sequence[Column], bold: Mapping[str, Better | None] | None) -> dict[int, Better]:
    """Which columns have their best marked, and whether that is the least or the most."""
    if bold is None:
        return {}
    shown = {column.name: i for i, column in enumerate(columns)}
    if not bold:
        return {i: column.better for i, column in enumerate(columns) if column.better and column.unit is not Unit.TIMES}
    directions: dict[int, Better] = {}
    for name, direction_or_none in bold.items():
        if name not in shown:
            raise errors.no_such_column(name, shown)
        direction = direction_or_none or columns[shown[name]].better
        if direction is None:
            raise _no_direction(name)
        directions[shown[name]] = direction
    return directions


def _best(comparison: Comparison, rows: Sequence[Row], i: int, column: Column, direction: Better) -> Sequence[Any]:
    """A column's best value; none where all are alike, or where some are only known to be no less than what is shown.

    Texts are no candidates.
    """
    if column.name in _OF_OPERATORS and any(profile.unknown_ops for profile in comparison.profiles):
        return ()
    values = [value for row in rows if isinstance(value := row.values[i], (int, float, Decimal))]
    best = min(values, default=None) if direction == "min" else max(values, default=None)
    return () if len(set(values)) < 2 else (best,)


def _shared_notes(comparison: Comparison, columns: Sequence[Column], directions: Mapping[int, Better]) -> Iterator[str]:
    """What holds for all the models, and for which of them something else does."""
    entries = [entry for entry in comparison.entries if entry.profile is not None]
    profiles = [entry.profile for entry in entries if entry.profile is not None]
    for entry, profile in zip(entries, profiles, strict=True):
        yield from uncounted(profile, f"{entry.label}: ")
    ran = [profile for profile in profiles if profile.trace.was_run]
    yield from dict.fromkeys(note for profile in ran for note in convention_notes(profile))
    nothing = "" if comparison.reference.profile else ", which could not be profiled"
    for unit, words in _AGAINST_ANOTHER.items():
        if any(column.unit is unit for column in columns):
            yield f"{words} {comparison.reference.label}{nothing}."
    if directions:
        yield _marked(columns, directions, bool(comparison.layout.columns))
    yield from comparison.remarks
    yield from _inputs(entries)
    yield from time_notes({f"{entry.label}: ": profile for entry, profile in zip(entries, profiles, strict=True)})
    for entry, profile in zip(entries, profiles, strict=True):
        if not profile.trace.was_run:
            yield f"{entry.label}: read from a file's header; nothing ran."
        elif profile.trace.engine != "meta":
            yield f"{entry.label}: engine {profile.trace.engine}."
    versions = [item for profile in profiles for item in profile.trace.versions.items()]
    yield from dict.fromkeys([versions_note(versions)])


def _marked(columns: Sequence[Column], directions: Mapping[int, Better], chosen: bool) -> str:
    """Costs are not named one by one, unless their columns are chosen: some may be left out for want of room."""
    costs = set() if chosen else {column.name for column in _COSTS}
    named: dict[Better, list[str]] = {"min": [], "max": []}
    for i, direction in directions.items():
        is_cost = columns[i].name in costs and direction == "min"
        heading = "of what a model costs" if is_cost else columns[i].heading or columns[i].name
        if heading not in named[direction]:
            named[direction].append(heading)
    words = [f"the {word} {', '.join(named[d])}" for d, word in _SUPERLATIVES.items() if named[d]]
    return f"Marked is the best of a column: {'; '.join(words)}."


_SUPERLATIVES: Mapping[Better, str] = {"min": "least", "max": "most"}


def _inputs(entries: Sequence[Entry]) -> Iterator[str]:
    """What the models were fed; whose it was, where they were not fed alike."""
    by_input: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.trace.was_run:
            continue
        otherwise = run_words(entry.trace)
        words = inputs_words(entry.trace.inputs) + f", {otherwise}" * bool(otherwise)
        by_input.setdefault(words, []).append(entry.label)
    for words, labels in by_input.items():
        yield f"Input {words}." if len(by_input) == 1 else f"Input {words}: {', '.join(dict.fromkeys(labels))}."


# Data -----------------------------------------------------------------------------------------------------------------

_KEYS = (
    "model", "source", "engine", "inputs", "convention", "versions", "asked", "totals", "training", "layers",
    "unknown_ops", "coverage", "file", "notes",
)  # fmt: skip


def comparison_data(comparison: Comparison) -> list[dict[str, Any]]:
    """A list of whole profiles, whatever columns are shown, each with its label and metrics."""
    keys = _KEYS if comparison.layout.timer is None else (*_KEYS, "time")
    return [_entry(entry, keys) for entry in comparison.entries]


def _entry(entry: Entry, keys: Sequence[str]) -> dict[str, Any]:
    """A model that could not be profiled has the reason, and null for all that is not known."""
    without_profile = dict.fromkeys(keys) | {"model": entry.model}
    data = without_profile if entry.profile is None else profile_data(entry.profile)
    metrics = {name: plain(value) for name, value in entry.metrics.items()}
    return data | {"label": entry.label, "metrics": metrics} | failed(entry.failure)


def about(comparison: Comparison) -> dict[str, Any]:
    """The models, in the order of the rows, and whose FLOPs these are; one, where it is that of all."""
    conventions = {entry.model: entry.profile.convention.name for entry in comparison.entries if entry.profile}
    shared = set(conventions.values())
    return {
        "model": [entry.model for entry in _sorted(comparison)],
        "convention": shared.pop() if len(shared) == 1 else conventions,
    }


show(
    Comparison,
    Shown(lambda comparison: [model_table(comparison)], raw_model_table, data=comparison_data, about=about),
)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_direction(column: str) -> errors.ProfileError:
    return errors.ProfileError(f"column {column!r} has no best by itself; write {column}:min or {column}:max")


def _metric_is_acolumn(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"a metric is called {name!r}, as is a column of this table; rename it in your file")
