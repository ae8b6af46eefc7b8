"""The phases of a language model as tables: what each costs, what is in the cache, and both over the context."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common.notes import conditions_note, run_note, uncounted, unit_note, versions_note
from profiler.answers.generate.cached import Part, by_kind, parts
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import BOTH, DECODE, PREFILL, Phase, Steps
from profiler.answers.generate.scan import FIGURES, GenerationScan
from profiler.answers.generate.scan import Row as Length
from profiler.figures.profile import Profile
from profiler.records.polynomial import HIGHEST
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit, chosen_columns


def _column(name: str, heading: str, unit: Unit, get: Callable[[Any], Any], rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda found, _: get(found), rank)


def named(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


def _moved(found: Phase | Steps) -> int:
    return found.bytes_read + found.bytes_written


def _share(found: Phase | Steps) -> float | None:
    return found.attention_macs / found.macs if found.macs else None


def _intensity(found: Phase | Steps) -> float | None:
    return found.flops / _moved(found) if _moved(found) else None


def words(found: Phase | Steps) -> str:
    """`prefill`, `decode step`, or `128 decode steps`."""
    return f"{found.count} decode steps" if isinstance(found, Steps) else _NAMES[found.name]


_OF_PHASE = ("phase", "context")  # conditions that are not of the whole generation
_NAMES = {PREFILL: "prefill", DECODE: "decode step"}
PHASE_COLUMNS = named(
    _column("phase", "Phase", Unit.TEXT, words),
    _column("context", "Read before", Unit.EXACT, lambda found: found.context, 3),
    _column("tokens", "Tokens", Unit.EXACT, lambda found: found.tokens),
    _column("macs", "MACs", Unit.AMOUNT, lambda found: found.macs),
    _column("flops", "FLOPs", Unit.AMOUNT, lambda found: found.flops, 1),
    _column("token", "FLOPs/token", Unit.AMOUNT, lambda found: found.flops // found.tokens, 2),
    _column("attention", "Attention %", Unit.SHARE, _share, 1),
    _column("moved", "Moved MB", Unit.BYTES, _moved, 3),
    _column("intensity", "FLOP/byte", Unit.RATIO, _intensity, 3),
    _column("cache", "Cache MB", Unit.BYTES, lambda found: found.cache_bytes),
    _column("memory", "Peak memory MB", Unit.BYTES, lambda found: found.peak_memory_bytes),
)
_PARTS = named(
    _column("kind", "Kind", Unit.TEXT, lambda part: part.kind),
    _column("name", "Tensor", Unit.TEXT, lambda part: part.name),
    _column("shape", "Shape", Unit.TEXT, lambda part: "×".join(map(str, part.shape)) or "scalar"),
    _column("dtype", "Dtype", Unit.TEXT, lambda part: part.dtype),
    _column("count", "Tensors", Unit.EXACT, lambda part: part.tensors),
    _column("owner", "Held by", Unit.TEXT, lambda part: part.owner, 2),
    _column("cache", "Cache MB", Unit.BYTES, lambda part: part.size_bytes),
)


def _table(columns: Iterable[Column], subjects: Iterable[Any], **said: Any) -> Table:
    columns = tuple(columns)
    return Table(columns, tuple(Row(tuple(c.get(found, None) for c in columns)) for found in subjects), **said)


# One length -----------------------------------------------------------------------------------------------------------


def generation_tables(found: Generation) -> Iterator[Table]:
    """The phases with the weights under them, and the cache as it is after the last of them."""
    notes = tuple(_notes(found))
    columns, caption = _shown(found.columns, PHASE_COLUMNS), f"Phases of {_model(found)}"
    is_chosen = bool(found.columns)
    yield _table(columns, _rows(found), facts=tuple(_facts(found)), notes=notes, caption=caption, chosen=is_chosen)
    last = found.phases[-1]
    if last.trace.cache:
        yield _table(
            _PARTS.values(), parts(last.trace), notes=tuple(_cache_notes(found, last)), caption=_of_cache(last)
        )


def raw_generation_table(found: Generation) -> Table:
    return _table(_shown(found.columns, PHASE_COLUMNS), _rows(found), chosen=True)


def _shown(names: Sequence[str], known: Mapping[str, Column]) -> tuple[Column, ...]:
    return chosen_columns(names or tuple(known), known)


def _rows(found: Generation) -> Iterator[Phase | Steps]:
    yield from found.phases
    if found.new is not None:
        yield found.new


def _model(found: Generation) -> str:
    return found.first.model


def _facts(found: Generation) -> Iterator[tuple[str, Any, Unit, str]]:
    yield "Parameters", found.first.totals.params, Unit.EXACT, ""
    for dtype, size in found.weight_bytes.items():
        yield f"Weights in {dtype}, MB", size, Unit.BYTES, ""
    if found.growth_bytes is not None:
        yield "Cache, bytes a token", found.growth_bytes, Unit.EXACT, _at(found.context)
    if found.new is not None and found.phase == BOTH:
        flops = found.prefill.flops + found.new.flops
        yield "MACs in all", found.prefill.macs + found.new.macs, Unit.EXACT, "prefill and decode steps"
        yield "FLOPs in all", flops, Unit.EXACT, f"convention {found.first.convention.name}"


def _at(context: int) -> str:
    return f"from {context:,} to {context + 1:,} of them, a sequence"


def _notes(found: Generation) -> Iterator[str]:
    for phase in found.phases:
        yield from uncounted(phase.profile, f"{words(phase)}: ")
    if found.new is not None:
        yield _summed_note(found.new)
    yield (
        "Attention is the products in which neither factor is a weight, as a share of the MACs. Moved is what "
        "operators read and write, one by one. Choosing the next token is not included."
    )
    yield unit_note(found.first)
    yield from (run_note(phase.trace) for phase in found.phases)
    yield versions_note(found.first.trace.versions.items())


def _summed_note(steps: Steps) -> str:
    """How the sum was found."""
    fitted = [stretch for stretch in steps.stretches if stretch.polynomials is not None]
    said = f"Contexts {steps.context:,} to {steps.context + steps.count - 1:,}: "
    if not fitted:
        return f"{said}each step was run."
    where = ", ".join(f"{stretch.first:,}-{stretch.last:,}" for stretch in fitted)
    return (
        f"{said}{len(steps.ran)} of {steps.count:,} steps were run; the others by polynomials that go exactly through "
        f"those that were run in {where}."
    )


def _of_cache(phase: Phase) -> str:
    return f"The cache after the {_NAMES[phase.name]}, {phase.context + phase.length:,} tokens a sequence"


def _cache_notes(found: Generation, last: Phase) -> Iterator[str]:
    kinds, growth = by_kind(last.trace), found.growth_by_kind or {}
    if len(kinds) > 1:
        each = (f"{kind} {size:,} bytes" + _growing(growth.get(kind)) for kind, size in kinds.items())
        yield f"By kind: {', '.join(each)}."
    if last.held_bytes > last.cache_bytes:
        yield (
            f"It holds on to storages of {last.held_bytes:,} bytes for {last.cache_bytes:,}: some of its tensors are "
            "views of more than they show."
        )


def _growing(growth: int | None) -> str:
    return "" if growth is None else f" ({growth:,} more with a token)"


# Several lengths ------------------------------------------------------------------------------------------------------


def _of(phase: str, get: Callable[[Phase], Any]) -> Callable[[Generation], Any]:
    def found(generation: Generation) -> Any:
        one = generation.prefill if phase == PREFILL else generation.decode
        return None if one is None else get(one)

    return found


_LENGTHS: Mapping[str, tuple[Column, ...]] = {
    PREFILL: (
        _column("prefill_macs", "Prefill MACs", Unit.AMOUNT, _of(PREFILL, lambda phase: phase.macs)),
        _column("prefill_flops", "Prefill FLOPs", Unit.AMOUNT, _of(PREFILL, lambda phase: phase.flops), 2),
        _column("prefill_attention", "Attention %", Unit.SHARE, _of(PREFILL, _share), 1),
        _column("prefill_memory", "Peak MB", Unit.BYTES, _of(PREFILL, lambda phase: phase.peak_memory_bytes), 1),
    ),
    DECODE: (
        _column("decode_macs", "MACs/token", Unit.AMOUNT, _of(DECODE, lambda phase: phase.macs // phase.tokens)),
        _column("decode_flops", "FLOPs/token", Unit.AMOUNT, _of(DECODE, lambda phase: phase.flops // phase.tokens), 2),
        _column("decode_attention", "Attention %", Unit.SHARE, _of(DECODE, _share), 1),
        _column("decode_memory", "Decode peak MB", Unit.BYTES, _of(DECODE, lambda phase: phase.peak_memory_bytes)),
    ),
}
_EVERY = (
    _column("context", "Context", Unit.EXACT, lambda found: found.context),
    _column("cache", "Cache MB", Unit.BYTES, lambda found: found.prefill.cache_bytes),
)


def length_columns(phase: str) -> dict[str, Column]:
    """What there is to be shown of each length."""
    wanted = (PREFILL, DECODE) if phase == BOTH else (phase,)
    return named(*_EVERY, *(column for name in wanted for column in _LENGTHS[name]))


def length_table(found: GenerationScan) -> Table:
    """A row a length, and under them what is the same in all of them, and polynomials."""
    columns = _shown(found.columns, length_columns(found.phase))
    facts = [fact for fact in _facts(found.first) if not fact[0].startswith("Cache") and "in all" not in fact[0]]
    rows = tuple(_length_row(row, columns) for row in found.rows)
    caption, is_chosen = f"{found.model} over the context", bool(found.columns)
    return Table(columns, rows, tuple(facts), tuple(_length_notes(found)), caption, chosen=is_chosen)


def raw_length_table(found: GenerationScan) -> Table:
    columns = _shown(found.columns, length_columns(found.phase))
    return Table(columns, tuple(_length_row(row, columns) for row in found.rows), chosen=True)


def _length_row(row: Length, columns: tuple[Column, ...]) -> Row:
    if row.found is None:
        is_named = columns[0].name == "context"
        values = (row.value if is_named else None, *[None] * (len(columns) - 1))
        return Row(values, failure=str(row.failure) if is_named else f"{row.value}: {row.failure}")
    return Row(tuple(column.get(row.found, None) for column in columns))


def _length_notes(found: GenerationScan) -> Iterator[str]:
    first = found.first
    yield from dict.fromkeys(note for phase in first.phases for note in uncounted(phase.profile, f"{words(phase)}: "))
    yield from _equations(found)
    yield unit_note(first.first)
    yield (
        "Cache is that of the prefill. A decode step reads one token a sequence; what is said of it does not include "
        "choosing the next token."
    )
    engines = ", ".join(dict.fromkeys(p.trace.engine for g in found.found.values() for p in g.phases))
    many = first.prefill.sequences
    yield f"{many} sequence{'s' * (many > 1)}. Engine {engines}.{conditions_note(first.first.trace, _OF_PHASE)}"
    yield versions_note(first.first.trace.versions.items())


def _equations(found: GenerationScan) -> Iterator[str]:
    for (phase, figure), polynomial in found.polynomials.items():
        if polynomial is not None:
            confirmed = f"confirmed by {polynomial.confirmations} of {len(polynomial.points)} points"
            yield f"{phase.capitalize()}, {FIGURES[figure][0]} = {polynomial.written('n')} ({confirmed})"
    none = [f"{phase}, {FIGURES[figure][0]}" for (phase, figure), p in found.polynomials.items() if p is None]
    if none:
        yield f"No polynomial in the context of degree {HIGHEST} or less: {'; '.join(none)}."
    points = next((p.points for p in found.polynomials.values() if p is not None), ())
    if points:
        yield f"n is the context; exact at {', '.join(map(str, points))}, which were run; not proven beyond."


# Raw ------------------------------------------------------------------------------------------------------------------


def generation_data(found: Generation) -> dict[str, Any]:
    """Sizes are bytes. `new_tokens` is null where none were asked for."""
    first = found.first
    return {
        "model": first.model,
        "convention": first.convention.name,
        "params": first.totals.params,
        "weight_bytes": found.weight_bytes,
        "context": found.context,
        "sequences": found.prefill.sequences,
        "phases": [_phase_data(phase) for phase in found.phases],
        "new_tokens": None if found.new is None else _steps_data(found.new),
        "cache_bytes_per_token": found.growth_bytes,
        "cache_bytes_per_token_by_kind": found.growth_by_kind,
        "asked": {k: v for k, v in first.trace.asked.items() if k not in _OF_PHASE},
        "engine": first.trace.engine,
        "versions": dict(first.trace.versions),
    }


def _costs(found: Phase | Steps) -> dict[str, Any]:
    return {
        "tokens": found.tokens,
        "macs": found.macs,
        "flops": found.flops,
        "attention_macs": found.attention_macs,
        "bytes_read": found.bytes_read,
        "bytes_written": found.bytes_written,
        "cache_bytes": found.cache_bytes,
        "peak_memory_bytes": found.peak_memory_bytes,
    }


def _phase_data(phase: Phase) -> dict[str, Any]:
    profile: Profile = phase.profile
    return {
        "phase": phase.name,
        "context": phase.context,
        **_costs(phase),
        "held_bytes": phase.held_bytes,
        "cache": [_part_data(part) for part in parts(phase.trace)],
        "inputs": [dataclasses.asdict(given) for given in phase.trace.inputs],
        "totals": dataclasses.asdict(profile.totals),
        "unknown_ops": profile.unknown_ops,
    }


def _part_data(part: Part) -> dict[str, Any]:
    return part._asdict() | {"shape": list(part.shape)}


def _steps_data(steps: Steps) -> dict[str, Any]:
    stretches = [
        {"first": stretch.first, "last": stretch.last, "ran": sorted(stretch.ran), "fitted": bool(stretch.polynomials)}
        for stretch in steps.stretches
    ]
    return {"steps": steps.count, "context": steps.context, **_costs(steps), "stretches": stretches}


def length_data(found: GenerationScan) -> dict[str, Any]:
    """Polynomials with their coefficients from the constant up: whole numbers, or fractions as text ("1/256")."""
    first = found.first
    return {
        "model": found.model,
        "convention": first.first.convention.name,
        "params": first.first.totals.params,
        "weight_bytes": first.weight_bytes,
        "rows": [_length_data(row) for row in found.rows],
        "polynomials": {
            phase: {figure: p and p.data("n") for (name, figure), p in found.polynomials.items() if name == phase}
            for phase in dict.fromkeys(name for name, _ in found.polynomials)
        },
        "probes": sorted(found.probes),
        "versions": dict(first.first.trace.versions),
    }


def _length_data(row: Length) -> dict[str, Any]:
    if row.found is None:
        return {"context": row.value, "phases": None, "error": str(row.failure)}
    return {"context": row.value, "phases": [_phase_data(phase) for phase in row.found.phases]}


show(Generation, Shown(generation_tables, raw_generation_table, generation_data))
show(GenerationScan, Shown(lambda found: [length_table(found)], raw_length_table, length_data))
