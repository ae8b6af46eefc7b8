"""How is a model at several values shown? A row a value, what is the same in all of them once, and polynomials."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common import series_table
from profiler.answers.common.notes import (
    conditions_note,
    convention_notes,
    input_shape,
    inputs_words,
    uncounted,
    versions_note,
)
from profiler.answers.common.series import Point
from profiler.answers.common.time_columns import (
    BOUND,
    HIGH,
    LOW,
    THROUGHPUT,
    TIME,
    check_device,
    throughput_column,
    time_columns,
    time_data,
    time_notes,
    worded,
)
from profiler.answers.scan.compute import FIGURES, Scan
from profiler.figures.profile import Profile
from profiler.records.polynomial import Polynomial
from profiler.records.trace import Input
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Table, Unit, chosen_columns

SCAN_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column(series_table.VALUE, "Value", Unit.TEXT, lambda point, _: point.value),
        Column("input", "Input", Unit.SHAPE, lambda point, _: input_shape(point.result.trace.inputs), 3, 24),
        Column("params", "Parameters", Unit.EXACT, lambda point, _: point.result.totals.params),
        Column("trainable", "Trainable", Unit.EXACT, lambda point, _: point.result.totals.trainable_params, 3),
        Column("buffers", "Buffers", Unit.EXACT, lambda point, _: point.result.totals.buffers, 3),
        Column("macs", "MACs", Unit.AMOUNT, lambda point, _: point.result.totals.macs),
        Column("flops", "FLOPs", Unit.AMOUNT, lambda point, _: point.result.totals.flops, 1),
        Column("size", "Parameters", Unit.BYTES, lambda point, _: point.result.totals.param_bytes, 2),
        Column("activations", "Activations", Unit.BYTES, lambda point, _: point.result.totals.activation_bytes, 2),
        Column("peak", "Peak act.", Unit.BYTES, lambda point, _: point.result.totals.peak_activation_bytes, 3),
        Column("memory", "Peak memory", Unit.BYTES, lambda point, _: point.result.totals.peak_memory_bytes, 1),
        Column("unknown", "Unknown", Unit.EXACT, lambda point, _: point.result.coverage.unknown, 3),
        *time_columns(lambda point, _: point.result.times, lambda point: 0),
        throughput_column(lambda point, _: point.result.times),
    )
}
TIME_COLUMNS = (TIME, LOW, HIGH, BOUND, THROUGHPUT)  # on a device alone
_DEFAULT = (series_table.VALUE, "params", "macs", "flops", "size", "activations", "memory")
_TOKENS = "the number of tokens, which is how many queries every attention layer has"


def scan_table(scan: Scan) -> Table:
    """A value that failed keeps its row, with the reason. What is the same in every row stands under the table."""
    check_device(scan.columns, TIME_COLUMNS, scan.first.timer)
    usual = _DEFAULT if scan.first.timer is None else (*_DEFAULT, TIME, THROUGHPUT)
    columns = _columns(scan, scan.columns or usual)
    same = () if scan.columns else _constant(scan, columns)
    shown = tuple(column for column in columns if column not in same)
    first = next(point for point in scan.points if point.result is not None)
    facts = tuple((column.heading, column.get(first, None), column.unit, "in every row") for column in same)
    return Table(
        shown, series_table.rows(scan, shown), facts, tuple(_notes(scan)), scan.caption, scan.anchor, bool(scan.columns)
    )


def _columns(scan: Scan, names: Sequence[str]) -> tuple[Column, ...]:
    columns = chosen_columns(names, {**SCAN_COLUMNS, series_table.VALUE: series_table.value_column(scan)})
    return worded(columns, scan.profiles)


def _constant(scan: Scan, columns: Sequence[Column]) -> tuple[Column, ...]:
    points = [point for point in scan.points if point.result is not None]
    if len(points) < 2:
        return ()
    same = [column for column in columns if len({column.get(point, None) for point in points}) == 1]
    return tuple(column for column in same if column.name != series_table.VALUE)


# Notes ----------------------------------------------------------------------------------------------------------------


def _notes(scan: Scan) -> Iterator[str]:
    yield from dict.fromkeys(note for profile in scan.profiles for note in uncounted(profile))
    yield from _polynomial_notes(scan)
    yield from convention_notes(scan.first)
    engines = ", ".join(dict.fromkeys(profile.trace.engine for profile in scan.profiles))
    yield f"Input {_inputs(scan)}. Engine {engines}.{conditions_note(scan.first.trace)}"
    yield from dict.fromkeys(note for profile in scan.profiles for note in time_notes({"": profile}))
    yield versions_note(item for profile in scan.profiles for item in profile.trace.versions.items())


def _polynomial_notes(scan: Scan) -> Iterator[str]:
    name = scan.varying.name
    yield from series_table.equations(_in_words(scan.polynomials), name)
    yield from series_table.without(
        {_inner(words): curve for words, curve in _in_words(scan.polynomials).items()}, name
    )
    if scan.in_tokens and scan.tokens is not None:
        symbol = token_symbol(scan)
        yield f"With {symbol} = {scan.tokens.written(name)}, {_TOKENS}:"
        yield from series_table.equations(_in_words(scan.in_tokens), symbol)
    if confirmed_at := series_table.points(scan.polynomials):
        values = ", ".join(map(str, confirmed_at))
        yield f"Exact at {len(confirmed_at)} points that were run, {name} {values}; not proven beyond."


def _in_words(polynomials: Mapping[str, Polynomial | None]) -> dict[str, Polynomial | None]:
    return {FIGURES[figure][0]: polynomial for figure, polynomial in polynomials.items()}


def token_symbol(scan: Scan) -> str:
    return "n" if scan.varying.name != "n" else "tokens"


def _inner(words: str) -> str:
    """As it stands within a sentence."""
    return words if words[:2].isupper() else words[0].lower() + words[1:]


def _inputs(scan: Scan) -> str:
    """The inputs, with the name of what varies where a dimension is that in every row."""
    first, *others = (profile.trace.inputs for profile in scan.profiles)
    if all(inputs == first for inputs in others):
        return inputs_words(first)
    kinds = {tuple((tensor.name, tensor.dtype, len(tensor.shape)) for tensor in inputs) for inputs in (first, *others)}
    if len(kinds) > 1:
        return f"{inputs_words(first)} to {inputs_words(others[-1])}"
    return inputs_words(_with_names(scan, number, tensor) for number, tensor in enumerate(first))


def _with_names(scan: Scan, number: int, tensor: Input) -> Input:
    shape: Any = tuple(_dimension(scan, number, axis) for axis in range(len(tensor.shape)))
    return dataclasses.replace(tensor, shape=shape)


def _dimension(scan: Scan, number: int, axis: int) -> int | str:
    sizes = [profile.trace.inputs[number].shape[axis] for profile in scan.profiles]
    if len(set(sizes)) == 1:
        return sizes[0]
    values = [point.value for point in scan.points if point.result is not None]
    return scan.varying.name if sizes == values else f"{min(sizes)}–{max(sizes)}"


# Raw ------------------------------------------------------------------------------------------------------------------


def raw_scan_table(scan: Scan) -> Table:
    """Every column in every row, whether or not it varies."""
    others = {"input"} if scan.first.timer is not None else {"input", *TIME_COLUMNS}
    return series_table.raw_table(
        scan, _columns(scan, scan.columns or [name for name in SCAN_COLUMNS if name not in others])
    )


def scan_data(scan: Scan) -> dict[str, Any]:
    tokens = None
    if scan.in_tokens and scan.tokens is not None:
        symbol = token_symbol(scan)
        tokens = {
            "symbol": symbol,
            "number": scan.tokens.data(scan.varying.name),
            "polynomials": series_table.data(scan.in_tokens, symbol),
        }
    return {
        "model": scan.varying.label,
        "variable": scan.varying.name,
        "convention": scan.first.convention.name,
        "asked": dict(scan.first.trace.asked),
        "rows": [_point(point) for point in scan.points],
        "polynomials": series_table.data(scan.polynomials, scan.varying.name),
        "tokens": tokens,
        "probes": sorted(scan.probes),
        "versions": dict(scan.first.trace.versions),
    }


def _point(point: Point[Profile]) -> dict[str, Any]:
    value = {"value": series_table.written_value(point.value)}
    if point.result is None:
        return value | {"model": None, "inputs": None, "totals": None, "error": str(point.failure)}
    return value | _profile(point.result)


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "model": profile.model,
        "inputs": [dataclasses.asdict(tensor) for tensor in profile.trace.inputs],
        "totals": dataclasses.asdict(profile.totals),
        "training": None if profile.training is None else dataclasses.asdict(profile.training),
        "unknown_ops": profile.unknown_ops,
        **time_data(profile),
    }


show(Scan, Shown(lambda scan: [scan_table(scan)], raw_scan_table, scan_data))
