"""How are the phases of a language model shown? As tables of what each costs, and of what is in the cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common.notes import convention_notes, run_note, uncounted, versions_note
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.phases import Phase, Steps
from profiler.answers.generate.serving_table import (
    choices_tables,
    raw_choices_table,
    raw_serving_table,
    serving_data,
    serving_tables,
)
from profiler.figures.cache import Part, by_kind, parts
from profiler.figures.profile import Profile
from profiler.records.conditions import BOTH, DECODE, PREFILL
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit, chosen_columns


def _column(name: str, heading: str, unit: Unit, get: Callable[[Any], Any], rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda run, _: get(run), rank)


def named(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


def _moved(run: Phase | Steps) -> int:
    return run.bytes_read + run.bytes_written


def share(run: Phase | Steps) -> float | None:
    return run.attention_macs / run.macs if run.macs else None


def _intensity(run: Phase | Steps) -> float | None:
    return run.flops / _moved(run) if _moved(run) else None


def words(run: Phase | Steps) -> str:
    """`prefill`, `decode step`, or `128 decode steps`."""
    return f"{run.count} decode steps" if isinstance(run, Steps) else _NAMES[run.name]


OF_PHASE = ("phase", "context")  # conditions that are not of the whole generation
_NAMES = {PREFILL: "prefill", DECODE: "decode step"}
PHASE_COLUMNS = named(
    _column("phase", "Phase", Unit.TEXT, words),
    _column("context", "Read before", Unit.EXACT, lambda run: run.context, 3),
    _column("tokens", "Tokens", Unit.EXACT, lambda run: run.tokens),
    _column("macs", "MACs", Unit.AMOUNT, lambda run: run.macs),
    _column("flops", "FLOPs", Unit.AMOUNT, lambda run: run.flops, 1),
    _column("token", "FLOPs/token", Unit.AMOUNT, lambda run: run.flops // run.tokens, 2),
    _column("attention", "Attention %", Unit.SHARE, share, 1),
    _column("moved", "Moved", Unit.BYTES, _moved, 3),
    _column("intensity", "FLOP/byte", Unit.RATIO, _intensity, 3),
    _column("cache", "Cache", Unit.BYTES, lambda run: run.cache_bytes),
    _column("memory", "Peak memory", Unit.BYTES, lambda run: run.peak_memory_bytes),
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


def _table(columns: Iterable[Column], subjects: Iterable[Any], **notes: Any) -> Table:
    columns = tuple(columns)
    return Table(columns, tuple(Row(tuple(c.get(run, None) for c in columns)) for run in subjects), **notes)


# One length -----------------------------------------------------------------------------------------------------------


def generation_tables(generation: Generation) -> Iterator[Table]:
    """The phases with the weights under them, and the cache as it is after the last of them; or what devices serve."""
    if generation.serving is not None:
        yield from serving_tables(generation, generation.serving)
    elif generation.choices is not None:
        yield from choices_tables(generation, generation.choices)
    else:
        yield from _phase_tables(generation)


def _phase_tables(generation: Generation) -> Iterator[Table]:
    notes = tuple(_notes(generation))
    columns, caption = shown(generation.columns, PHASE_COLUMNS), f"Phases of {_model(generation)}"
    is_chosen = bool(generation.columns)
    yield _table(
        columns, _rows(generation), facts=tuple(_facts(generation)), notes=notes, caption=caption, chosen=is_chosen
    )
    last = generation.phases[-1]
    if last.trace.cache:
        yield _table(
            _PARTS.values(), parts(last.trace), notes=tuple(_cache_notes(generation, last)), caption=_of_cache(last)
        )


def raw_generation_table(generation: Generation) -> Table:
    if generation.serving is not None:
        return raw_serving_table(generation.serving)
    if generation.choices is not None:
        return raw_choices_table(generation.choices)
    return _table(shown(generation.columns, PHASE_COLUMNS), _rows(generation), chosen=True)


def shown(names: Sequence[str], columns: Mapping[str, Column]) -> tuple[Column, ...]:
    return chosen_columns(names or tuple(columns), columns)


def _rows(generation: Generation) -> Iterator[Phase | Steps]:
    yield from generation.phases
    if generation.new is not None:
        yield generation.new


def _model(generation: Generation) -> str:
    return generation.first.model


def weight_facts(generation: Generation) -> Iterator[tuple[str, Any, Unit, str]]:
    yield "Parameters", generation.first.totals.params, Unit.EXACT, ""
    for dtype, size in generation.weight_bytes.items():
        yield f"Weights in {dtype}", size, Unit.BYTES, ""


def _facts(generation: Generation) -> Iterator[tuple[str, Any, Unit, str]]:
    yield from weight_facts(generation)
    if generation.growth_bytes is not None:
        yield "Cache, bytes a token", generation.growth_bytes, Unit.EXACT, _at(generation.context)
    if generation.new is not None and generation.phase == BOTH:
        flops = generation.prefill.flops + generation.new.flops
        yield "MACs in all", generation.prefill.macs + generation.new.macs, Unit.EXACT, "prefill and decode steps"
        yield "FLOPs in all", flops, Unit.EXACT, f"convention {generation.first.convention.name}"


def _at(context: int) -> str:
    return f"from {context:,} to {context + 1:,} of them, a sequence"


def _notes(generation: Generation) -> Iterator[str]:
    for phase in generation.phases:
        yield from uncounted(phase.profile, f"{words(phase)}: ")
    if generation.new is not None:
        yield _summed_note(generation.new)
    yield Explanation(
        "Attention is the products in which neither factor is a weight, as a share of the MACs. Moved is what "
        "operators read and write, one by one. Choosing the next token is not included."
    )
    yield from convention_notes(generation.first)
    yield from (run_note(phase.trace) for phase in generation.phases)
    yield versions_note(generation.first.trace.versions.items())


def _summed_note(steps: Steps) -> str:
    """How the sum was found."""
    fitted = [stretch for stretch in steps.stretches if stretch.polynomials is not None]
    contexts = f"Contexts {steps.context:,} to {steps.context + steps.count - 1:,}"
    if not fitted:
        return f"{contexts}: each step was run."
    where = ", ".join(f"{stretch.first:,}-{stretch.last:,}" for stretch in fitted)
    return (
        f"{contexts}: {len(steps.ran)} of {steps.count:,} steps were run; the others by polynomials that go exactly "
        f"through those that were run in {where}."
    )


def _of_cache(phase: Phase) -> str:
    return f"The cache after the {_NAMES[phase.name]}, {phase.context + phase.length:,} tokens a sequence"


def _cache_notes(generation: Generation, last: Phase) -> Iterator[str]:
    kinds, growth = by_kind(last.trace), generation.growth_by_kind or {}
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


def generation_data(generation: Generation) -> dict[str, Any]:
    """Sizes are bytes. `new_tokens` is null where none were asked for."""
    first = generation.first
    return {
        "model": first.model,
        "convention": first.convention.name,
        "params": first.totals.params,
        "weight_bytes": generation.weight_bytes,
        "context": generation.context,
        "sequences": generation.prefill.sequences,
        "phases": [phase_data(phase) for phase in generation.phases],
        "new_tokens": None if generation.new is None else _steps_data(generation.new),
        "cache_bytes_per_token": generation.growth_bytes,
        "cache_bytes_per_token_by_kind": generation.growth_by_kind,
        **_on_devices(generation),
        "asked": {name: value for name, value in first.trace.asked.items() if name not in OF_PHASE},
        "engine": first.trace.engine,
        "versions": dict(first.trace.versions),
    }


def _on_devices(generation: Generation) -> dict[str, Any]:
    """Where it was asked for."""
    if generation.serving is not None:
        return {"serving": serving_data(generation.serving)}
    if generation.choices is not None:
        return {"servings": [serving_data(serving) for serving in generation.choices.servings]}
    return {}


def _costs(run: Phase | Steps) -> dict[str, Any]:
    return {
        "tokens": run.tokens,
        "macs": run.macs,
        "flops": run.flops,
        "attention_macs": run.attention_macs,
        "bytes_read": run.bytes_read,
        "bytes_written": run.bytes_written,
        "cache_bytes": run.cache_bytes,
        "peak_memory_bytes": run.peak_memory_bytes,
    }


def phase_data(phase: Phase) -> dict[str, Any]:
    profile: Profile = phase.profile
    return {
        "phase": phase.name,
        "context": phase.context,
        **_costs(phase),
        "held_bytes": phase.held_bytes,
        "cache": [_part_data(part) for part in parts(phase.trace)],
        "inputs": [dataclasses.asdict(tensor) for tensor in phase.trace.inputs],
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
