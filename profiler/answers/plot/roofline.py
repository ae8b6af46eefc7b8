"""What keeps a device from being faster: its arithmetic or its memory? Layers, or models, below its roof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from profiler import errors
from profiler.answers.models.compute import Entry
from profiler.answers.plot.axes import device_words
from profiler.answers.time.compute import TOP, TimeReport
from profiler.answers.time.roof import LayerPoint, layer_points, roof, timed_layers
from profiler.render.charts.data import Axis, Load, Roof, Roofline
from profiler.render.tables import Unit


def roofline(entries: Sequence[Entry]) -> Roofline:
    """The layers of one model that take most of the time; of several models, each as a whole.

    One model is a whole as well where no layer of it has a time that is known, as where a measurement is too short.
    """
    profiles = [(entry.label, entry.profile) for entry in entries if entry.profile is not None]
    reports = {label: TimeReport(profile) for label, profile in profiles if profile.times is not None}
    first = next(iter(reports.values()), None)
    over = None if first is None else roof(first)
    if first is None or over is None:
        raise _no_roof(entries[0].label)
    layers = tuple(_layers(first)) if len(reports) == 1 else ()
    loads = layers or tuple(_models(reports.items()))
    if not loads:
        raise _no_roof(entries[0].label)
    word = first.times.word
    return Roofline(
        Axis(
            "intensity", "Arithmetic intensity (FLOP/byte)", Unit.RATIO, remark="fused" * first.is_of_fused, is_log=True
        ),
        Axis("flops_per_second", "FLOP/s", Unit.RATE, word, is_log=True),
        Roof(device_words(first.profile), tuple(over.peaks.items()), over.bytes_per_second),
        loads,
    )


def _layers(report: TimeReport) -> Iterator[Load]:
    """Layers that stand at the same place are one, called by the first of them: "layer1.0.conv1 +3"."""
    alike: dict[tuple[float, float], list[LayerPoint]] = {}
    for point in islice(layer_points(report, timed_layers(report)), TOP):
        place = (float(f"{point.intensity:.2g}"), float(f"{point.flops_per_second:.2g}"))
        alike.setdefault(place, []).append(point)
    for points in alike.values():
        first, seconds = points[0], sum(point.seconds for point in points)
        name = (first.layer.path or report.profile.model) + f" +{len(points) - 1}" * (len(points) > 1)
        yield Load(name, first.intensity, first.flops_per_second, seconds, seconds / report.times.whole.seconds)


def _models(reports: Iterable[tuple[str, TimeReport]]) -> Iterator[Load]:
    """A model that has no FLOPs, moves nothing or takes no time is no point."""
    for label, report in reports:
        amount, seconds = report.timed_amounts[0], report.times.whole.seconds
        if amount.flops and amount.moved_bytes and seconds:
            yield Load(label, amount.flops / amount.moved_bytes, amount.flops / seconds, seconds, 1.0)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_roof(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"there is no roof to draw {model} under: its limits are not known of this device; name one of "
        "`profile-model list --devices`, or measure with --device cpu"
    )
