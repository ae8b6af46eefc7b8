"""Which devices is a language model to be served on? What is asked for, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from profiler import errors
from profiler.answers.generate.choices import choices
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.serving import EFFICIENCY, Serving, check_efficiency
from profiler.answers.generate.workload import Workload
from profiler.devices import timing
from profiler.devices.device import Device
from profiler.devices.parallel import Plan, planned
from profiler.records import quantities, schemes
from profiler.records.conditions import BOTH
from profiler.records.schemes import Scheme

_MOST_DEVICES = 1024


@dataclass(frozen=True, slots=True)
class OnDevices:
    """A device and how the model is divided; or how many there may be of one, where no device is named."""

    device: Device | None
    plan: Plan
    most: int
    scheme: Scheme | None
    efficiency: float

    def added(self, generation: Generation) -> Generation:
        """With the answer for the devices; raises `errors.ProfileError` where the model cannot be divided so."""
        first = generation.decode
        assert first is not None, "both phases were run"
        middle = generation.middle or first
        workload = Workload(generation.prefill, first, middle, generation.new, self.scheme, generation.positions)
        if self.device is None:
            return replace(generation, choices=choices(workload, self.most, self.efficiency))
        return replace(generation, serving=Serving(workload, self.device, self.plan, self.efficiency))

    def check(self, phase: str, columns: tuple[str, ...]) -> None:
        """Raise where only a phase, or columns of the phases, are asked for."""
        if phase != BOTH:
            raise _whole("--phase")
        if columns:
            raise _whole("--columns")


def on_devices(
    device: str | None = None,
    devices: int | None = None,
    tensor_parallel: int | None = None,
    pipeline_parallel: int | None = None,
    expert_parallel: int | None = None,
    weights: str | None = None,
    efficiency: str | float | None = None,
) -> OnDevices | None:
    """What the options stand for; None where there are none. Raises `errors.ProfileError`."""
    scheme = None if weights is None else schemes.named(weights)
    share = EFFICIENCY if efficiency is None else _share(efficiency)
    if device is None:
        _check_no_plan(tensor_parallel, pipeline_parallel, expert_parallel)
        _check_no_more(devices, weights, efficiency)
        if devices is None:
            return None
        return OnDevices(None, Plan(1, 1), _counted(devices), scheme, share)
    for degree in (devices, tensor_parallel, pipeline_parallel, expert_parallel):
        _counted(1 if degree is None else degree)
    plan = planned(devices, tensor_parallel, pipeline_parallel, expert_parallel)
    return OnDevices(timing.device(device), plan, plan.devices, scheme, share)


def _check_no_plan(tensor: int | None, pipeline: int | None, expert: int | None) -> None:
    degrees = {"--tensor-parallel": tensor, "--pipeline-parallel": pipeline, "--expert-parallel": expert}
    for flag, value in degrees.items():
        if value is not None:
            raise errors.only_with(flag, "--device")


def _check_no_more(devices: int | None, weights: str | None, efficiency: str | float | None) -> None:
    for flag, of_both in (("--as", weights), ("--efficiency", efficiency)):
        if of_both is not None and devices is None:
            raise errors.only_with(flag, "--device or --devices")


def _share(efficiency: str | float) -> float:
    """`60%`, or 0.6 in Python."""
    if isinstance(efficiency, str):
        efficiency = float(quantities.read("--efficiency", efficiency, quantities.percent)) / 100
    check_efficiency(efficiency)
    return efficiency


def _counted(devices: int) -> int:
    if not 1 <= devices <= _MOST_DEVICES:
        raise _no_number(devices)
    return devices


# Error messages -------------------------------------------------------------------------------------------------------


def _whole(flag: str) -> errors.ProfileError:
    return errors.ProfileError(f"{flag} is about the phases alone, and devices serve both; leave out {flag}")


def _no_number(devices: int) -> errors.ProfileError:
    return errors.ProfileError(f"{devices} devices do not serve a model; give a number from 1 to {_MOST_DEVICES}")
