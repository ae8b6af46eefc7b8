"""What do figures come to over many values of what varies? A few values are run; the rest follows, or is run as well.

A figure follows where one polynomial goes exactly through all that was run, with at least one run to spare that it did
not need (`records.polynomial`). Where there are too few runs for that, more are made: `probes`. Where none goes through
them, nothing is derived: a table says so, and a sum is cut in two, down to where every value is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from profiler import errors
from profiler.answers.common.varying import BATCH, SEQ, SIZE, Varying
from profiler.figures.profile import Profile
from profiler.records.polynomial import HIGHEST, Polynomial, through
from profiler.render.answer import Answer

R = TypeVar("R")  # what a run gives: a profile, or the phases of a language model
K = TypeVar("K")
Figure: TypeAlias = Callable[[R], int]

_FEW = 8  # values, from which on not each one is run for a sum


class Runs(Generic[R]):
    """What runs give at each value, each made once. `tell` hears of each value before it is run."""

    def __init__(self, run: Callable[[int], R], tell: Callable[[int], None] = lambda value: None) -> None:
        self.results: dict[int, R] = {}
        self._run, self._tell = run, tell

    def __call__(self, value: int) -> R:
        if value not in self.results:
            self._tell(value)
            self.results[value] = self._run(value)
        return self.results[value]


# A row a value --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point(Generic[R]):
    """One value, and what its run gave, or why there is nothing."""

    value: Any
    result: R | None
    failure: errors.ProfileError | None = None


def point_at(varying: Varying[R], value: Any) -> Point[R]:
    """One that cannot be run keeps its place."""
    try:
        return Point(value, varying.at(value))
    except errors.ProfileError as error:
        return Point(value, None, error)


@dataclass(frozen=True)
class Series(Answer, Generic[R]):
    """A model at several values of what varies.

    ENOUGH: how many points it takes to find and confirm a polynomial.
    varying: the model, and what varies.
    points: each value that was asked for, with the result of its run, or the reason that there is none.
    probes: results at values beside, which polynomials were confirmed at.
    columns, caption, anchor: what is shown.
    """

    ENOUGH: ClassVar[int] = HIGHEST + 3  # points: one more than confirms a polynomial of the highest degree

    varying: Varying[R]
    points: tuple[Point[R], ...]
    probes: Mapping[int, R]
    columns: tuple[str, ...] = ()
    caption: str = ""
    anchor: str = ""

    @classmethod
    def of(cls, varying: Varying[R], points: Sequence[Point[R]], **shown: Any) -> Self:
        """With the probes that it takes; where no value could be run, that is an error and no table.

        varying, points, shown: as the fields have them.
        """
        first = points[0].failure
        if first is not None and all(point.failure is not None for point in points):
            raise _nothing_works(varying.label, varying.name, first) from first
        return cls(varying, tuple(points), probes(varying, points, cls.ENOUGH), **shown)

    @property
    def results(self) -> list[R]:
        """Of the values that could be run."""
        return [point.result for point in self.points if point.result is not None]

    @property
    def failures(self) -> list[errors.ProfileError]:
        """Of the values that could not be run."""
        return [point.failure for point in self.points if point.failure is not None]

    @property
    def by_value(self) -> dict[int, R]:
        """The same by their values, where all that were asked for are whole numbers."""
        if not all(type(point.value) is int for point in self.points):
            return {}
        return {point.value: point.result for point in self.points if point.result is not None}

    @cached_property
    def confirmable(self) -> dict[int, R]:
        """What polynomials are held against: nothing where there is one value alone."""
        return {**self.by_value, **self.probes} if len(self.by_value) > 1 else {}

    @property
    def first(self) -> R:
        """The first result."""
        return self.results[0]

    @property
    def profiles(self) -> list[Profile]:
        """Of the runs."""
        raise NotImplementedError


def probes(varying: Varying[R], points: Sequence[Point[R]], enough: int) -> dict[int, R]:
    """Runs at more values, so that there are enough to find a polynomial and to confirm it.

    They keep the step of the values that were asked for: what is true of image sizes of 160, 224 and 320 is true of
    multiples of 32, and not of 161. Values that the model refuses are left out.
    """
    values = [point.value for point in points if point.result is not None]
    more: dict[int, R] = {}
    if len(values) < 2 or any(type(point.value) is not int for point in points):
        return more
    for value in _between_and_beyond(values, attempts=3 * Series.ENOUGH):  # since some may be refused
        if len(values) + len(more) >= enough:
            break
        if (result := point_at(varying, value).result) is not None:
            more[value] = result
    return more


def _between_and_beyond(values: Sequence[int], attempts: int) -> Iterator[int]:
    """In steps from the least value on."""
    least, step = min(values), gcd(*(value - min(values) for value in values))
    for steps in range(attempts):
        if least + steps * step not in values:
            yield least + steps * step


def polynomials(results: Mapping[int, R], figures: Mapping[K, Figure[R]]) -> dict[K, Polynomial | None]:
    """Each figure that varies as a polynomial of the value; None where none goes through all points."""
    amounts = {name: {value: figure(result) for value, result in results.items()} for name, figure in figures.items()}
    return {name: through(by_value) for name, by_value in amounts.items() if len(set(by_value.values())) > 1}


# A sum over values ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stretch(Generic[R]):
    """The values `first` to `last`: those that were run, and polynomials for all; None where each one was run."""

    first: int
    last: int
    results: Mapping[int, R]
    polynomials: Mapping[str, Polynomial] | None

    def total(self, name: str, figure: Figure[R]) -> int:
        if self.polynomials is None:
            return sum(map(figure, self.results.values()))
        return int(sum(map(self.polynomials[name], range(self.first, self.last + 1))))


def stretches(run: Callable[[int], R], first: int, last: int, figures: Mapping[str, Figure[R]]) -> list[Stretch[R]]:
    """Where the figures are no polynomials of the value, the stretch is cut in two, down to a few values."""
    if last - first < _FEW:
        return [Stretch(first, last, {value: run(value) for value in range(first, last + 1)}, None)]
    some = {value: run(value) for value in _some(first, last)}
    curves = {name: through({value: figure(r) for value, r in some.items()}) for name, figure in figures.items()}
    confirmed = {name: curve for name, curve in curves.items() if curve is not None}
    if len(confirmed) == len(figures):
        return [Stretch(first, last, some, confirmed)]
    figure = next(iter(figures.values()))
    cut = _bend({value: figure(result) for value, result in some.items()}, first, last)
    return [*stretches(run, first, cut, figures), *stretches(run, cut + 1, last, figures)]


def _some(first: int, last: int) -> tuple[int, ...]:
    """Both ends with their neighbours, and two between at no regular distance."""
    span = last - first
    return tuple(sorted({first, first + 1, first + span * 3 // 7, first + span * 5 // 8, last - 1, last}))


def _bend(amounts: Mapping[int, int], first: int, last: int) -> int:
    """Where the lines through both ends meet, as they do where a window has been filled; else the middle."""
    left, right = amounts[first + 1] - amounts[first], amounts[last] - amounts[last - 1]
    if left != right:
        cut = (amounts[last] - right * last - amounts[first] + left * first) // (left - right)
        if first < cut < last:
            return cut
    return (first + last) // 2


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_works(model: str, name: str, first: Exception) -> errors.ProfileError:
    return errors.ProfileError(f"scan {name}: no value works for {model}; the first: {first}{_besides(name, first)}")


def _besides(name: str, first: Exception) -> str:
    """What can vary besides the arguments of a builder, for a name that it takes no argument of."""
    is_refused = isinstance(first, errors.BuilderFailed) and isinstance(first.__cause__, TypeError)
    if not is_refused or name in (BATCH, SIZE, SEQ):
        return ""
    near = errors.nearest(name, (BATCH, SIZE, SEQ), most=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; {BATCH}, {SIZE} and {SEQ} vary as well, and a dimension that --input names, like 1x{{{name}}}"
