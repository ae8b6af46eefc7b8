"""How is the time of a run shown? A row a layer, what the device does meanwhile, and which of three words it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler.answers.common.notes import as_shape, run_note, uncounted, versions_note
from profiler.answers.common.time_columns import seconds
from profiler.answers.layers.data import about
from profiler.answers.layers.table import LAYER_COLUMNS, viewed
from profiler.answers.time.compute import TimeReport
from profiler.answers.time.roof import roof_facts, roof_tables
from profiler.counters.conventions import DEFAULT
from profiler.devices.amounts import Amount
from profiler.figures.layers import Layer
from profiler.records.times import LOWER_BOUND, MEASURED, PREDICTED, Duration
from profiler.render.answer import Shown, show
from profiler.render.numbers import duration as written
from profiler.render.numbers import rate
from profiler.render.tables import Column, Explanation, Row, Table, Unit, chosen_columns

if TYPE_CHECKING:
    from profiler.devices.measuring.limits import Limits

_Get = Callable[[Layer, TimeReport], Any]


def _of_profile(name: str) -> _Get:
    column = LAYER_COLUMNS[name]
    return lambda layer, report: column.get(layer, report.profile)


def _own(get: Callable[[Duration], float]) -> _Get:
    return lambda layer, report: get(report.times.own[layer.index])


def _amount_columns(prefix: str, suffix: str, amounts: Callable[[TimeReport], Sequence[Amount]]) -> Iterator[Column]:
    """Of what moves where every operator reads memory and writes it, or where chains of them are fused."""
    yield Column(
        f"{prefix}moved", f"Moved{suffix}", Unit.BYTES, lambda layer, r: amounts(r)[layer.index].moved_bytes, 5
    )
    yield Column(
        f"{prefix}intensity", f"FLOP/byte{suffix}", Unit.RATIO, lambda layer, r: amounts(r)[layer.index].intensity, 5
    )


TIME_COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("layer", "Layer", Unit.TEXT, _of_profile("layer"), 0, 24),
        Column("path", "Path", Unit.TEXT, _of_profile("path"), 0, 40),
        Column("kind", "Kind", Unit.TEXT, _of_profile("kind"), 3, 26),
        Column("output", "Output", Unit.SHAPE, lambda layer, _: as_shape(layer.output), 5, 18),
        Column("time", "Time", Unit.SECONDS, lambda layer, report: report.seconds(layer)),
        Column("low", "From", Unit.SECONDS, lambda layer, report: report.duration(layer).low, 1),
        Column("high", "To", Unit.SECONDS, lambda layer, report: report.duration(layer).high, 1),
        Column("own", "Own", Unit.SECONDS, _own(lambda duration: duration.seconds), 4),
        Column("share", "Time %", Unit.SHARE, lambda layer, report: report.share(layer), 1, is_drawn=True),
        Column("bound", "Bound by", Unit.TEXT, lambda layer, report: report.times.bounds[layer.index] or "", 2),
        Column("achieved", "Limit %", Unit.SHARE, lambda layer, report: report.achieved(layer), 2),
        Column("flops", "FLOPs", Unit.AMOUNT, lambda layer, report: report.flops(layer), 5),
        *_amount_columns("", "", lambda report: report.amounts),
        *_amount_columns("fused_", ", fused", lambda report: report.fused_amounts),
    )
}
_FLAT = TIME_COLUMNS | {
    "layer": Column("layer", "Layer", Unit.TEXT, lambda layer, r: layer.path or r.profile.model, 0, 40)
}
_MEASURED = ("layer", "kind", "output", "time", "low", "high", "share", "bound", "achieved")
_PREDICTED = ("layer", "kind", "output", "time", "low", "high", "share", "bound")
_BOUNDED = ("layer", "kind", "output", "time", "high", "share", "bound")  # whose time is the lower end itself
_USUAL = {MEASURED: _MEASURED, PREDICTED: _PREDICTED, LOWER_BOUND: _BOUNDED}
_RAW = ("path", "class", "time", "low", "high", "own", "share", "bound", "achieved", "flops", "moved", "fused_moved")
_WORDS = {MEASURED: "Measured time", LOWER_BOUND: "Lower bound of the time"}


def layer_times(report: TimeReport) -> Table:
    """One row a layer, in the model's own order unless the view sorts it."""
    view = report.view
    usual = _USUAL[report.times.word]
    columns = of_kind(chosen_columns(view.columns or usual, _FLAT if view.is_flat else TIME_COLUMNS), report)
    rows = tuple(
        Row(tuple(column.get(layer, report) for column in columns), 0 if view.is_flat else layer.depth)
        for layer in _shown(report)
    )
    caption = captioned(view.caption, report)
    facts, notes, is_chosen = tuple(_facts(report)), tuple(_notes(report)), bool(view.columns)
    return Table(columns, rows, facts, notes, caption, view.anchor, is_chosen, is_foldable=view.is_whole)


