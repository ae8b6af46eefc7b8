"""How are a language model's phases at several values shown? With a row a value, and polynomials under them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from profiler.answers.common import series_table
from profiler.answers.common.notes import conditions_note, convention_notes, uncounted, versions_note
from profiler.answers.common.series import Point
from profiler.answers.common.time_columns import THROUGHPUT, TIME, time_columns, time_data, time_notes, worded
from profiler.answers.common.varying import SEQ
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import Phase
from profiler.answers.generate.scan import FIGURES, GenerationScan
from profiler.answers.generate.table import OF_PHASE, named, phase_data, share, weight_facts, words
from profiler.figures.profile import Profile
from profiler.records.conditions import BOTH, DECODE, PREFILL
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Table, Unit, chosen_columns


def _of(phase: str, get: Callable[[Phase], Any]) -> Callable[[Generation], Any]:
    def figure(generation: Generation) -> Any:
        run = generation.prefill if phase == PREFILL else generation.decode
        return None if run is None else get(run)

    return figure


def _each(name: str, heading: str, unit: Unit, get: Callable[[Generation], Any], rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda point, _: get(point.result), rank)


_OF_PHASES: Mapping[str, tuple[Column, ...]] = {
    PREFILL: (
        _each("prefill_macs", "Prefill MACs", Unit.AMOUNT, _of(PREFILL, lambda phase: phase.macs)),
        _each("prefill_flops", "Prefill FLOPs", Unit.AMOUNT, _of(PREFILL, lambda phase: phase.flops), 2),
        _each("prefill_attention", "Attention %", Unit.SHARE, _of(PREFILL, share), 1),
        _each("prefill_memory", "Peak", Unit.BYTES, _of(PREFILL, lambda phase: phase.peak_memory_bytes), 1),
    ),
    DECODE: (
        _each("decode_macs", "MACs/token", Unit.AMOUNT, _of(DECODE, lambda phase: phase.macs // phase.tokens)),
        _each("decode_flops", "FLOPs/token", Unit.AMOUNT, _of(DECODE, lambda phase: phase.flops // phase.tokens), 2),
        _each("decode_attention", "Attention %", Unit.SHARE, _of(DECODE, share), 1),
        _each("decode_memory", "Decode peak", Unit.BYTES, _of(DECODE, lambda phase: phase.peak_memory_bytes)),
    ),
}
_CONTEXT = _each("context", "Context", Unit.EXACT, lambda generation: generation.context)
_CACHE = _each("cache", "Cache", Unit.BYTES, lambda generation: generation.prefill.cache_bytes)


def _rate(run: Phase) -> float | None:
    times = run.profile.times
    return run.tokens / times.whole.seconds if times is not None and times.whole.seconds else None


def _of_time(phase: str, profiles: Iterable[Profile]) -> tuple[Column, ...]:
    """On a device: the time of a phase, with its word where profiles say which, and tokens a second."""
    times = _of(phase, lambda run: run.profile.times)
    base = time_columns(lambda point, _: times(point.result), lambda point: 0, 1)
    rate = _each(THROUGHPUT, "tokens/s", Unit.RATE, _of(phase, _rate), 2)
    return tuple(
        replace(column, name=f"{phase}_{column.name}", heading=_after(phase, column.heading))
        for column in (*worded(base, profiles), rate)
    )


def _after(phase: str, heading: str) -> str:
    return f"{phase.capitalize()} {heading[0].lower()}{heading[1:]}"


def _phases(phase: str) -> tuple[str, ...]:
    return (PREFILL, DECODE) if phase == BOTH else (phase,)


def scan_columns(phase: str, variable: str, profiles: Iterable[Profile] = ()) -> dict[str, Column]:
    """What there is to be shown of each value; of a length, which the context is, that stands for it."""
    value = () if variable == SEQ else (_each(series_table.VALUE, variable, Unit.TEXT, lambda generation: None),)
    profiles = tuple(profiles)
    each = ((*_OF_PHASES[name], *_of_time(name, profiles)) for name in _phases(phase))
    return named(*value, _CONTEXT, _CACHE, *(column for columns in each for column in columns))


def columns_of_time(phase: str) -> tuple[str, ...]:
    """Those that there are on a device alone."""
    return tuple(column.name for name in _phases(phase) for column in _of_time(name, ()))


def _columns_of(scan: GenerationScan, is_raw: bool = False) -> tuple[Column, ...]:
    """Of a time, what it is and tokens a second; exports have all of it."""
    columns = scan_columns(scan.phase, scan.varying.name, scan.profiles)
    if series_table.VALUE in columns:
        columns[series_table.VALUE] = series_table.value_column(scan)
    others = set(columns_of_time(scan.phase))
    if scan.first.first.timer is not None:
        kinds = (TIME, THROUGHPUT)
        others = set() if is_raw else others - {f"{name}_{kind}" for name in _phases(scan.phase) for kind in kinds}
    return chosen_columns(scan.columns or [name for name in columns if name not in others], columns)


def _named_by(scan: GenerationScan) -> str:
    return "context" if scan.varying.name == SEQ else series_table.VALUE


def scan_table(scan: GenerationScan) -> Table:
    """A row a value, and under them what is the same in all of them, and polynomials."""
    columns, in_every_row = _columns_of(scan), [list(weight_facts(generation)) for generation in scan.results]
    facts = tuple(fact for fact in in_every_row[0] if all(fact in others for others in in_every_row))
    over = "the context" if scan.varying.name == SEQ else scan.varying.name
    caption = scan.caption or f"{scan.varying.label} over {over}"
    shown, notes = series_table.rows(scan, columns, _named_by(scan)), tuple(_scan_notes(scan))
    return Table(columns, shown, facts, notes, caption, scan.anchor, chosen=bool(scan.columns))


def raw_scan_table(scan: GenerationScan) -> Table:
    return series_table.raw_table(scan, _columns_of(scan, is_raw=True), _named_by(scan))


def _scan_notes(scan: GenerationScan) -> Iterator[str]:
    first = scan.first
    yield from dict.fromkeys(note for phase in first.phases for note in uncounted(phase.profile, f"{words(phase)}: "))
    yield from _equations(scan)
    yield from convention_notes(first.first)
    yield (
        "Cache is that of the prefill. A decode step reads one token a sequence; what is said of it does not include "
        "choosing the next token."
    )
    engines = ", ".join(dict.fromkeys(profile.trace.engine for profile in scan.profiles))
    sequences = sorted({generation.prefill.sequences for generation in scan.results})
    many = "–".join(map(str, dict.fromkeys((sequences[0], sequences[-1]))))
    yield f"{many} sequence{'s' * (many != '1')}. Engine {engines}.{conditions_note(first.first.trace, OF_PHASE)}"
    yield from dict.fromkeys(note for profile in scan.profiles for note in time_notes({"": profile}))
    yield versions_note(first.first.trace.versions.items())


def _equations(scan: GenerationScan) -> Iterator[str]:
    is_context, variable = scan.varying.name == SEQ, scan.varying.name
    polynomials = {(phase, FIGURES[name][0]): curve for (phase, name), curve in scan.polynomials.items()}
    lines = {f"{phase.capitalize()}, {text}": curve for (phase, text), curve in polynomials.items()}
    yield from series_table.equations(lines, "n" if is_context else variable)
    inner = {f"{phase}, {text}": curve for (phase, text), curve in polynomials.items()}
    yield from series_table.without(inner, "the context" if is_context else variable, "; ")
    if confirmed_at := series_table.points(polynomials):
        symbol = "n is the context; exact" if is_context else "Exact"
        yield f"{symbol} at {', '.join(map(str, confirmed_at))}, which were run; not proven beyond."


# Data -----------------------------------------------------------------------------------------------------------------


def scan_data(scan: GenerationScan) -> dict[str, Any]:
    """`context` is the length of the prompt; of a scan of lengths it is known where the run failed, too."""
    first, symbol = scan.first, "n" if scan.varying.name == SEQ else scan.varying.name
    return {
        "model": scan.varying.label,
        "variable": scan.varying.name,
        "convention": first.first.convention.name,
        "params": first.first.totals.params,
        "weight_bytes": first.weight_bytes,
        "rows": [_point_data(point, scan.varying.name == SEQ) for point in scan.points],
        "polynomials": {
            phase: series_table.data(
                {name: curve for (of, name), curve in scan.polynomials.items() if of == phase}, symbol
            )
            for phase in dict.fromkeys(phase for phase, _ in scan.polynomials)
        },
        "probes": sorted(scan.probes),
        "versions": dict(first.first.trace.versions),
    }


def _point_data(point: Point[Generation], is_length: bool) -> dict[str, Any]:
    value = series_table.written_value(point.value)
    if point.result is None:
        context = value if is_length else None
        return {"value": value, "context": context, "phases": None, "error": str(point.failure)}
    phases = [phase_data(phase) | time_data(phase.profile) for phase in point.result.phases]
    return {"value": value, "context": point.result.context, "phases": phases}


show(GenerationScan, Shown(lambda scan: [scan_table(scan)], raw_scan_table, scan_data))
