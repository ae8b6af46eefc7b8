"""A model at several values, as a table: a row a value, what is the same in all of them once, and polynomials."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common.notes import conditions_note, fed_shape, inputs_words, uncounted, unit_note, versions_note
from profiler.answers.scan.compute import FIGURES, Point, Scan
from profiler.figures.profile import Profile
from profiler.records.polynomial import HIGHEST, Polynomial
from profiler.records.trace import Input
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit, chosen_columns

_VALUE = "value"
SCAN_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column(_VALUE, "Value", Unit.TEXT, lambda point, _: point.value),
        Column("input", "Input", Unit.SHAPE, lambda point, _: fed_shape(point.profile.trace.inputs), 3, 24),
        Column("params", "Parameters", Unit.EXACT, lambda point, _: point.profile.totals.params),
        Column("trainable", "Trainable", Unit.EXACT, lambda point, _: point.profile.totals.trainable_params, 3),
        Column("buffers", "Buffers", Unit.EXACT, lambda point, _: point.profile.totals.buffers, 3),
        Column("macs", "MACs", Unit.AMOUNT, lambda point, _: point.profile.totals.macs),
        Column("flops", "FLOPs", Unit.AMOUNT, lambda point, _: point.profile.totals.flops, 1),
        Column("size", "Parameters MB", Unit.BYTES, lambda point, _: point.profile.totals.param_bytes, 2),
        Column("activations", "Activations MB", Unit.BYTES, lambda point, _: point.profile.totals.activation_bytes, 2),
        Column("peak", "Peak act. MB", Unit.BYTES, lambda point, _: point.profile.totals.peak_activation_bytes, 3),
        Column("memory", "Peak memory MB", Unit.BYTES, lambda point, _: point.profile.totals.peak_memory_bytes, 1),
        Column("unknown", "Unknown", Unit.EXACT, lambda point, _: point.profile.coverage.unknown, 3),
    )
}
_DEFAULT = (_VALUE, "params", "macs", "flops", "size", "activations", "memory")
_TOKENS = "the number of tokens, which is how many queries every attention layer has"


def scan_table(found: Scan) -> Table:
    """A value that failed keeps its row, with the reason. What is the same in every row stands under the table."""
    columns = _columns(found, found.columns or _DEFAULT)
    same = () if found.columns else _constant(found, columns)
    shown = tuple(column for column in columns if column not in same)
    rows = tuple(_row(point, shown) for point in found.points)
    facts = tuple((c.heading, c.get(_first(found), found), c.unit, "in every row") for c in same)
    return Table(shown, rows, facts, tuple(_notes(found)), found.caption, found.anchor, chosen=bool(found.columns))


def _columns(found: Scan, names: Sequence[str]) -> tuple[Column, ...]:
    are_whole = all(type(point.value) is int for point in found.points)
    value = dataclasses.replace(
        SCAN_COLUMNS[_VALUE], heading=found.varying.name, unit=Unit.EXACT if are_whole else Unit.TEXT
    )
    return tuple(value if column.name == _VALUE else column for column in chosen_columns(names, SCAN_COLUMNS))


def _constant(found: Scan, columns: Sequence[Column]) -> tuple[Column, ...]:
    points = [point for point in found.points if point.profile is not None]
    if len(points) < 2:
        return ()
    same = [column for column in columns if len({column.get(point, found) for point in points}) == 1]
    return tuple(column for column in same if column.name != _VALUE)


def _first(found: Scan) -> Point:
    return next(point for point in found.points if point.profile is not None)


def _row(point: Point, columns: Sequence[Column]) -> Row:
    """The reason stands behind the value, wherever that is."""
    if point.profile is not None:
        return Row(tuple(column.get(point, None) for column in columns))
    values = tuple(point.value if column.name == _VALUE else None for column in columns)
    is_named = values[0] is not None
    return Row(values, failure=str(point.failure) if is_named else f"{point.value!r}: {point.failure}")


# Notes ----------------------------------------------------------------------------------------------------------------


def _notes(found: Scan) -> Iterator[str]:
    yield from dict.fromkeys(note for point in found.profiles for note in uncounted(point))
    yield from _polynomial_notes(found)
    first = found.profiles[0]
    yield unit_note(first)
    engines = ", ".join(dict.fromkeys(profile.trace.engine for profile in found.profiles))
    yield f"Input {_fed(found)}. Engine {engines}.{conditions_note(first.trace)}"
    yield versions_note(item for profile in found.profiles for item in profile.trace.versions.items())


def _polynomial_notes(found: Scan) -> Iterator[str]:
    name = found.varying.name
    yield from _equations(found.polynomials, name)
    none = [_inner(FIGURES[figure][0]) for figure, polynomial in found.polynomials.items() if polynomial is None]
    if none:
        yield f"No polynomial in {name} of degree {HIGHEST} or less: {', '.join(none)}."
    if found.in_tokens and found.tokens is not None:
        symbol = token_symbol(found)
        yield f"With {symbol} = {found.tokens.written(name)}, {_TOKENS}:"
        yield from _equations(found.in_tokens, symbol)
    points = next((p.points for p in found.polynomials.values() if p is not None), ())
    if points:
        yield f"Exact at {len(points)} points that were run, {name} {', '.join(map(str, points))}; not proven beyond."


def token_symbol(found: Scan) -> str:
    return "n" if found.varying.name != "n" else "tokens"


def _inner(words: str) -> str:
    """As it stands within a sentence."""
    return words if words[:2].isupper() else words[0].lower() + words[1:]


def _equations(polynomials: Mapping[str, Polynomial | None], name: str) -> Iterator[str]:
    for figure, polynomial in polynomials.items():
        if polynomial is not None:
            confirmed = f"confirmed by {polynomial.confirmations} of {len(polynomial.points)} points"
            yield f"{FIGURES[figure][0]} = {polynomial.written(name)} ({confirmed})"


def _fed(found: Scan) -> str:
    """The inputs, with the name of what varies where a dimension is that in every row."""
    points = [(point.value, point.profile.trace.inputs) for point in found.points if point.profile is not None]
    fed = [inputs for _, inputs in points]
    if all(inputs == fed[0] for inputs in fed):
        return inputs_words(fed[0])
    kinds = {tuple((given.name, given.dtype, len(given.shape)) for given in inputs) for inputs in fed}
    if len(kinds) > 1:
        return f"{inputs_words(fed[0])} to {inputs_words(fed[-1])}"
    return inputs_words(_named(found, points, i, given) for i, given in enumerate(fed[0]))


def _named(found: Scan, points: Sequence[tuple[Any, Any]], i: int, given: Input) -> Input:
    shape: Any = tuple(_dimension(found, points, i, axis) for axis in range(len(given.shape)))
    return dataclasses.replace(given, shape=shape)


def _dimension(found: Scan, points: Sequence[tuple[Any, Any]], given: int, axis: int) -> int | str:
    sizes = [inputs[given].shape[axis] for _, inputs in points]
    if len(set(sizes)) == 1:
        return int(sizes[0])
    is_value = all(size == value for size, (value, _) in zip(sizes, points, strict=True))
    return found.varying.name if is_value else f"{min(sizes)}–{max(sizes)}"


# Raw ------------------------------------------------------------------------------------------------------------------


def raw_scan_table(found: Scan) -> Table:
    """Every column in every row, whether or not it varies."""
    columns = _columns(found, found.columns or [name for name in SCAN_COLUMNS if name != "input"])
    return Table(columns, tuple(_row(point, columns) for point in found.points), chosen=True)


def scan_data(found: Scan) -> dict[str, Any]:
    """Polynomials with their coefficients from the constant up: whole numbers, or fractions as text ("1/256")."""
    first = found.profiles[0]
    tokens = None
    if found.in_tokens and found.tokens is not None:
        tokens = {
            "symbol": token_symbol(found),
            "number": found.tokens.data(found.varying.name),
            "polynomials": _all(found.in_tokens, token_symbol(found)),
        }
    return {
        "model": found.varying.label,
        "variable": found.varying.name,
        "convention": first.convention.name,
        "asked": dict(first.trace.asked),
        "rows": [_point(point) for point in found.points],
        "polynomials": _all(found.polynomials, found.varying.name),
        "tokens": tokens,
        "probes": sorted(found.probes),
        "versions": dict(first.trace.versions),
    }


def _all(polynomials: Mapping[str, Polynomial | None], name: str) -> dict[str, Any]:
    return {figure: p and p.data(name) for figure, p in polynomials.items()}


def _point(point: Point) -> dict[str, Any]:
    value = point.value if isinstance(point.value, (int, float, str, type(None))) else repr(point.value)
    if point.profile is None:
        return {"value": value, "model": None, "inputs": None, "totals": None, "error": str(point.failure)}
    return {"value": value, **_profile(point.profile)}


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "model": profile.model,
        "inputs": [dataclasses.asdict(given) for given in profile.trace.inputs],
        "totals": dataclasses.asdict(profile.totals),
        "training": None if profile.training is None else dataclasses.asdict(profile.training),
        "unknown_ops": profile.unknown_ops,
    }


show(Scan, Shown(lambda found: [scan_table(found)], raw_scan_table, scan_data))