def of_kind(columns: Iterable[Column], report: TimeReport) -> tuple[Column, ...]:
    """Times are exported with the word that says what they are."""
    return tuple(replace(c, kind=report.times.word) if c.unit is Unit.SECONDS else c for c in columns)


def heading(report: TimeReport) -> str:
    """Which of the three words it is, of which model, and where."""
    words = _WORDS.get(report.times.word, f"{report.times.word.capitalize()} time")
    what = "a training step of " * bool(report.profile.trace.phases)
    return f"{words} of {what}{report.profile.model} on {report.times.title}"


def captioned(caption: str, report: TimeReport) -> str:
    """What the user has above the table, with the word of its times, whatever else is left out."""
    if not caption:
        return heading(report)
    times = report.times
    return caption if times.word in caption.lower() else f"{caption} ({times.word} on {times.title})"


def raw_layer_times(report: TimeReport) -> Table:
    """Every layer by its path; seconds and bytes."""
    names = report.view.columns or tuple(name for name in _RAW if name in TIME_COLUMNS)
    named = replace(report, view=replace(report.view, columns=["path" if name == "layer" else name for name in names]))
    return replace(layer_times(named), caption="")


def _shown(report: TimeReport) -> Sequence[Layer]:
    """The layers that the view shows; the model alone where nothing is known of its layers."""
    layers = report.profile.layers if report.has_layers else report.profile.layers[:1]
    return viewed(layers, report.view, report, _FLAT, "time", report.profile.model)


def _facts(report: TimeReport) -> Iterator[tuple[str, Any, Unit, str]]:
    times, whole = report.times, report.times.whole
    words, measurement = _interval(report), report.measurement
    yield "Time", whole.seconds, Unit.SECONDS, f"{times.word}, {words}"
    for phase, duration in times.phases.items():
        yield phase.capitalize(), duration.seconds, Unit.SECONDS, times.word
    if times.throughput is not None:
        yield "Samples/s", times.throughput, Unit.RATE, f"batch {times.samples}"
    amount = report.timed_amounts[0]
    if whole.seconds:
        product, copy = ("", "") if measurement is None else _reached(measurement.limits)
        yield "FLOP/s", amount.flops / whole.seconds, Unit.RATE, product
        yield f"Bytes/s{', fused' * report.is_of_fused}", amount.moved_bytes / whole.seconds, Unit.RATE, copy
    yield from roof_facts(report)


def _reached(limits: Limits) -> tuple[str, str]:
    """What this machine reached in a matrix product, and in a copy."""
    flops, moved = limits.flops_per_second, limits.bytes_per_second
    return (
        "" if flops is None else f"a large product in {limits.dtype} reaches {rate(flops)}",
        "" if moved is None else f"a large copy reaches {rate(moved)}",
    )


