"""How are the models of a figure run? Each as it is, on a device, or at several values of what varies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.common.repeatable import Repeatable
from profiler.answers.common.varying import Varying
from profiler.answers.models.compute import Comparison, Entry, Layout, comparison
from profiler.answers.plot.compute import Plot, chart
from profiler.answers.plot.curves import check, curves
from profiler.answers.plot.request import SCAN, Request
from profiler.answers.scan.compute import Scan, read
from profiler.answers.scan.scanning import scanned
from profiler.devices.timing import HERE, timer
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile
from profiler.render.charts.look import Look

if TYPE_CHECKING:
    from profiler.records.times import Timer


def plotted(
    models: Sequence[Any],
    request: Request,
    look: Look,
    profile: Callable[[Any], Repeatable],
    varying: Callable[[Any, str], Varying[Profile]],
    compare: Callable[..., Comparison],
    labels: Sequence[str],
    has_metrics: bool,
) -> Plot:
    """From Python: `profile` runs a model, `varying` says of what a scan is; raises `errors.ProfileError`."""
    kind = request.of(len(models), has_metrics)
    if kind == SCAN:
        name, _ = read(request.scan or "")
        of_each = [varying(model, name) for model in models]
        if labels and len(labels) != len(models):
            raise errors.label_count(len(labels), len(models))
        named = zip(labels or [each.label for each in of_each], of_each, strict=True)
        return Plot(curves(scans(list(named), request), request), look)
    ran = [_on(profile(model), request.device) for model in models]
    return Plot(chart(kind, compare(ran, labels=labels), request), look)


def plotted_alone(profile: Repeatable, request: Request, look: Look) -> Plot:
    """Of one profile; raises `errors.ProfileError`."""
    kind, ran = request.of(1, has_metrics=False), _on(profile, request.device)
    alone = comparison((Entry(ran.model, ran.model, ran),), Layout(timer=ran.timer))
    return Plot(chart(kind, alone, request), look)


def _on(profile: Repeatable, device: str | None) -> Profile:
    """Measured where the device is this machine."""
    if device is None:
        return profile
    return profile.time(device).profile if device in HERE else profile.on(timer(device))


def scans(
    models: Sequence[tuple[str, Varying[Profile]]],
    request: Request,
    with_progress: Callable[[Sequence[Any], Sequence[str]], Iterable[Any]] = lambda values, names: values,
) -> list[tuple[str, Scan]]:
    """Every model at each value; raises `errors.ProfileError`."""
    check(request)
    there = None if request.device is None else timer(request.device)
    _, values = read(request.scan or "")
    ran: list[tuple[str, Scan]] = []
    for label, model in models:
        with at_work(model.label):
            scan = scanned(_varying_on(there, model), values, with_progress=with_progress, timer=there)
        assert isinstance(scan, Scan)  # no phase is asked for
        ran.append((label, scan))
    return ran


def _varying_on(there: Timer | None, model: Varying[Profile]) -> Varying[Profile]:
    return model if there is None else replace(model, run=lambda *what: model.run(*what).on(there))
