"""What does a page show of one model? All that is derived from its trace, as `Model` of the page's `data.ts` has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from profiler.answers.common.notes import inputs_words, run_words
from profiler.answers.common.time_columns import in_words
from profiler.answers.layers.compute import View
from profiler.answers.layers.table import (
    LAYER_COLUMNS,
    STEP_COLUMNS,
    TIME_COLUMNS,
    ZERO_COLUMNS,
    layer_table,
    usual_columns,
)
from profiler.answers.report.details import details
from profiler.answers.report.memory import memory_data
from profiler.answers.report.totals import totals
from profiler.answers.time.compute import TimeReport
from profiler.answers.time.roof import layer_points, roof, timed_layers
from profiler.counters import conventions
from profiler.counters.convention import Price
from profiler.errors import shown
from profiler.figures.layers import Layer, parent_rows, summed
from profiler.figures.profile import Profile
from profiler.render.report.data import table_data, wholes
from profiler.render.tables import Table, Unit

_WITHOUT = ("path", "class")  # which the page has besides its table


def model_data(label: str, profile: Profile, chosen: Sequence[str] = ()) -> dict[str, Any]:
    """chosen: the columns that are shown at first; by default the usual ones."""
    table, trace = _layers(profile), profile.trace
    layers = table_data(table)
    detail, of_layer = details(profile)
    names = {column.name for column in table.columns}
    return {
        "label": shown(label),
        "model": shown(profile.model),
        "convention": {"name": profile.convention.name, "says": profile.convention.says},
        "about": [[name, shown(text)] for name, text in _about(profile)],
        "totals": [total.data for total in totals(profile)],
        "notes": layers["notes"],
        "coverage": _coverage(profile),
        "unknown_ops": [[shown(op), calls] for op, calls in profile.unknown_ops.items()],
        "layers": layers,
        "shown": [name for name in chosen or usual_columns(profile) if name in names],
        "paths": [shown(layer.path) for layer in profile.layers],
        "parents": parent_rows(trace.modules),
        "classes": [shown(layer.kind) for layer in profile.layers],
        "shared": {
            str(layer.index): shown(layer.shared_with) for layer in profile.layers if layer.shared_with is not None
        },
        "measures": list(_measures(profile)),
        "details": detail,
        "detail": of_layer,
        "conventions": list(_conventions(profile)),
        "memory": memory_data(trace),
        "roofline": _roofline(profile),
    }


def _layers(profile: Profile) -> Table:
    """Every column that says something of this model's layers."""
    without = {*_WITHOUT}
    without.update(STEP_COLUMNS if not profile.trace.phases else ())
    without.update(ZERO_COLUMNS if profile.totals.zeros is None else ())
    without.update(TIME_COLUMNS if profile.times is None else ())
    names = [
        name
        for name, column in LAYER_COLUMNS.items()
        if name not in without and any(column.get(layer, profile) not in (None, "", ()) for layer in profile.layers)
    ]
    return layer_table(profile, View(columns=names))


def _about(profile: Profile) -> Iterator[tuple[str, str]]:
    trace = profile.trace
    if trace.was_run:
        yield "Input", inputs_words(trace.inputs)
        yield "Engine", trace.engine
        yield "Run as", run_words(trace) or "inference"
    yield "Source", trace.source
    if profile.times is not None:
        yield "Time", in_words(profile.times)
    yield from trace.versions.items()


def _coverage(profile: Profile) -> dict[str, int] | None:
    if not profile.trace.was_run:
        return None
    coverage = profile.coverage
    return {"known": coverage.known, "free": coverage.free, "unknown": coverage.unknown}


# What areas and bars can show -----------------------------------------------------------------------------------------


def _moved(layer: Layer) -> int | None:
    return (layer.own.cost.bytes_read or 0) + (layer.own.cost.bytes_written or 0)


# A figure's name in `--columns` where it has one, its heading and unit, and what a layer itself has of it.
_OWN: tuple[tuple[str, str, Unit, bool, Callable[[Layer], int | None]], ...] = (
    ("params", "Parameters", Unit.EXACT, False, lambda layer: layer.own.params),
    ("macs", "MACs", Unit.AMOUNT, True, lambda layer: int(layer.own.cost.macs)),
    ("flops", "FLOPs", Unit.AMOUNT, True, lambda layer: layer.own_flops),
    ("size", "Size of parameters", Unit.BYTES, False, lambda layer: layer.own.param_bytes),
    ("activations", "Activations", Unit.BYTES, True, lambda layer: layer.own.activation_bytes),
    ("moved", "Read and written", Unit.BYTES, True, _moved),
)


def _measures(profile: Profile) -> Iterator[dict[str, Any]]:
    """What adds up over layers."""
    for name, heading, unit, is_of_run, own in _OWN:
        if not is_of_run or profile.trace.was_run:
            yield _measure(name, heading, unit, [own(layer) for layer in profile.layers])
    if profile.times is not None and len(profile.times.own) == len(profile.layers):
        heading = profile.times.word.capitalize()
        yield _measure("time", f"{heading} time", Unit.SECONDS, [duration.seconds for duration in profile.times.own])


def _measure(name: str, heading: str, unit: Unit, own: Sequence[Any]) -> dict[str, Any]:
    """A measured time may be less than nothing, as what marking costs is taken off; an area cannot be."""
    return {"name": name, "heading": heading, "unit": unit.value, "own": wholes([max(value, 0) for value in own])}


def _conventions(profile: Profile) -> Iterator[dict[str, Any]]:
    """What each convention counts of each layer, with the layers in it."""
    trace = profile.trace
    costs = [layer.own.cost for layer in profile.layers]
    for name in conventions.applicable(trace) if trace.was_run else ():
        convention = conventions.named(name)
        if not trace.phases or isinstance(convention, Price):
            total = summed(trace.modules, list(convention.amounts(trace, costs)))
            yield {"name": name, "says": convention.says, "total": wholes(total)}


def _roofline(profile: Profile) -> dict[str, Any] | None:
    """The layers without layers in them that compute and take time, under the device's roof."""
    if profile.times is None:
        return None
    report = TimeReport(profile)
    over = roof(report)
    if over is None or not report.has_layers:
        return None
    points = layer_points(report, timed_layers(report))
    return {
        "word": report.times.word,
        "device": shown(report.times.title),
        "peaks": list(over.peaks.items()),
        "bytes_per_second": over.bytes_per_second,
        "points": [[p.layer.index, p.intensity, p.flops_per_second, p.seconds] for p in points],
    }