def _interval(report: TimeReport) -> str:
    whole, measurement = report.times.whole, report.measurement
    between = f"{written(whole.low)} to {written(whole.high)}"
    if measurement is not None:
        first, third = map(written, measurement.quartiles)
        if not measurement.has_interval:
            return f"the median of {measurement.runs:,} runs, too few for an interval; they were around {between}"
        return f"the median of {measurement.runs:,} runs; 95 % interval {between}, quartiles {first} and {third}"
    return f"fused or not: {between}" if report.times.word == LOWER_BOUND else f"interval {between}"


def _notes(report: TimeReport) -> Iterator[str]:
    yield from uncounted(report.profile)
    yield from report.times.notes
    yield from report.times.layer_notes
    if not report.has_layers:
        yield "A compiled model is measured as a whole: it has no layers any more."
    yield f"On {report.times.title}."
    if report.measurement is not None:
        yield Explanation(
            "Limit %: the least time that a layer's FLOPs and bytes take on this machine, as a share of its own; more "
            "than 100 where its data stay in the caches. Overhead: less than 1 % of what arithmetic and memory allow. "
            "?: the interval is wider than the time itself."
        )
    yield run_note(report.profile.trace)
    yield from report.profile.trace.notes
    yield versions_note(report.profile.trace.versions.items())


# For programs ---------------------------------------------------------------------------------------------------------


def time_data(report: TimeReport) -> dict[str, Any]:
    """The time of the whole and of each layer, in seconds; rates are a second."""
    times, whole, amount, fused = report.times, report.times.whole, report.amounts[0], report.fused_amounts[0]
    return {
        **about(report.profile),
        "convention": DEFAULT,  # that of the FLOPs here
        "word": times.word,
        "device": times.device,
        "title": times.title,
        "time": seconds(whole),
        "phases": {phase: seconds(duration) for phase, duration in times.phases.items()},
        "samples": times.samples,
        "samples_per_second": times.throughput,
        "flops": report.flops(report.profile.layers[0]),
        "moved_bytes": amount.moved_bytes,
        "fused_moved_bytes": fused.moved_bytes,
        "flops_per_second": amount.flops / whole.seconds if whole.seconds else None,
        **dict.fromkeys(("bytes_per_second", "fused_bytes_per_second")),
        bytes_per_second(report): report.timed_amounts[0].moved_bytes / whole.seconds if whole.seconds else None,
        "measurement": _measurement(report),
        "unknown_calls": times.unknown_calls,
        "layers": [_layer(report, layer) for layer in report.profile.layers] if report.has_layers else None,
        "notes": [*times.notes, *times.layer_notes, *report.profile.trace.notes],
    }


def _measurement(report: TimeReport) -> dict[str, Any] | None:
    measurement = report.measurement
    if measurement is None:
        return None
    low, high = measurement.quartiles
    limits = measurement.limits
    return {
        "runs": measurement.runs,
        "quartile_seconds": [low, high],
        "limit_dtype": limits.dtype,
        "limit_flops_per_second": limits.flops_per_second,
        "limit_bytes_per_second": limits.bytes_per_second,
    }


def bytes_per_second(report: TimeReport) -> str:
    """What a second's bytes are called: those of the operators that the time is of."""
    return "fused_bytes_per_second" if report.is_of_fused else "bytes_per_second"


def _layer(report: TimeReport, layer: Layer) -> dict[str, Any]:
    return {
        "path": layer.path,
        "kind": layer.kind,
        "depth": layer.depth,
        **seconds(report.duration(layer)),
        "is_known": report.seconds(layer) is not None,
        "own": seconds(report.times.own[layer.index]),
        "share": report.share(layer),
        "bound": report.times.bounds[layer.index],
        "achieved": report.achieved(layer),
        "flops": report.flops(layer),
        "moved_bytes": report.amounts[layer.index].moved_bytes,
        "fused_moved_bytes": report.fused_amounts[layer.index].moved_bytes,
    }


show(
    TimeReport,
    Shown(
        lambda report: [layer_times(report), *roof_tables(report)],
        raw_layer_times,
        time_data,
        lambda report: [layer_times(report)],
        about=lambda report: about(report.profile),
    ),
)
