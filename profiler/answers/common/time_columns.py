"""How is the time of a run shown? The columns, facts, notes and keys that tables of layers and of models share.

Measured, predicted and lower bound are three things: the word stands in the heading of every column of times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from profiler import errors
from profiler.figures.profile import Profile
from profiler.records.times import LOWER_BOUND, MEASURED, PREDICTED, Duration, Timer, Times
from profiler.render import numbers
from profiler.render.tables import Better, Caution, Column, Explanation, Unit

TIME, LOW, HIGH, THROUGHPUT, BOUND = "time", "time_low", "time_high", "throughput", "bound"
_SHOWN_AS = {TIME: "{}", LOW: "{}, low", HIGH: "{}, high"}  # headings, with the word in them
_SAYS = {
    MEASURED: "the model was run on the device, and this is the median; low and high are its confidence interval",
    PREDICTED: "from measurements of other operators on the device; low and high are the interval of the prediction",
    LOWER_BOUND: (
        "no kernel is faster than the device's data sheet lets it be. Chains of elementwise operators are fused; "
        "high is the bound where every operator reads and writes memory"
    ),
}


def time_columns(times: Callable[[Any, Any], Times | None], row: Callable[[Any], int], rank: int = 0) -> list[Column]:
    """Columns of what a row's subject takes. `row` is which of the modules it is; 0 is the model."""

    def of(get: Callable[[Duration], float]) -> Callable[[Any, Any], float | None]:
        return lambda subject, whole: (
            None if (known := times(subject, whole)) is None else get(known.total[row(subject)])
        )

    def bound(subject: Any, whole: Any) -> str | None:
        known = times(subject, whole)
        return None if known is None else known.bounds[row(subject)] or ""

    least: Better = "min"
    return [
        Column(TIME, "Time", Unit.SECONDS, of(lambda duration: duration.seconds), rank, better=least),
        Column(LOW, "Time, low", Unit.SECONDS, of(lambda duration: duration.low), 4, better=least),
        Column(HIGH, "Time, high", Unit.SECONDS, of(lambda duration: duration.high), 4, better=least),
        Column(BOUND, "Bound by", Unit.TEXT, bound, 3, 12),
    ]


def throughput_column(times: Callable[[Any, Any], Times | None]) -> Column:
    """Samples a second of a whole model."""

    def get(subject: Any, whole: Any) -> float | None:
        known = times(subject, whole)
        return None if known is None else known.throughput

    return Column(THROUGHPUT, "Samples/s", Unit.RATE, get, 2, better="max")


def check_device(names: Iterable[str], of_time: Collection[str], timer: Timer | None, option: str = "columns") -> None:
    """Raise where an option names one of the columns of times, and no device is named."""
    for name in names if timer is None else ():
        if name in of_time:
            raise errors.only_with(f"--{option} {name}", "--device")


def worded(columns: Sequence[Column], profiles: Iterable[Profile]) -> tuple[Column, ...]:
    """The columns with the word of the times in their headings: "Lower bound"."""
    word = next((profile.times.word for profile in profiles if profile.times is not None), None)
    if word is None:
        return tuple(columns)
    return tuple(
        replace(column, heading=_SHOWN_AS[column.name].format(word.capitalize()), kind=word)
        if column.name in _SHOWN_AS
        else column
        for column in columns
    )


# Facts and notes ------------------------------------------------------------------------------------------------------


def time_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    """The whole with its word, by the phases of a training step, and samples a second."""
    times = profile.times
    if times is None:
        return
    yield "Time", times.whole.seconds, Unit.SECONDS, in_words(times)
    for phase, duration in times.phases.items():
        yield f"of it {phase}", duration.seconds, Unit.SECONDS, ""
    if times.throughput is not None:
        yield "Throughput", times.throughput, Unit.RATE, f"samples a second, of {times.samples:,} at once"


def in_words(times: Times) -> str:
    """Of the whole: "lower bound on NVIDIA A100, most of it bound by memory; 5.570 ms with no operators fused"."""
    preposition = "for" if times.word == PREDICTED else "on"
    most = f", most of it bound by {times.bounds[0]}" if times.bounds[0] else ""
    return f"{times.word} {preposition} {times.title}{most}{_interval(times)}"


def _interval(times: Times) -> str:
    low, high = numbers.duration(times.whole.low), numbers.duration(times.whole.high)
    if low == high:
        return ""
    return f"; {high} with no operators fused" if times.word == LOWER_BOUND else f"; between {low} and {high}"


def time_notes(profiles: Mapping[str, Profile], is_told: bool = False) -> Iterator[str]:
    """By what stands before what is said of each. Calls without a formula are a caution: their time is missing.

    is_told: whether `time_facts` say already what kind of time it is, and where.
    """
    known = {prefix: times for prefix, profile in profiles.items() if (times := profile.times) is not None}
    for prefix, times in known.items():
        if times.unknown_calls:
            yield Caution(f"{prefix}the time lacks {times.unknown_calls:,} calls, which have no formula")
    if not is_told:
        yield from dict.fromkeys(f"Time: {times.word} on {times.title}." for times in known.values())
    yield from dict.fromkeys(note for times in known.values() for note in times.notes)
    for word in dict.fromkeys(times.word for times in known.values()):
        yield Explanation(f"{word.capitalize()}: {_SAYS[word]}.")


# Data -----------------------------------------------------------------------------------------------------------------


def time_data(profile: Profile) -> dict[str, Any]:
    """The key "time" of a profile's JSON: there is none where no device is named, and null where nothing ran."""
    if profile.timer is None:
        return {}
    times = profile.times
    return {"time": None if times is None else _whole(times)}


def _whole(times: Times) -> dict[str, Any]:
    return {
        "word": times.word,
        "device": times.device,
        "title": times.title,
        **seconds(times.whole),
        "bound": times.bounds[0],
        "samples": times.samples,
        "samples_per_second": times.throughput,
        "phases": {phase: seconds(duration) for phase, duration in times.phases.items()},
        "unknown_calls": times.unknown_calls,
        "notes": list(times.notes),
    }


def layer_time_data(times: Times | None, row: int) -> dict[str, Any]:
    """The key "time" of a layer."""
    if times is None:
        return {}
    own = times.own[row].seconds
    return {"time": {**seconds(times.total[row]), "own_seconds": own, "bound": times.bounds[row]}}


def seconds(duration: Duration) -> dict[str, float]:
    return {"seconds": duration.seconds, "low_seconds": duration.low, "high_seconds": duration.high}
