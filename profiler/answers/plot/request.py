"""Which figure is asked for? Its kind, what its axes are, and what is chosen where nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from profiler import errors
from profiler.answers.common.options import names

SCATTER, BARS, DEPTH, MEMORY, SCAN, ROOFLINE = KINDS = ("scatter", "kinds", "depth", "memory", "scan", "roofline")
_OF_ONE_MODEL = (DEPTH, MEMORY)
NO_LOG = "none"
_DECADE = 10  # from so many times the least value on, the x axis of a scatter is logarithmic


@dataclass(frozen=True, slots=True)
class Request:
    """A figure. x, y: names of columns or metrics. log: the axes that are logarithmic; None: as it suits the values.

    scan: what varies, "batch=1,8,32". device: the device that times are of.
    """

    kind: str | None = None
    x: str | None = None
    y: tuple[str, ...] = ()
    log: tuple[str, ...] | None = None
    scan: str | None = None
    device: str | None = None

    def of(self, models: int, has_metrics: bool) -> str:
        """The kind of figure for so many models; raises `errors.ProfileError` where that cannot be."""
        kind = self.kind or self._usual(models, has_metrics)
        if kind not in KINDS:
            raise errors.no_such_choice("--kind", kind, KINDS)
        if kind in _OF_ONE_MODEL and models > 1:
            raise _takes_one_model(kind, models)
        if kind == SCAN and self.scan is None:
            raise errors.only_with("--kind scan", "--scan")
        if kind != SCAN and self.scan is not None:
            raise errors.only_with("--scan", "--kind scan")
        if kind == ROOFLINE and self.device is None:
            raise errors.only_with("--kind roofline", "--device")
        if self.x is not None and kind != SCATTER:
            raise errors.only_with("--x", f"--kind {SCATTER}")
        if self.y and kind in (MEMORY, ROOFLINE):
            raise _has_its_axes(kind)
        return kind

    def _usual(self, models: int, has_metrics: bool) -> str:
        if self.scan is not None:
            return SCAN
        return SCATTER if self.x is not None or (models > 1 and has_metrics) else BARS

    def is_log(self, side: str, values: Sequence[float | Decimal], usual: bool) -> bool:
        """Whether an axis is logarithmic; raises `errors.ProfileError` where it cannot be."""
        if self.log is None:
            return usual and bool(values) and min(values) > 0 and max(values) >= _DECADE * min(values)
        if side in self.log and min(values, default=1) <= 0:
            raise _no_logarithm(side)
        return side in self.log


def requested(
    kind: str | None, x: str | None, y: str | None, log: str | None, scan: str | None, device: str | None
) -> Request:
    """From options as they are written; raises `errors.ProfileError`."""
    return Request(kind, x, names(y), logarithmic(log), scan, device)


def logarithmic(text: str | None) -> tuple[str, ...] | None:
    """`x`, `y`, `x,y` or `none`; raises `errors.ProfileError`."""
    if text is None:
        return None
    axes = names(text)
    for name in axes:
        if name not in ("x", "y", NO_LOG):
            raise errors.no_such_choice("--log", name, ("x", "y", NO_LOG))
    return axes


# Error messages -------------------------------------------------------------------------------------------------------


def _takes_one_model(kind: str, models: int) -> errors.ProfileError:
    return errors.ProfileError(f"--kind {kind} is about one model, and {models} are given; name one")


def _has_its_axes(kind: str) -> errors.ProfileError:
    return errors.ProfileError(f"--kind {kind} has its axes already; leave out --y")


def _no_logarithm(side: str) -> errors.ProfileError:
    return errors.ProfileError(f"--log {side}: a value there is 0, which has no logarithm; leave it out")
