"""How are quantised weights shown? The layers that are, and what stays as it is; or several schemes, a row each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from profiler.answers.common.notes import versions_note
from profiler.answers.weights.compute import NO_LAYER, Overview, Quantised, Stored
from profiler.records.schemes import EXPERTS, Scheme
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit

_PATTERNS = 4  # that are named before the rest is counted


def _column(name: str, heading: str, unit: Unit, rank: int = 0, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, rank, most)


_QUANTISED = (
    _column("layer", "Layer", Unit.TEXT, 0, 40),
    _column("kind", "Kind", Unit.TEXT, 2, 24),
    _column("params", "Parameters", Unit.EXACT),
    _column("bits", "Bits each", Unit.RATIO, 1),
    _column("now", "Now", Unit.BYTES),
    _column("stored", "Then", Unit.BYTES),
    _column("scales", "of it scales", Unit.BYTES, 2),
    _column("share", "Share %", Unit.SHARE, 1),
)
_LEFT_ALONE = (
    _column("kind", "Stays as it is", Unit.TEXT, 0, 32),
    _column("tensors", "Tensors", Unit.EXACT, 2),
    _column("params", "Parameters", Unit.EXACT),
    _column("now", "", Unit.BYTES),
    _column("share", "Share %", Unit.SHARE, 1),
    _column("where", "Where", Unit.TEXT, 0, 44),
    _column("why", "Why", Unit.TEXT, 1, 44),
)
OVERVIEW_COLUMNS = (
    _column("model", "Model", Unit.TEXT, 0, 32),
    _column("scheme", "Weights", Unit.TEXT),
    _column("stored", "", Unit.BYTES),
    _column("ratio", "Smaller", Unit.TIMES, 1),
    _column("bits", "Bits each", Unit.RATIO, 1),
    _column("scales", "Scales", Unit.BYTES, 2),
    _column("left_alone", "As it is", Unit.BYTES, 2),
    _column("quantised", "Quantised %", Unit.SHARE, 2),
)


def quantised_tables(answer: Quantised) -> Iterator[Table]:
    """What is quantised, with the totals; then what is not."""
    caption = f"{answer.profile.model}, weights as {answer.scheme.name}"
    notes = () if answer.left_alone else tuple(_notes(answer))
    yield Table(_QUANTISED, tuple(_rows(answer)), tuple(_facts(answer)), notes, caption)
    if answer.left_alone:
        yield Table(_LEFT_ALONE, tuple(_left_alone(answer)), notes=tuple(_notes(answer)))


def _rows(answer: Quantised) -> Iterator[Row]:
    """A layer's parameters together. The largest first where only some are shown."""
    layers: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for parameter in answer.quantised:
        layers[parameter.path, parameter.kind].append(parameter)
    groups = list(layers.items())
    if answer.top is not None:
        groups.sort(key=lambda group: -sum(parameter.stored_bytes for parameter in group[1]))
    for (path, kind), stored in groups[: answer.top]:
        yield _summed(answer, path or "the model itself", kind, stored)
    rest = [parameter for _, stored in groups[answer.top :] for parameter in stored] if answer.top is not None else []
    if rest:
        yield _summed(answer, f"… and {len(groups) - (answer.top or 0)} more", "", rest)


def _summed(answer: Quantised, path: str, kind: str, stored: Sequence[Stored]) -> Row:
    params, then = sum(parameter.params for parameter in stored), sum(parameter.stored_bytes for parameter in stored)
    now, scales = sum(parameter.now_bytes for parameter in stored), sum(parameter.scale_bytes for parameter in stored)
    return Row((path, kind, params, _each(then, params), now, then, scales, _share(then, answer)))


def _each(size_bytes: int, params: int) -> float | None:
    return 8 * size_bytes / params if params else None


def _share(size_bytes: int, answer: Quantised) -> float | None:
    return size_bytes / answer.stored_bytes if answer.stored_bytes else None


