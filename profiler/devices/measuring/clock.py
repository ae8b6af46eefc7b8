"""What time is it on a device? Of the host by its clock, of an accelerator by events among its kernels."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import torch

from profiler import errors
from profiler.devices.timing import HERE

_MILLI = 1e-3


class Clock(Protocol):
    """now: seconds of the host. mark: the present of the device, which `between` takes once it was synchronized."""

    def now(self) -> float: ...

    def mark(self) -> Any: ...

    def between(self, first: Any, second: Any) -> float:
        """Seconds from one mark to another."""

    def synchronize(self) -> None:
        """Wait until the device has done all that it was asked for."""


class HostClock:
    """The CPU's: an operator is done when its call returns."""

    now = staticmethod(perf_counter)
    mark = staticmethod(perf_counter)

    def between(self, first: float, second: float) -> float:
        return second - first

    def synchronize(self) -> None:
        """There is nothing to wait for."""


class EventClock:
    """An accelerator's. Its kernels run behind the host, which only puts events between them.

    event: makes one. synchronize: waits for the device.
    """

    now = staticmethod(perf_counter)

    def __init__(self, event: Callable[[], Any], synchronize: Callable[[], None]) -> None:
        self._event = event
        self.synchronize = synchronize

    def mark(self) -> Any:
        event = self._event()
        event.record()
        return event

    def between(self, first: Any, second: Any) -> float:
        return float(first.elapsed_time(second)) * _MILLI


def clock(kind: str) -> Clock:
    """The clock of a device of this machine; raises `errors.ProfileError` where there is no such device."""
    if kind == "cpu":
        return HostClock()
    if kind == "cuda" and torch.cuda.is_available():
        torch.cuda.init()
        return EventClock(lambda: torch.cuda.Event(enable_timing=True), torch.cuda.synchronize)
    if kind == "mps" and torch.backends.mps.is_available():
        return EventClock(lambda: torch.mps.Event(enable_timing=True), torch.mps.synchronize)
    raise _not_here(kind)


# Error messages -------------------------------------------------------------------------------------------------------


def _not_here(kind: str) -> errors.ProfileError:
    if kind not in HERE:
        return errors.no_such_choice("--device", kind, HERE)
    return errors.ProfileError(
        f"--device {kind}: torch finds no such device on this machine; measure on cpu, or name a device of the "
        "catalogue for a lower bound (profile-model list --devices)"
    )
