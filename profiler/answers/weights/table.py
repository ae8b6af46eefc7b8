"""Quantised weights as tables: the layers that are, and what stays as it is; or several schemes, a row each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from profiler.answers.common.notes import versions_note
from profiler.answers.weights.compute import NO_LAYER, Overview, Quantised, Stored
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit

_PATTERNS = 4  # that are named before the rest is counted


def _column(name: str, heading: str, unit: Unit, rank: int = 0, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, rank, most)


_QUANTISED = (
    _column("layer", "Layer", Unit.TEXT, 0, 40),
    _column("kind", "Kind", Unit.TEXT, 2, 24),
    _column("params", "Parameters", Unit.EXACT),
    _column("bits", "Bits each", Unit.RATIO, 1),
    _column("now", "MB now", Unit.BYTES),
    _column("stored", "MB then", Unit.BYTES),
    _column("scales", "of it scales", Unit.BYTES, 2),
    _column("share", "Share %", Unit.SHARE, 1),
)
_LEFT_ALONE = (
    _column("kind", "Stays as it is", Unit.TEXT, 0, 32),
    _column("tensors", "Tensors", Unit.EXACT, 2),
    _column("params", "Parameters", Unit.EXACT),
    _column("now", "MB", Unit.BYTES),
    _column("share", "Share %", Unit.SHARE, 1),
    _column("where", "Where", Unit.TEXT, 0, 44),
    _column("why", "Why", Unit.TEXT, 1, 44),
)
_OVERVIEW = (
    _column("model", "Model", Unit.TEXT, 0, 32),
    _column("scheme", "Weights", Unit.TEXT),
    _column("stored", "MB", Unit.BYTES),
    _column("ratio", "Smaller", Unit.TIMES, 1),
    _column("bits", "Bits each", Unit.RATIO, 1),
    _column("scales", "Scales MB", Unit.BYTES, 2),
    _column("left_alone", "As it is MB", Unit.BYTES, 2),
    _column("quantised", "Quantised %", Unit.SHARE, 2),
)


def quantised_tables(found: Quantised) -> Iterator[Table]:
    """What is quantised, with the totals; then what is not."""
    caption = f"{found.profile.model}, weights as {found.scheme.name}"
    notes = () if found.left_alone else tuple(_notes(found))
    yield Table(_QUANTISED, tuple(_rows(found)), tuple(_facts(found)), notes, caption)
    if found.left_alone:
        yield Table(_LEFT_ALONE, tuple(_left_alone(found)), notes=tuple(_notes(found)))


def _rows(found: Quantised) -> Iterator[Row]:
    """A layer's parameters together. The largest first where only some are shown."""
    layers: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for one in found.quantised:
        layers[one.path, one.kind].append(one)
    groups = list(layers.items())
    if found.top is not None:
        groups.sort(key=lambda group: -sum(one.stored_bytes for one in group[1]))
    for (path, kind), stored in groups[: found.top]:
        yield _summed(found, path or "the model itself", kind, stored)
    rest = [one for _, stored in groups[found.top :] for one in stored] if found.top is not None else []
    if rest:
        yield _summed(found, f"… and {len(groups) - (found.top or 0)} more", "", rest)


def _summed(found: Quantised, path: str, kind: str, stored: Sequence[Stored]) -> Row:
    params, then = sum(one.params for one in stored), sum(one.stored_bytes for one in stored)
    now, scales = sum(one.now_bytes for one in stored), sum(one.scale_bytes for one in stored)
    return Row((path, kind, params, _each(then, params), now, then, scales, _share(then, found)))


def _each(size_bytes: int, params: int) -> float | None:
    return 8 * size_bytes / params if params else None


def _share(size_bytes: int, found: Quantised) -> float | None:
    return size_bytes / found.stored_bytes if found.stored_bytes else None


def _facts(found: Quantised) -> Iterator[tuple[str, Any, Unit, str]]:
    left, buffers = sum(one.now_bytes for one in found.left_alone), found.profile.totals.buffer_bytes
    yield "Parameters", found.params, Unit.EXACT, ""
    yield "MB now", found.now_bytes, Unit.BYTES, ""
    yield "MB then", found.stored_bytes, Unit.BYTES, _smaller(found)
    yield "of it scales, MB", found.scale_bytes, Unit.BYTES, "scales, zero points, codebooks"
    yield "of it as it is, MB", left, Unit.BYTES, ""
    if buffers:
        yield "Buffers, MB", buffers, Unit.BYTES, "not among the above; they stay as they are"


def _smaller(found: Quantised) -> str:
    if found.ratio is None or found.bits_per_parameter is None:
        return ""
    return f"{found.stored_bytes:,} bytes, {found.ratio:.2f} times smaller, {found.bits_per_parameter:.2f} bits each"


def _left_alone(found: Quantised) -> Iterator[Row]:
    """By kind of layer, the largest first."""
    kinds: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for one in found.left_alone:
        words = one.kind if one.why == NO_LAYER else f"{one.kind} {one.name}"
        kinds[words, one.why or ""].append(one)
    for (kind, why), stored in sorted(kinds.items(), key=lambda item: -sum(one.now_bytes for one in item[1])):
        now = sum(one.now_bytes for one in stored)
        params = sum(one.params for one in stored)
        yield Row((kind, len(stored), params, now, _share(now, found), folded(one.path for one in stored), why))