def _facts(answer: Quantised) -> Iterator[tuple[str, Any, Unit, str]]:
    left, buffers = (
        sum(parameter.now_bytes for parameter in answer.left_alone),
        answer.profile.totals.buffer_bytes,
    )
    yield "Parameters", answer.params, Unit.EXACT, ""
    yield "Now", answer.now_bytes, Unit.BYTES, ""
    yield "Then", answer.stored_bytes, Unit.BYTES, _smaller(answer)
    yield "of it scales", answer.scale_bytes, Unit.BYTES, "scales, zero points, codebooks"
    yield "of it as it is", left, Unit.BYTES, ""
    if buffers:
        yield "Buffers", buffers, Unit.BYTES, "not among the above; they stay as they are"


def _smaller(answer: Quantised) -> str:
    if answer.ratio is None or answer.bits_per_parameter is None:
        return ""
    return f"{answer.stored_bytes:,} bytes, {answer.ratio:.2f} times smaller, {answer.bits_per_parameter:.2f} bits each"


def _left_alone(answer: Quantised) -> Iterator[Row]:
    """By kind of layer, the largest first."""
    kinds: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for parameter in answer.left_alone:
        words = parameter.kind if parameter.why == NO_LAYER else f"{parameter.kind} {parameter.name}"
        kinds[words, parameter.why or ""].append(parameter)
    for (kind, why), stored in sorted(
        kinds.items(), key=lambda item: -sum(parameter.now_bytes for parameter in item[1])
    ):
        now = sum(parameter.now_bytes for parameter in stored)
        params = sum(parameter.params for parameter in stored)
        yield Row(
            (
                kind,
                len(stored),
                params,
                now,
                _share(now, answer),
                folded(parameter.path for parameter in stored),
                why,
            )
        )


