"""What does `--device` name? A device of the catalogue, one of a file, or a calibrated one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler import errors
from profiler.records.times import Timer

if TYPE_CHECKING:
    from profiler.devices.device import Device

HERE = ("cpu", "cuda", "mps")  # this machine, on which a model is run to be measured
SUFFIX = ".toml"


def timer(text: str) -> Timer:
    """What tells how long a run takes on the device that a text names; raises `errors.ProfileError`."""
    from profiler.devices import catalogue
    from profiler.devices.roofline import Roofline

    if text in HERE:
        raise _is_measured(text)
    if not text.endswith(SUFFIX):
        return Roofline(catalogue.named(text))
    from profiler.devices.calibration import file as calibration  # which needs numpy
    from profiler.records.files import toml_files

    content = toml_files.read(text, text)
    if calibration.is_calibration(content):
        return calibration.of(content)
    return Roofline(catalogue.of(content))


def device(text: str) -> Device:
    """The device whose data sheet a text names; raises `errors.ProfileError`, also for one that is calibrated."""
    from profiler.devices.roofline import Roofline

    named = timer(text)
    if not isinstance(named, Roofline):
        raise _is_calibrated(text)
    return named.device


def memory_bytes(timer: Timer) -> int | None:
    """What the device has in all; None where nobody says."""
    from profiler.devices.roofline import Roofline

    return timer.device.memory_bytes if isinstance(timer, Roofline) else None


# Error messages -------------------------------------------------------------------------------------------------------


def _is_calibrated(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--device {text} is a calibration, which says nothing of memory and links; name a device of "
        "`profile-model list --devices`, or a file like it"
    )


def _is_measured(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--device {text} is this machine, where `profile-model time` measures; name a device of "
        "`profile-model list --devices`, or a file of `profile-model calibrate`"
    )
