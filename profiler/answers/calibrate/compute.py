"""How fast is this machine? It is measured, fitted, and written into a file that predicts without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from profiler.records.files import writing
from profiler.render.answer import Answer

if TYPE_CHECKING:
    from profiler.answers.common.outcome import ProgressLine
    from profiler.devices.calibration.predict import Calibration

DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16", "float64")
_GPU_SCALE = 100.0  # how many times a processor's core a GPU computes


@dataclass(frozen=True, slots=True)
class Calibrated(Answer):
    """A machine that was calibrated, and the file that says so."""

    calibration: Calibration
    path: str


def calibrate(
    path: str,
    device: str,
    threads: int | None,
    seconds: float,
    dtypes: Sequence[str],
    progress: ProgressLine,
) -> Calibrated:
    """Measure this machine for so many seconds, and write the file; raises `errors.ProfileError`."""
    writing.check_writable(path)
    from profiler.devices import here
    from profiler.devices.calibration import file, machine, predict, run
    from profiler.devices.calibration.predict import Calibration, Machine
    from profiler.devices.measuring.clock import clock

    clock(device)
    with machine.settings(threads) as used, progress("Operators are measured", seconds) as tick:
        runner = machine.Machine(device)
        facts = Machine(
            title=here.title(device),
            device=device,
            threads=used,
            torch=machine.version(),
            date=datetime.now(UTC).date().isoformat(),
            module_seconds=runner.module_seconds(),
            call_seconds=run.call_seconds(runner, dtypes[0]),
            peak={dtype: runner.peak(dtype) for dtype in dtypes},
            bandwidth=runner.bandwidth(),
        )
        fits = run.fitted(runner, dtypes, seconds, tick, 1.0 if device == "cpu" else _GPU_SCALE)
    calibration = Calibration(path, replace(facts, peak=predict.peaks(facts.peak, fits)), tuple(fits))
    writing.replace(path, file.text(calibration).encode())
    return Calibrated(calibration, path)