def folded(paths: Iterable[str]) -> str:
    """Paths that differ in numbers alone as one: `layer*.*.bn*`; a single one as it is."""
    patterns: dict[str, list[str]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        patterns[re.sub(r"\d+", "*", path)].append(path or "the model itself")
    named = [same[0] if len(same) == 1 else pattern for pattern, same in patterns.items()]
    rest = len(named) - _PATTERNS
    return ", ".join(named[:_PATTERNS]) + (f" and {rest} more" if rest > 0 else "")


def _notes(answer: Quantised) -> Iterator[str]:
    yield _words(answer)
    if answer.has_stacks and answer.scheme.experts:
        yield experts_note(answer.scheme)
    yield Explanation("A parameter that layers share is counted once, at the first of them.")
    yield versions_note(answer.profile.trace.versions.items())


def _words(answer: Quantised) -> str:
    return Explanation(f"{answer.scheme.name}: {answer.scheme.says} ({answer.scheme.source}).")


def experts_note(scheme: Scheme) -> str:
    """What becomes of the experts that one parameter holds."""
    return f"Stacked experts as {scheme.name}: {scheme.experts}."


# Several schemes ------------------------------------------------------------------------------------------------------


def overview_table(overview: Overview) -> Table:
    """One row a model and scheme; one more a model for what it takes as it is."""
    notes = [*dict.fromkeys(map(_words, overview.entries)), *_of_experts(overview), *_untouched(overview)]
    notes.append("Buffers are not included.")
    rows = _overview_rows(overview)
    if overview.top is not None and overview.top < len(rows):
        notes.append(f"{overview.top} of {len(rows)} rows are shown.")
    notes.append(versions_note(item for entry in overview.entries for item in entry.profile.trace.versions.items()))
    are_several = len(set(overview.labels)) > 1
    columns = OVERVIEW_COLUMNS if are_several else OVERVIEW_COLUMNS[1:]
    shown = tuple(Row(row[-len(columns) :]) for row in rows[: overview.top])
    return Table(columns, shown, notes=tuple(notes), caption="" if are_several else overview.labels[0])


def _of_experts(overview: Overview) -> Iterator[str]:
    """What becomes of stacked experts in each scheme; that they stay as they are is told in any case."""
    schemes = dict.fromkeys(entry.scheme for entry in overview.entries if entry.has_stacks and entry.scheme.experts)
    for scheme in schemes:
        note = experts_note(scheme)
        yield Explanation(note) if EXPERTS in (scheme.layers or ()) else note


def _untouched(overview: Overview) -> Iterator[str]:
    """Schemes that reach nothing, with why most is left alone."""
    by_why: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry, label in zip(overview.entries, overview.labels, strict=True):
        if entry.left_alone and not entry.quantised:
            largest = max(entry.left_alone, key=lambda parameter: parameter.now_bytes)
            by_why[label, largest.why or ""].append(entry.scheme.name)
    for (label, why), schemes in by_why.items():
        yield f"Nothing of {label} is stored as {', '.join(schemes)}: {why}."


def _overview_rows(overview: Overview) -> list[tuple[Any, ...]]:
    """In the order of the models, or the largest first; names from A to Z."""
    rows = list(_unsorted_rows(overview))
    if overview.sort is None:
        return rows
    number = [column.name for column in OVERVIEW_COLUMNS].index(overview.sort)
    is_text = OVERVIEW_COLUMNS[number].unit is Unit.TEXT
    return sorted(rows, key=lambda row: row[number] if is_text else -(row[number] or 0))


def _unsorted_rows(overview: Overview) -> Iterator[tuple[Any, ...]]:
    before = None
    for entry, label in zip(overview.entries, overview.labels, strict=True):
        if entry.profile is not before:
            before, now = entry.profile, entry.now_bytes
            yield label, "as it is", now, 1.0, _each(now, entry.params), 0, now, 0.0
        left = sum(parameter.now_bytes for parameter in entry.left_alone)
        weights = sum(parameter.params for parameter in entry.quantised)
        bits, share = entry.bits_per_parameter, weights / entry.params if entry.params else None
        yield label, entry.scheme.name, entry.stored_bytes, entry.ratio, bits, entry.scale_bytes, left, share


# Raw ------------------------------------------------------------------------------------------------------------------

_RAW = tuple(
    _column(name, name, unit)
    for name, unit in (
        *((name, Unit.TEXT) for name in ("path", "kind", "parameter")),
        *((name, Unit.EXACT) for name in ("params", "now_bytes", "stored_bytes", "value_bytes", "scale_bytes")),
        ("left_alone_because", Unit.TEXT),
    )
)


def raw_quantised_table(answer: Quantised) -> Table:
    """One row a parameter."""
    values = (_parameter(parameter).values() for parameter in answer.parameters)
    return Table(_RAW, tuple(Row((*first, why or "")) for *first, why in values), chosen=True)


def raw_overview_table(overview: Overview) -> Table:
    rows = tuple(map(Row, _overview_rows(overview)[: overview.top]))
    return Table(OVERVIEW_COLUMNS, rows, chosen=True)


def quantised_data(answer: Quantised) -> dict[str, Any]:
    return {
        "model": answer.profile.model,
        **_totals(answer),
        "parameters": list(map(_parameter, answer.parameters)),
        "versions": dict(answer.profile.trace.versions),
    }


def _parameter(parameter: Stored) -> dict[str, Any]:
    return {
        "path": parameter.path,
        "kind": parameter.kind,
        "name": parameter.name,
        "params": parameter.params,
        "now_bytes": parameter.now_bytes,
        "stored_bytes": parameter.stored_bytes,
        "value_bytes": parameter.value_bytes,
        "scale_bytes": parameter.scale_bytes,
        "left_alone_because": parameter.why,
    }


def _totals(answer: Quantised) -> dict[str, Any]:
    return {
        "scheme": answer.scheme.name,
        "scheme_says": answer.scheme.says,
        "scheme_source": answer.scheme.source,
        "params": answer.params,
        "quantised_params": sum(parameter.params for parameter in answer.quantised),
        "now_bytes": answer.now_bytes,
        "stored_bytes": answer.stored_bytes,
        "scale_bytes": answer.scale_bytes,
        "left_alone_bytes": sum(parameter.now_bytes for parameter in answer.left_alone),
        "buffer_bytes": answer.profile.totals.buffer_bytes,
        "ratio": answer.ratio,
        "bits_per_parameter": answer.bits_per_parameter,
    }


def overview_data(overview: Overview) -> dict[str, Any]:
    """All of them, as they were asked for."""
    rows = [{"model": label} | _totals(entry) for entry, label in zip(overview.entries, overview.labels, strict=True)]
    return {"weights": rows}


show(Quantised, Shown(quantised_tables, raw_quantised_table, quantised_data))
show(Overview, Shown(lambda overview: [overview_table(overview)], raw_overview_table, overview_data))
