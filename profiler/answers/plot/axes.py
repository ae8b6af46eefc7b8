"""What stands along an axis? The words of a column in full, and what its values are not what they are without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profiler.counters.conventions import DEFAULT
from profiler.figures.profile import Profile
from profiler.records.times import PREDICTED
from profiler.render.charts.data import Axis
from profiler.render.tables import Column, Unit

# Where a table has room for a shorter heading, or for none.
_WORDS = {
    "params": "Parameters", "active": "Active parameters", "trainable": "Trainable parameters",
    "frozen": "Frozen parameters", "stored": "Stored parameters", "buffers": "Buffers", "size": "Size of parameters",
    "activations": "Activations", "peak": "Peak activations", "memory": "Peak memory", "time": "Time",
    "time_low": "Time, low", "time_high": "Time, high", "rel_time": "Relative time",
}  # fmt: skip
_OF_TIME = ("time", "time_low", "time_high", "rel_time", "throughput")
_OF_FLOPS = ("flops", "rel_flops")


def axis(column: Column, profiles: Sequence[Profile], is_log: bool = False) -> Axis:
    heading = _WORDS.get(column.name) or column.heading or column.name
    unit = Unit.AMOUNT if column.unit in (Unit.COUNT, Unit.EXACT) else column.unit
    return Axis(column.name, heading, unit, word(column.name, profiles), remark(column.name, profiles), is_log)


def word(name: str, profiles: Iterable[Profile]) -> str:
    """Measured, predicted or lower bound, of a time."""
    if name not in _OF_TIME:
        return ""
    return next((profile.times.word for profile in profiles if profile.times is not None), "")


def remark(name: str, profiles: Iterable[Profile]) -> str:
    """The convention of FLOPs that is not the usual one; the word of a time, with its device."""
    profiles = list(profiles)
    if name in _OF_FLOPS:
        return ", ".join(dict.fromkeys(p.convention.name for p in profiles if p.convention.name != DEFAULT))
    if name in _OF_TIME:
        return "; ".join(dict.fromkeys(device_words(profile) for profile in profiles if profile.times is not None))
    return ""


def device_words(profile: Profile) -> str:
    """`lower bound on NVIDIA A100`."""
    times = profile.times
    assert times is not None
    return f"{times.word} {'for' if times.word == PREDICTED else 'on'} {times.title}"
