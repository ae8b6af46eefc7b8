"""The phases of a language model as tables: what each costs, and what is in the cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common.notes import convention_notes, run_note, uncounted, versions_note
from profiler.answers.generate.cached import Part, by_kind, parts
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import BOTH, DECODE, PREFILL, Phase, Steps
from profiler.figures.profile import Profile
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit, chosen_columns


def _column(name: str, heading: str, unit: Unit, get: Callable[[Any], Any], rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda found, _: get(found), rank)


def named(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


def _moved(found: Phase | Steps) -> int:
    return found.bytes_read + found.bytes_written


def share(found: Phase | Steps) -> float | None:
    return found.attention_macs / found.macs if found.macs else None


def _intensity(found: Phase | Steps) -> float | None:
    return found.flops / _moved(found) if _moved(found) else None


def words(found: Phase | Steps) -> str:
    """`prefill`, `decode step`, or `128 decode steps`."""
    return f"{found.count} decode steps" if isinstance(found, Steps) else _NAMES[found.name]


OF_PHASE = ("phase", "context")  # conditions that are not of the whole generation
_NAMES = {PREFILL: "prefill", DECODE: "decode step"}
PHASE_COLUMNS = named(
    _column("phase", "Phase", Unit.TEXT, words),
    _column("context", "Read before", Unit.EXACT, lambda found: found.context, 3),
    _column("tokens", "Tokens", Unit.EXACT, lambda found: found.tokens),
    _column("macs", "MACs", Unit.AMOUNT, lambda found: found.macs),
    _column("flops", "FLOPs", Unit.AMOUNT, lambda found: found.flops, 1),
    _column("token", "FLOPs/token", Unit.AMOUNT, lambda found: found.flops // found.tokens, 2),
    _column("attention", "Attention %", Unit.SHARE, share, 1),
    _column("moved", "Moved", Unit.BYTES, _moved, 3),
    _column("intensity", "FLOP/byte", Unit.RATIO, _intensity, 3),
    _column("cache", "Cache", Unit.BYTES, lambda found: found.cache_bytes),
    _column("memory", "Peak memory", Unit.BYTES, lambda found: found.peak_memory_bytes),
)
_PARTS = named(
    _column("kind", "Kind", Unit.TEXT, lambda part: part.kind),
    _column("name", "Tensor", Unit.TEXT, lambda part: part.name),
    _column("shape", "Shape", Unit.TEXT, lambda part: "×".join(map(str, part.shape)) or "scalar"),
    _column("dtype", "Dtype", Unit.TEXT, lambda part: part.dtype),
    _column("count", "Tensors", Unit.EXACT, lambda part: part.tensors),
    _column("owner", "Held by", Unit.TEXT, lambda part: part.owner, 2),
    _column("cache", "Cache", Unit.BYTES, lambda part: part.size_bytes),
)


def _table(columns: Iterable[Column], subjects: Iterable[Any], **said: Any) -> Table:
    columns = tuple(columns)
    return Table(columns, tuple(Row(tuple(c.get(found, None) for c in columns)) for found in subjects), **said)


# One length -----------------------------------------------------------------------------------------------------------


def generation_tables(found: Generation) -> Iterator[Table]:
    """The phases with the weights under them, and the cache as it is after the last of them."""
    notes = tuple(_notes(found))
    columns, caption = shown(found.columns, PHASE_COLUMNS), f"Phases of {_model(found)}"
    is_chosen = bool(found.columns)
    yield _table(columns, _rows(found), facts=tuple(_facts(found)), notes=notes, caption=caption, chosen=is_chosen)
    last = found.phases[-1]
    if last.trace.cache:
        yield _table(
            _PARTS.values(), parts(last.trace), notes=tuple(_cache_notes(found, last)), caption=_of_cache(last)
        )


def raw_generation_table(found: Generation) -> Table:
    return _table(shown(found.columns, PHASE_COLUMNS), _rows(found), chosen=True)


def shown(names: Sequence[str], known: Mapping[str, Column]) -> tuple[Column, ...]:
    return chosen_columns(names or tuple(known), known)


def _rows(found: Generation) -> Iterator[Phase | Steps]:
    yield from found.phases
    if found.new is not None:
        yield found.new


def _model(found: Generation) -> str:
    return found.first.model


def weight_facts(generation: Generation) -> Iterator[tuple[str, Any, Unit, str]]:
    yield "Parameters", generation.first.totals.params, Unit.EXACT, ""
    for dtype, size in generation.weight_bytes.items():
        yield f"Weights in {dtype}", size, Unit.BYTES, ""


def _facts(found: Generation) -> Iterator[tuple[str, Any, Unit, str]]:
    yield from weight_facts(found)
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
    yield Explanation(
        "Attention is the products in which neither factor is a weight, as a share of the MACs. Moved is what "
        "operators read and write, one by one. Choosing the next token is not included."
    )
    yield from convention_notes(found.first)
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
        "phases": [phase_data(phase) for phase in found.phases],
        "new_tokens": None if found.new is None else _steps_data(found.new),
        "cache_bytes_per_token": found.growth_bytes,
        "cache_bytes_per_token_by_kind": found.growth_by_kind,
        "asked": {name: value for name, value in first.trace.asked.items() if name not in OF_PHASE},
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


def phase_data(phase: Phase) -> dict[str, Any]:
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
        {
            "first": stretch.first,
            "last": stretch.last,
            "ran": sorted(stretch.results),
            "fitted": bool(stretch.polynomials),
        }
        for stretch in steps.stretches
    ]
    return {"steps": steps.count, "context": steps.context, **_costs(steps), "stretches": stretches}


show(Generation, Shown(generation_tables, raw_generation_table, generation_data))
