"""How long is each module at work? Marks of the clock at the beginning and the end of every call of one.

`nn.Module.__call__` is another function for the time of a run, as torch.fx has it for that of a trace: nothing is
written on the user's modules, and modules that look for hooks before they take a faster way find none. A mark takes
time itself, which is measured on modules that do nothing, and taken off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from threading import get_ident
from typing import Any, NamedTuple

from torch import nn

from profiler.devices.measuring.clock import Clock

_EMPTY_CALLS = 200
_REPEATS = 9


class Spent(NamedTuple):
    """By row of a model's modules: seconds of its own, without those of the modules in it; and how often called."""

    own: list[float]
    total: list[float]
    calls: list[int]


class Overhead(NamedTuple):
    """Seconds that marking one call takes: of them `inside` are between its marks, `outside` are its caller's."""

    inside: float = 0.0
    outside: float = 0.0


FREE = Overhead()


class Marks:
    """The marks of one run. `None` in the place of a row ends the innermost call."""

    def __init__(self, rows: Mapping[int, int], clock: Clock) -> None:
        self._rows = rows  # by id(module)
        self._clock = clock
        self.events: list[tuple[int | None, Any]] = []

    @contextmanager
    def marking(self) -> Iterator[None]:
        """Mark every call of a module in this thread."""
        call, rows, mark = nn.Module.__call__, self._rows, self._clock.mark
        append, thread = self.events.append, get_ident()

        def marked(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            row = rows.get(id(module))
            if row is None or get_ident() != thread:
                return call(module, *args, **kwargs)
            append((row, mark()))
            try:
                return call(module, *args, **kwargs)
            finally:
                append((None, mark()))

        nn.Module.__call__ = marked  # type: ignore[method-assign]
        try:
            yield
        finally:
            nn.Module.__call__ = call  # type: ignore[method-assign]

    def spent(self, modules: int, overhead: Overhead = FREE) -> Spent:
        """What the marks say, without what marking takes. The clock was synchronized."""
        spent = Spent([0.0] * modules, [0.0] * modules, [0] * modules)
        stack: list[_Open] = []
        for row, mark in self.events:
            if row is not None:
                stack.append(_Open(row, mark))
                continue
            call = stack.pop()
            whole = self._clock.between(call.begin, mark) - overhead.inside - call.marking
            spent.own[call.row] += whole - call.inner
            spent.total[call.row] += whole
            spent.calls[call.row] += 1
            if stack:
                stack[-1].inner += whole
                stack[-1].marking += call.marking + overhead.inside + overhead.outside
        return spent


class _Open:
    """A call that has begun: seconds of the modules in it, and of marking them."""

    __slots__ = ("begin", "inner", "marking", "row")

    def __init__(self, row: int, begin: Any) -> None:
        self.row = row
        self.begin = begin
        self.inner = 0.0
        self.marking = 0.0


class _Empty(nn.Module):
    def forward(self) -> None:
        """Nothing."""


def overhead(clock: Clock) -> Overhead:
    """What marking a call takes on this clock, from modules that do nothing."""
    modules: Sequence[nn.Module] = [_Empty() for _ in range(_EMPTY_CALLS)]
    rows = {id(module): row for row, module in enumerate(modules)}
    plain, marked, seen = [], [], []
    for _ in range(_REPEATS):
        plain.append(_calling(modules, clock))
        marks = Marks(rows, clock)
        with marks.marking():
            marked.append(_calling(modules, clock))
        seen.append(sum(marks.spent(len(modules)).total))
    bare, whole, between = (median(times) / _EMPTY_CALLS for times in (plain, marked, seen))
    inside = max(0.0, between - bare)
    return Overhead(inside, max(0.0, whole - bare - inside))


def _calling(modules: Sequence[nn.Module], clock: Clock) -> float:
    """Seconds of a call of each."""
    clock.synchronize()
    begin = clock.mark()
    for module in modules:
        module()
    end = clock.mark()
    clock.synchronize()
    return clock.between(begin, end)
