"""How long would a run take on a calibrated machine? Each call's time follows from its family's fit.

A prediction needs the file of the calibration alone: neither torch nor the machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from profiler import errors
from profiler.devices import layers
from profiler.devices.calibration import families
from profiler.devices.calibration.families import ATTENTION, BATCHED, PRODUCT, VIEW, Point
from profiler.devices.calibration.fit import Array, Fit, arrays, covariance, weights
from profiler.devices.calibration.measure import Sample
from profiler.records.times import ARITHMETIC, LAUNCHES, MEMORY, NO_TIME, PREDICTED, Duration, Times
from profiler.records.trace import Trace

_PRODUCTS = {families.DENSE, families.POINTWISE, families.DEPTHWISE, families.GROUPED, PRODUCT, BATCHED, ATTENTION}
_OTHER_ERROR = 0.7  # of log(measured / predicted), where nothing alike was measured: a factor of two


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured, and with what.

    module_seconds, call_seconds: what a call of a torch module adds, and what an operator takes that does nothing.
    peak: the most FLOP a second that a product reached, by dtype. bandwidth: bytes a second by the bytes that are
    copied, smallest first, so that caches show.
    """

    title: str
    device: str
    threads: int
    torch: str
    date: str
    module_seconds: float
    call_seconds: float
    peak: Mapping[str, float]
    bandwidth: Mapping[int, float]

    @property
    def memory_bandwidth(self) -> float:
        """Of what is in no cache."""
        return self.bandwidth[max(self.bandwidth)]


@dataclass(frozen=True)
class Fitted:
    """A family's samples in one dtype, and what was fitted to them."""

    family: str
    dtype: str
    samples: tuple[Sample, ...]
    fit: Fit

    def seconds(self, points: Sequence[Point]) -> Array:
        """Of a call of each."""
        flops, moved, _, sizes = arrays([Sample(point, 1.0) for point in points])
        logs = self.fit.law.log_seconds(flops, moved)
        if sizes.shape[1] and self.fit.kernel.deviation:
            measured, factors = self._process
            logs = logs + covariance(sizes, measured, self.fit.kernel) @ factors
        return np.exp(logs)

    @cached_property
    def _process(self) -> tuple[Array, Array]:
        flops, moved, seconds, sizes = arrays(self.samples)
        rest = np.log(seconds) - self.fit.law.log_seconds(flops, moved)
        return sizes, weights(sizes, rest, self.fit.kernel)


@dataclass(frozen=True)
class Calibration:
    """A calibrated machine as a `Timer`. `name` is what it is asked for by: its file."""

    name: str
    machine: Machine
    fitted: tuple[Fitted, ...]

    @property
    def dtypes(self) -> list[str]:
        return list(dict.fromkeys(fitted.dtype for fitted in self.fitted))

    def times(self, trace: Trace) -> Times:
        """Raises `ProfileError` where products are in a dtype that was not calibrated.

        An interval holds two thirds of the calls; those of a run's calls add up, because what is predicted too low in
        one call is so in others of its family.
        """
        points = [families.point(signature) for signature in trace.signatures]
        self._check(points)
        by_signature = self._durations(points)
        durations = [by_signature[call.signature] for call in trace.calls]
        for called in trace.module_calls:
            if durations:
                at = min(called.first, len(durations) - 1)
                durations[at] = layers.added(durations[at], _certain(self.machine.module_seconds))
        bounds = [self._bound(points[call.signature]) for call in trace.calls]
        unknown = sum(points[call.signature] is None for call in trace.calls)
        return layers.times(trace, PREDICTED, self.name, self.machine.title, durations, bounds, unknown)

    def _check(self, points: Sequence[Point | None]) -> None:
        for point in points:
            if point is not None and point.family in _PRODUCTS and point.dtype not in self.dtypes:
                raise _is_not_calibrated(self.name, point.dtype, self.dtypes)

    def _durations(self, points: Sequence[Point | None]) -> list[Duration]:
        by_family: dict[tuple[str, str], list[int]] = defaultdict(list)
        for at, point in enumerate(points):
            if point is not None:
                by_family[point.family, point.dtype].append(at)
        durations = [NO_TIME] * len(points)
        for (family, dtype), rows in by_family.items():
            several = [point for at in rows if (point := points[at]) is not None]
            seconds, error = self._of_family(family, dtype, several)
            for at, point, each in zip(rows, several, seconds, strict=True):
                whole = float(each) * point.times
                durations[at] = Duration(whole, whole * float(np.exp(-error)), whole * float(np.exp(error)))
        return durations

    def _of_family(self, family: str, dtype: str, points: Sequence[Point]) -> tuple[Array, float]:
        """Seconds, and the deviation of their logarithms. Where a dtype was not measured, bytes are what counts."""
        if family == VIEW:
            return np.full(len(points), self.machine.call_seconds), 0.0
        fitted = self._fits.get((family, dtype)) or self._fits.get((family, self.dtypes[0]))
        if fitted is not None:
            return fitted.seconds(points), fitted.fit.error
        return np.array([self._steady(point) for point in points]), _OTHER_ERROR

    def _steady(self, point: Point) -> float:
        """A call of a family that is not measured: at the machine's peak and bandwidth, whichever takes longer."""
        peak = self.machine.peak.get(point.dtype) or max(self.machine.peak.values())
        return self.machine.call_seconds + max(point.flops / peak, point.moved_bytes / self.machine.memory_bandwidth)

    @cached_property
    def _fits(self) -> Mapping[tuple[str, str], Fitted]:
        return {(fitted.family, fitted.dtype): fitted for fitted in self.fitted}

    def _bound(self, point: Point | None) -> str | None:
        """What a call would wait for at the machine's peak and bandwidth."""
        if point is None:
            return None
        peak = self.machine.peak.get(point.dtype) or max(self.machine.peak.values())
        computing, moving = point.flops / peak, point.moved_bytes / self.machine.memory_bandwidth
        if self.machine.call_seconds > max(computing, moving):
            return LAUNCHES
        return ARITHMETIC if computing > moving else MEMORY


def peaks(measured: Mapping[str, float], fits: Sequence[Fitted]) -> dict[str, float]:
    """By dtype: what was measured, or the fastest product among the samples."""
    rates: dict[str, float] = dict(measured)
    for fitted in fits:
        for point, seconds in fitted.samples if fitted.family in _PRODUCTS else ():
            rates[fitted.dtype] = max(rates[fitted.dtype], point.flops / seconds)
    return rates


def _certain(seconds: float) -> Duration:
    return Duration(seconds, seconds, seconds)


# Error messages -------------------------------------------------------------------------------------------------------


def _is_not_calibrated(name: str, dtype: str, dtypes: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"{name} is calibrated for {', '.join(dtypes)}, and the model multiplies {dtype}; "
        f"run profile-model calibrate --dtype {dtype}"
    )
