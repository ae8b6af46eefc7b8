"""How is a memory report shown? As tables of what is alive at the peak, and of the timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiler.answers.common.notes import run_note, versions_note
from profiler.answers.common.time_columns import time_facts, time_notes
from profiler.answers.layers.data import about, profile_data
from profiler.answers.layers.table import allocated
from profiler.answers.memory.compute import MemoryReport
from profiler.figures.memory import INSIDE, Piece, cache_bytes
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit

_ALIVE = (
    Column("layer", "Layer", Unit.TEXT, lambda row, _: row, 0, 40),
    Column("operator", "Made by", Unit.TEXT, lambda row, _: row, 1, 32),
    Column("tensor", "Tensor", Unit.SHAPE, lambda row, _: row, 2, 24),
    Column("dtype", "Dtype", Unit.TEXT, lambda row, _: row, 3),
    Column("role", "Role", Unit.TEXT, lambda row, _: row, 3),
    Column("size", "", Unit.BYTES, lambda row, _: row),
    Column("share", "%", Unit.SHARE, lambda row, _: row, 1),
)
_TIMELINE = (
    Column("calls", "Calls", Unit.TEXT, lambda row, _: row),
    Column("phase", "Phase", Unit.TEXT, lambda row, _: row, 2),
    Column("layer", "Most in", Unit.TEXT, lambda row, _: row, 1, 40),
    Column("live", "", Unit.BYTES, lambda row, _: row),
    Column("bar", "", Unit.BAR, lambda row, _: row),
)
_MODEL = "the model itself"


def memory_tables(report: MemoryReport) -> Iterator[Table]:
    """What is alive at the peak, with the totals under it; then how it got there."""
    yield Table(
        _ALIVE,
        tuple(_alive(report, report.top)),
        tuple(_facts(report)),
        tuple(_notes(report)),
        f"Alive at the peak of {report.trace.model}",
    )
    yield _timeline(report)


def raw_memory_table(report: MemoryReport) -> Table:
    """All that is alive at the peak; sizes in bytes."""
    return Table(_ALIVE, tuple(_alive(report, len(report.pieces))), chosen=True)


def _alive(report: MemoryReport, top: int) -> Iterator[Row]:
    whole = sum(piece.size_bytes for piece in report.pieces)
    for piece in report.pieces[:top]:
        dtype = piece.tensor.dtype if piece.tensor is not None else ""
        origin = _operator(report, piece), piece.tensor or "", dtype, _role(piece.role)
        yield Row((_layer(report, piece), *origin, piece.size_bytes, piece.size_bytes / whole))
    rest = report.pieces[top:]
    if rest:
        size = sum(piece.size_bytes for piece in rest)
        yield Row((f"{len(rest)} more", "", "", "", "", size, size / whole))


def _operator(report: MemoryReport, piece: Piece) -> str:
    return report.operator(piece.call) if piece.call >= 0 else ""


def _layer(report: MemoryReport, piece: Piece) -> str:
    """What was there before the run belongs to no layer."""
    return report.layer(piece.call) or _MODEL if piece.call >= 0 else "given"


def _role(role: str) -> str:
    return "inside the operator" if role == INSIDE else role


def _timeline(report: MemoryReport) -> Table:
    """A run in inference has no phases to name. The first call is 1; to programs it is 0, as in the trace."""
    columns = [column for column in _TIMELINE if column.name != "phase" or report.trace.phases]
    most = max((stretch.live_bytes for stretch in report.timeline), default=0)
    rows = []
    for stretch in report.timeline:
        values = {
            "calls": f"{stretch.first + 1}-{stretch.last}",
            "phase": report.phase(stretch.fullest),
            "layer": report.layer(stretch.fullest) or _MODEL,
            "live": stretch.live_bytes,
            "bar": stretch.live_bytes / most if most else 0.0,
        }
        best = [i for i, column in enumerate(columns) if column.name == "live" and report.call == stretch.fullest]
        rows.append(Row(tuple(values[column.name] for column in columns), best=frozenset(best)))
    return Table(tuple(columns), tuple(rows), caption="The most alive in each stretch of calls")


def _facts(report: MemoryReport) -> Iterator[tuple[str, Any, Unit, str]]:
    totals, training = report.profile.totals, report.profile.training
    yield "Parameters", totals.param_bytes, Unit.BYTES, ""
    yield "Buffers", totals.buffer_bytes, Unit.BYTES, ""
    yield "Inputs", totals.input_bytes, Unit.BYTES, "which the caller keeps"
    if cache_bytes(report.trace):
        yield "Cache", cache_bytes(report.trace), Unit.BYTES, "of the tokens that were read before"
    if training is not None and training.optimizer_bytes:
        yield "Optimizer state", training.optimizer_bytes, Unit.BYTES, str(report.trace.asked["optimizer"])
    words = "activations" if training is None else "activations and gradients"
    words += " beyond the cache" * bool(cache_bytes(report.trace))
    yield f"Peak {words}", totals.peak_activation_bytes, Unit.BYTES, _where(report)
    yield "Peak memory", totals.peak_memory_bytes, Unit.BYTES, "all of these"
    if training is None:
        yield "Activations", totals.activation_bytes, Unit.BYTES, allocated(report.profile)
    else:
        yield "Gradients", training.gradient_bytes, Unit.BYTES, ""
        yield "Saved activations", training.saved_bytes, Unit.BYTES, "kept for the backward pass"
    yield from time_facts(report.profile)


def _where(report: MemoryReport) -> str:
    if report.call is None:
        return ""
    phase = report.phase(report.call)
    place = report.layer(report.call) or _MODEL
    at = f"call {report.call + 1:,} of {len(report.trace.calls):,}"
    return f"{at}, {report.operator(report.call)} in {place}{f', {phase}' if phase else ''}"


def _notes(report: MemoryReport) -> Iterator[str]:
    yield Explanation(
        "Tensors alone: scratch memory that kernels take for themselves, the allocator's rounding and the runtime come "
        "on top."
    )
    yield run_note(report.trace)
    yield from time_notes({"": report.profile})
    yield versions_note(report.trace.versions.items())


def memory_data(report: MemoryReport) -> dict[str, Any]:
    """The profile, with all that is alive at its peak, and how much is alive at each call; sizes are bytes."""
    return profile_data(report.profile) | {"memory": _peak_data(report)}


def _peak_data(report: MemoryReport) -> dict[str, Any]:
    call = report.call
    return {
        "peak_call": call,
        "peak_operator": None if call is None else report.operator(call),
        "peak_layer": None if call is None else report.layer(call),
        "peak_phase": None if call is None else report.phase(call),
        "alive": [
            {
                "layer": report.layer(piece.call) if piece.call >= 0 else None,
                "operator": _operator(report, piece) or None,
                "call": piece.call,
                "role": piece.role,
                "shape": None if piece.tensor is None else list(piece.tensor.shape),
                "dtype": None if piece.tensor is None else piece.tensor.dtype,
                "bytes": piece.size_bytes,
            }
            for piece in report.pieces
        ],
        "live_bytes": list(report.live_bytes),
        "phases": [phase._asdict() for phase in report.trace.phases],
    }


show(
    MemoryReport,
    Shown(memory_tables, raw_memory_table, memory_data, about=lambda report: about(report.profile)),
)