def folded(paths: Iterable[str]) -> str:
    """Paths that differ in numbers alone as one: `layer*.*.bn*`; a single one as it is."""
    patterns: dict[str, list[str]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        patterns[re.sub(r"\d+", "*", path)].append(path or "the model itself")
    named = [same[0] if len(same) == 1 else pattern for pattern, same in patterns.items()]
    rest = len(named) - _PATTERNS
    return ", ".join(named[:_PATTERNS]) + (f" and {rest} more" if rest > 0 else "")


def _notes(found: Quantised) -> Iterator[str]:
    yield _words(found)
    yield "1 MB = 1024·1024 bytes. A parameter that layers share is counted once, at the first of them."
    yield versions_note(found.profile.trace.versions.items())


def _words(found: Quantised) -> str:
    return f"{found.scheme.name}: {found.scheme.says} ({found.scheme.source})."


# Several schemes ------------------------------------------------------------------------------------------------------


def overview_table(found: Overview) -> Table:
    """One row a model and scheme; the first of a model says what it takes as it is."""
    notes = [*dict.fromkeys(map(_words, found.found)), *_untouched(found)]
    notes.append("1 MB = 1024·1024 bytes. Buffers are not included.")
    items = [item for one in found.found for item in one.profile.trace.versions.items()]
    columns = _OVERVIEW if len(set(found.labels)) > 1 else _OVERVIEW[1:]
    rows = tuple(Row(row[-len(columns) :]) for row in _overview_rows(found))
    caption = "" if len(set(found.labels)) > 1 else found.labels[0]
    return Table(columns, rows, notes=(*notes, versions_note(items)), caption=caption)


def _untouched(found: Overview) -> Iterator[str]:
    """Schemes that reach nothing, with why most is left alone."""
    by_why: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one, label in zip(found.found, found.labels, strict=True):
        if one.left_alone and not one.quantised:
            largest = max(one.left_alone, key=lambda stored: stored.now_bytes)
            by_why[label, largest.why or ""].append(one.scheme.name)
    for (label, why), schemes in by_why.items():
        yield f"Nothing of {label} is stored as {', '.join(schemes)}: {why}."


def _overview_rows(found: Overview) -> Iterator[tuple[Any, ...]]:
    seen: set[str] = set()
    for one, label in zip(found.found, found.labels, strict=True):
        if label not in seen:
            seen.add(label)
            yield label, "as it is", one.now_bytes, 1.0, _each(one.now_bytes, one.params), 0, one.now_bytes, 0.0
        left = sum(stored.now_bytes for stored in one.left_alone)
        weights = sum(stored.params for stored in one.quantised)
        share = weights / one.params if one.params else None
        yield (
            label, one.scheme.name, one.stored_bytes, one.ratio, one.bits_per_parameter, one.scale_bytes, left, share,
        )  # fmt: skip


# Raw ------------------------------------------------------------------------------------------------------------------

_RAW = tuple(
    _column(name, name, unit)
    for name, unit in (
        *((name, Unit.TEXT) for name in ("path", "kind", "parameter")),
        *((name, Unit.EXACT) for name in ("params", "now_bytes", "stored_bytes", "value_bytes", "scale_bytes")),
        ("left_alone_because", Unit.TEXT),
    )
)


def raw_quantised_table(found: Quantised) -> Table:
    """One row a parameter."""
    rows = tuple(
        Row((
            one.path, one.kind, one.name, one.params, one.now_bytes, one.stored_bytes, one.value_bytes, one.scale_bytes,
            one.why or "",
        ))
        for one in found.parameters
    )  # fmt: skip
    return Table(_RAW, rows, chosen=True)


def raw_overview_table(found: Overview) -> Table:
    return Table(_OVERVIEW, tuple(Row(row) for row in _overview_rows(found)), chosen=True)


def quantised_data(found: Quantised) -> dict[str, Any]:
    return {
        "model": found.profile.model,
        **_totals(found),
        "parameters": [
            {
                "path": one.path,
                "kind": one.kind,
                "name": one.name,
                "params": one.params,
                "now_bytes": one.now_bytes,
                "stored_bytes": one.stored_bytes,
                "value_bytes": one.value_bytes,
                "scale_bytes": one.scale_bytes,
                "left_alone_because": one.why,
            }
            for one in found.parameters
        ],
        "versions": dict(found.profile.trace.versions),
    }


def _totals(found: Quantised) -> dict[str, Any]:
    return {
        "scheme": found.scheme.name,
        "scheme_says": found.scheme.says,
        "scheme_source": found.scheme.source,
        "params": found.params,
        "quantised_params": sum(one.params for one in found.quantised),
        "now_bytes": found.now_bytes,
        "stored_bytes": found.stored_bytes,
        "scale_bytes": found.scale_bytes,
        "left_alone_bytes": sum(one.now_bytes for one in found.left_alone),
        "buffer_bytes": found.profile.totals.buffer_bytes,
        "ratio": found.ratio,
        "bits_per_parameter": found.bits_per_parameter,
    }


def overview_data(found: Overview) -> dict[str, Any]:
    rows = [{"model": label} | _totals(one) for one, label in zip(found.found, found.labels, strict=True)]
    return {"weights": rows}


show(Quantised, Shown(quantised_tables, raw_quantised_table, quantised_data))
show(Overview, Shown(lambda found: [overview_table(found)], raw_overview_table, overview_data))
