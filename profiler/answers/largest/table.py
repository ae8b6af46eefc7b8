"""How is the largest batch that fits shown? With the next, which does not; and raw, for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from profiler.answers.common.notes import run_note, uncounted, versions_note
from profiler.answers.common.time_columns import THROUGHPUT, TIME, time_data, time_notes, worded
from profiler.answers.largest.compute import Largest, Peak
from profiler.records.trace import known
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit


def _column(name: str, heading: str, unit: Unit, rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda row, _: row, rank)


def _columns(answer: Largest) -> tuple[Column, ...]:
    name = answer.varying.name
    training = answer.profile.training is not None
    optimizer = (_column("state", "Optimizer", Unit.BYTES, 2),) if training else ()
    allocated = "Gradients and activations" if training else "Activations"
    allocated = "Cache and activations" if "phase" in answer.profile.trace.asked else allocated
    return (
        _column(name, name, Unit.EXACT),
        _column("fits", "Fits", Unit.TEXT),
        _column("peak", "Peak", Unit.BYTES),
        _column("params", "Parameters" if answer.scheme is None else answer.scheme.name, Unit.BYTES, 1),
        _column("buffers", "Buffers", Unit.BYTES, 3),
        _column("inputs", "Inputs", Unit.BYTES, 2),
        *optimizer,
        _column("run", allocated, Unit.BYTES, 1),
        *((_column("left", "Left", Unit.BYTES),) if answer.limit_bytes is not None else ()),
        *((_TIME, _THROUGHPUT) if _is_timed(answer) else ()),
    )


_TIME, _THROUGHPUT = _column(TIME, "Time", Unit.SECONDS), _column(THROUGHPUT, "Samples/s", Unit.RATE, 2)


def _is_timed(answer: Largest) -> bool:
    return answer.profile.times is not None and answer.scheme is None


def _left(answer: Largest, at: Peak) -> int:
    return known(answer.limit_bytes) - at.peak_bytes


def _left_or_nothing(answer: Largest, at: Peak) -> int | str:
    left = _left(answer, at)
    return left if left >= 0 else ""


def _row(answer: Largest, at: Peak, left: Callable[[Largest, Peak], int | str]) -> Row:
    fits, training = answer.most.allows(at), answer.profile.training is not None
    before = (at.param_bytes, at.buffer_bytes, at.input_bytes, *((at.state_bytes,) if training else ()))
    after = (left(answer, at),) if answer.limit_bytes is not None else ()
    times = (at.seconds, at.samples_per_second) if _is_timed(answer) else ()
    return Row((at.value, "yes" if fits else "no", at.peak_bytes, *before, at.run_bytes, *after, *times))


def _rows(answer: Largest, left: Callable[[Largest, Peak], int | str]) -> tuple[Row, ...]:
    return tuple(_row(answer, at, left) for at in (answer.fitting, answer.next) if at is not None)


def largest_table(answer: Largest) -> Table:
    """The answer in words above it, and both sides of the limit in it."""
    columns = worded(_columns(answer), [answer.profile])
    return Table(columns, _rows(answer, _left_or_nothing), notes=tuple(_notes(answer)), caption=sentence(answer))


def sentence(answer: Largest) -> str:
    name, label = answer.varying.name, answer.varying.label
    if answer.fitting is None:
        return f"{label}: not even {name} {answer.tried[-1]:,} {answer.most.in_words}"
    if answer.next is None:
        return f"{label}: the peak does not grow with {name}; every {name} up to {answer.fitting.value:,} fits"
    return f"{label}: the largest {name} that {answer.most.in_words} is {answer.fitting.value:,}"


def _notes(answer: Largest) -> Iterator[str]:
    yield from uncounted(answer.profile)
    name = answer.varying.name
    if answer.fitting is not None and answer.next is not None:
        more = answer.next.peak_bytes - answer.fitting.peak_bytes
        tried = f"Both were run; {len(answer.tried)} were, in all."
        yield f"With {name} {answer.next.value:,} it is {more:,} bytes more. {tried}"
    yield Explanation(
        "Peak: parameters, buffers, inputs and what the run has alive at once; kernels' scratch memory, the allocator "
        "and the runtime come on top."
    )
    if answer.scheme is not None:
        yield (
            f"Weights as {answer.scheme.name}: {answer.scheme.says} ({answer.scheme.source}). What a kernel unpacks of "
            "them while it runs comes on top."
        )
    if _is_timed(answer):
        yield from time_notes({"": answer.profile})
    yield from answer.profile.trace.notes
    yield run_note(answer.profile.trace)
    yield versions_note(answer.profile.trace.versions.items())


# Raw ------------------------------------------------------------------------------------------------------------------


def raw_largest_table(answer: Largest) -> Table:
    """The same in bytes; what is left of the limit is negative for what does not fit."""
    return Table(_columns(answer), _rows(answer, _left), chosen=True)


def largest_data(answer: Largest) -> dict[str, Any]:
    """`value` is null where nothing fits, and where everything does."""
    failure = answer.failure()
    return {
        "model": answer.varying.label,
        "variable": answer.varying.name,
        "limit_bytes": answer.limit_bytes,
        "value": answer.value,
        "grows": answer.fitting is None or answer.next is not None,
        "left_bytes": answer.left_bytes,
        "fitting": _peak(answer.fitting),
        "next": _peak(answer.next),
        "tried": list(answer.tried),
        "inputs": [dataclasses.asdict(tensor) for tensor in answer.profile.trace.inputs],
        "asked": dict(answer.profile.trace.asked),
        "unknown_ops": answer.profile.unknown_ops,
        "versions": dict(answer.profile.trace.versions),
        **({} if answer.scheme is None else {"weights": answer.scheme.name}),
        **_time(answer),
        **({} if failure is None else {"error": str(failure)}),
    }


def _time(answer: Largest) -> dict[str, Any]:
    """Where a device is named: the time of the run that is shown, and its limit."""
    limit = answer.most.nanoseconds
    times = time_data(answer.profile) if _is_timed(answer) else {}
    return times | ({} if limit is None else {"limit_nanoseconds": limit})


def _peak(at: Peak | None) -> dict[str, Any] | None:
    if at is None:
        return None
    sizes = {name: value for name, value in dataclasses.asdict(at).items() if value is not None}
    return sizes | {"run_bytes": at.run_bytes}


show(Largest, Shown(lambda answer: [largest_table(answer)], raw_largest_table, largest_data))
