"""The largest batch that fits, and the next, as a table; and raw, for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from profiler.answers.common.notes import run_note, uncounted, versions_note
from profiler.answers.largest.compute import Largest, Peak
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit


def _column(name: str, heading: str, unit: Unit, rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda row, _: row, rank)


def _columns(found: Largest) -> tuple[Column, ...]:
    name = found.varying.name
    training = found.profile.training is not None
    kept = (_column("state", "Optimizer MB", Unit.BYTES, 2),) if training else ()
    return (
        _column(name, name, Unit.EXACT),
        _column("fits", "Fits", Unit.TEXT),
        _column("peak", "Peak MB", Unit.BYTES),
        _column("params", "Parameters MB", Unit.BYTES, 1),
        _column("buffers", "Buffers MB", Unit.BYTES, 3),
        _column("inputs", "Inputs MB", Unit.BYTES, 2),
        *kept,
        _column("run", "Gradients and activations MB" if training else "Activations MB", Unit.BYTES, 1),
        _column("left", "Left MB", Unit.BYTES),
    )


def _left(found: Largest, at: Peak) -> int:
    return found.limit_bytes - at.peak_bytes


def _left_or_nothing(found: Largest, at: Peak) -> int | str:
    return _left(found, at) if at.peak_bytes <= found.limit_bytes else ""


def _row(found: Largest, at: Peak, left: Callable[[Largest, Peak], int | str]) -> Row:
    fits, training = at.peak_bytes <= found.limit_bytes, found.profile.training is not None
    before = (at.param_bytes, at.buffer_bytes, at.input_bytes, *((at.state_bytes,) if training else ()))
    return Row((at.value, "yes" if fits else "no", at.peak_bytes, *before, at.run_bytes, left(found, at)))


def _rows(found: Largest, left: Callable[[Largest, Peak], int | str]) -> tuple[Row, ...]:
    return tuple(_row(found, at, left) for at in (found.fitting, found.next) if at is not None)


def largest_table(found: Largest) -> Table:
    """The answer in words above it, and both sides of the limit in it."""
    return Table(_columns(found), _rows(found, _left_or_nothing), notes=tuple(_notes(found)), caption=answer(found))


def answer(found: Largest) -> str:
    name, label = found.varying.name, found.varying.label
    if found.fitting is None:
        return f"{label}: not even {name} 1 fits {found.words}"
    if found.next is None:
        return f"{label}: the peak does not grow with {name}; every {name} up to {found.fitting.value:,} fits"
    return f"{label}: the largest {name} that fits {found.words} is {found.fitting.value:,}"


def _notes(found: Largest) -> Iterator[str]:
    yield from uncounted(found.profile)
    name, both = found.varying.name, found.fitting is not None and found.next is not None
    if both:
        assert found.fitting is not None
        assert found.next is not None
        more = found.next.peak_bytes - found.fitting.peak_bytes
        tried = f"Both were run; {len(found.tried)} were, in all."
        yield f"With {name} {found.next.value:,} it is {more:,} bytes more. {tried}"
    yield (
        "Peak: parameters, buffers, inputs and what the run has alive at once; kernels' scratch memory, the allocator "
        "and the runtime come on top. 1 MB = 1024·1024 bytes."
    )
    yield run_note(found.profile.trace)
    yield versions_note(found.profile.trace.versions.items())


# Raw ------------------------------------------------------------------------------------------------------------------


def raw_largest_table(found: Largest) -> Table:
    """The same in bytes; what is left of the limit is negative for what does not fit."""
    return Table(_columns(found), _rows(found, _left), chosen=True)


def largest_data(found: Largest) -> dict[str, Any]:
    """`value` is null where nothing fits, and where everything does."""
    failure = found.failure()
    return {
        "model": found.varying.label,
        "variable": found.varying.name,
        "limit_bytes": found.limit_bytes,
        "value": found.value,
        "grows": found.fitting is None or found.next is not None,
        "left_bytes": found.left_bytes,
        "fitting": _peak(found.fitting),
        "next": _peak(found.next),
        "tried": list(found.tried),
        "inputs": [dataclasses.asdict(given) for given in found.profile.trace.inputs],
        "asked": dict(found.profile.trace.asked),
        "unknown_ops": found.profile.unknown_ops,
        "versions": dict(found.profile.trace.versions),
    } | ({} if failure is None else {"error": str(failure)})


def _peak(at: Peak | None) -> dict[str, int] | None:
    return None if at is None else dataclasses.asdict(at) | {"run_bytes": at.run_bytes}


show(Largest, Shown(lambda found: [largest_table(found)], raw_largest_table, largest_data))
