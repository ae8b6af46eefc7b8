"""How long do models take on this machine? A file that predicts it."""

from __future__ import annotations

from typing import Annotated

from profiler import errors
from profiler.answers.calibrate.compute import DEVICES, DTYPES, calibrate
from profiler.answers.common.options import number, option
from profiler.answers.common.outcome import FILES, Context, Outcome

JOB = FILES
_LEAST, _MOST = 1, 3600  # seconds


def run(
    *,
    context: Context,
    output: Annotated[str, option("The file to write: my-device.toml.", "FILE", name=("--output", "-o"))],
    device: Annotated[str, option("cpu or cuda.", "NAME")] = "cpu",
    threads: Annotated[
        int | None, option("Threads that torch computes with. Default: as torch chooses.", "N", converter=number(1))
    ] = None,
    seconds: Annotated[float, option("How long to measure.", "SECONDS")] = 120.0,
    dtype: Annotated[str, option("The dtypes of the models to predict, separated by commas.", "NAME,...")] = "float32",
) -> Outcome:
    """Measure this machine's speed, for --device: a file of how fast each kind of operator is.

    Example: profile-model calibrate -o my-device.toml
    """
    if device not in DEVICES:
        raise errors.no_such_choice("--device", device, DEVICES)
    dtypes = tuple(dict.fromkeys(name.strip() for name in dtype.split(",")))
    for name in dtypes:
        if name not in DTYPES:
            raise errors.no_such_choice("--dtype", name, DTYPES)
    if not _LEAST <= seconds <= _MOST:
        raise _is_no_time(seconds)
    if not output.endswith(".toml"):
        raise _is_no_toml(output)
    return Outcome(calibrate(output, device, threads, seconds, dtypes, context.progress_line))


# Error messages -------------------------------------------------------------------------------------------------------


def _is_no_time(seconds: float) -> errors.ProfileError:
    return errors.ProfileError(f"--seconds {seconds:g}: choose from {_LEAST} to {_MOST:,} seconds")


def _is_no_toml(path: str) -> errors.ProfileError:
    return errors.ProfileError(f"--output {path}: --device knows a calibration by its suffix; call it FILE.toml")
