"""How is a calibrated machine shown? As tables: its families of operators, and how it copies."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import TYPE_CHECKING, Any

from profiler.answers.calibrate.compute import Calibrated
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit

if TYPE_CHECKING:
    from profiler.devices.calibration.predict import Fitted


_FAMILIES = (
    Column("family", "Family", Unit.TEXT),
    Column("dtype", "Dtype", Unit.TEXT, rank=2),
    Column("samples", "Samples", Unit.EXACT, rank=1),
    Column("flops", "Best FLOP/s", Unit.RATE),
    Column("efficiency", "of peak %", Unit.SHARE, rank=1),
    Column("bytes", "Best bytes/s", Unit.RATE),
    Column("error", "Error left out %", Unit.SHARE),
)
_COPIES = (Column("size", "Copied", Unit.BYTES), Column("rate", "Bytes/s", Unit.RATE))


def calibrated_tables(answer: Calibrated) -> Iterator[Table]:
    machine = answer.calibration.machine
    caption = f"{machine.title}, {machine.device}, torch {machine.torch}, {machine.date}"
    rows = tuple(_row(answer, fitted) for fitted in answer.calibration.fitted)
    yield Table(_FAMILIES, rows, tuple(_facts(answer)), _NOTES, caption)
    yield Table(_COPIES, tuple(Row((size, rate)) for size, rate in machine.bandwidth.items()))


def _row(answer: Calibrated, fitted: Fitted) -> Row:
    flops = max(sample.point.flops / sample.seconds for sample in fitted.samples)
    moved = max(sample.point.moved_bytes / sample.seconds for sample in fitted.samples)
    efficiency = flops / answer.calibration.machine.peak[fitted.dtype]
    error = exp(fitted.fit.error) - 1
    return Row((fitted.family, fitted.dtype, len(fitted.samples), flops, efficiency, moved, error))


def _facts(answer: Calibrated) -> Iterator[tuple[str, Any, Unit, str]]:
    machine = answer.calibration.machine
    for dtype, rate in machine.peak.items():
        yield f"Peak, {dtype}", rate, Unit.RATE, "FLOP/s of the fastest product"
    yield "A call", machine.call_seconds, Unit.SECONDS, "an operator that does nothing"
    yield "A module", machine.module_seconds, Unit.SECONDS, "what a call of a module adds"
    yield "Written", answer.path, Unit.TEXT, f"predict with --device {answer.path}"


_NOTES = (
    Explanation(
        "Error left out: the standard deviation of what is predicted for each sample from all others of its family."
    ),
)
show(Calibrated, Shown(calibrated_tables))
