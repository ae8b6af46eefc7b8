"""Which devices, and how many of them, hold a language model with its cache?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from profiler import errors
from profiler.answers.generate.serving import Serving
from profiler.answers.generate.workload import Workload
from profiler.devices import catalogue
from profiler.devices.device import Device
from profiler.devices.parallel import Plan


@dataclass(frozen=True, slots=True)
class Choices:
    """Of each device the least number that holds the workload, the least memory first.

    most: how many devices there may be. without: devices of which no number does, or that do not multiply the dtype.
    """

    workload: Workload
    most: int
    servings: tuple[Serving, ...]
    without: tuple[str, ...]


def choices(workload: Workload, most: int, efficiency: float) -> Choices:
    """Of the devices of the catalogue: 1, 2, 4, ... up to `most`, which divide every layer among them; of a mixture the
    experts alone where that holds it on fewer, or makes a decode step shorter on as many.
    """
    devices = [catalogue.named(name) for name in catalogue.names()]
    least = {device.name: next(_holding(workload, device, most, efficiency), None) for device in devices}
    servings = [serving for serving in least.values() if serving is not None]
    servings.sort(key=lambda serving: (_memory(serving), serving.token.seconds))
    return Choices(workload, most, tuple(servings), tuple(name for name, serving in least.items() if serving is None))


def _memory(serving: Serving) -> int:
    return serving.plan.devices * serving.device.memory_bytes


def _holding(workload: Workload, device: Device, most: int, efficiency: float) -> Iterator[Serving]:
    """Numbers of a device that hold the workload, the least first, and how they do it in the least time."""
    for exponent in range(most.bit_length()):
        shared = (_shared(workload, device, plan, efficiency) for plan in _plans(workload, 2**exponent))
        holding = [serving for serving in shared if serving is not None and serving.fits]
        if holding:
            yield min(holding, key=lambda serving: serving.token.seconds)


def _plans(workload: Workload, devices: int) -> Iterator[Plan]:
    yield Plan(tensor_parallel=devices)
    if workload.mixtures and devices > 1:
        yield Plan(expert_parallel=devices)


def _shared(workload: Workload, device: Device, plan: Plan, efficiency: float) -> Serving | None:
    try:
        return Serving(workload, device, plan, efficiency)
    except errors.ProfileError:  # no link, a dtype that it does not have, heads or experts that are not divided so
        return None
