"""What does a model cost at each of several values? One run a value, and what the figures are as polynomials of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.common.varying import Varying
from profiler.figures.profile import Profile, known
from profiler.records.polynomial import HIGHEST, Polynomial, through
from profiler.records.trace import Tensor
from profiler.render.answer import Answer

if TYPE_CHECKING:
    pass

MOST = 1000  # values
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})(?::(\d{1,18}))?", re.ASCII)
_NAMED = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*=(?P<values>.*)", re.DOTALL)
_ENOUGH = HIGHEST + 3  # points: one more than confirms a polynomial of the highest degree
_ATTEMPTS = 3 * _ENOUGH  # since some values may be refused
_ATTENTION = "scaled_dot_product"

# What may be a polynomial of what varies: its name, its words, and how it is got.
FIGURES: Mapping[str, tuple[str, Callable[[Profile], int]]] = {
    "params": ("Parameters", lambda profile: profile.totals.params),
    "macs": ("MACs", lambda profile: known(profile.totals.macs)),
    "flops": ("FLOPs", lambda profile: known(profile.totals.flops)),
    "activation_bytes": ("Activations in bytes", lambda profile: known(profile.totals.activation_bytes)),
    "peak_memory_bytes": ("Peak memory in bytes", lambda profile: known(profile.totals.peak_memory_bytes)),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One value, and its profile, or why there is none."""

    value: Any
    profile: Profile | None
    failure: errors.ProfileError | None = None


@dataclass(frozen=True)
class Scan(Answer):
    """A model at several values of what varies; `probes` are values beside, that polynomials were confirmed at."""

    varying: Varying
    points: tuple[Point, ...]
    probes: Mapping[int, Profile]
    columns: tuple[str, ...] = ()
    caption: str = ""
    anchor: str = ""

    @property
    def profiles(self) -> list[Profile]:
        """Of the values that could be run."""
        return [point.profile for point in self.points if point.profile is not None]

    @property
    def failures(self) -> list[errors.ProfileError]:
        return [point.failure for point in self.points if point.failure is not None]

    @cached_property
    def polynomials(self) -> Mapping[str, Polynomial | None]:
        """Each figure that varies as a polynomial of what varies; None where none goes through all points."""
        return _polynomials(self._integers)

    @cached_property
    def in_tokens(self) -> Mapping[str, Polynomial | None]:
        """The same in the number of tokens, where all attention has as many and it varies by itself."""
        lengths = {value: tokens(profile) for value, profile in self._integers.items()}
        if None in lengths.values() or len(set(lengths.values())) < len(lengths) or self._are_the_values(lengths):
            return {}
        return _polynomials({lengths[value]: profile for value, profile in self._integers.items()})  # type: ignore[misc]

    @cached_property
    def tokens(self) -> Polynomial | None:
        """How many tokens there are, as a polynomial of what varies."""
        if not self.in_tokens:
            return None
        return through({value: length for value, p in self._integers.items() if (length := tokens(p)) is not None})

    @staticmethod
    def _are_the_values(lengths: Mapping[int, int | None]) -> bool:
        return all(value == length for value, length in lengths.items())

    @cached_property
    def _integers(self) -> Mapping[int, Profile]:
        """Whole values that could be run, with the probes; none where other values were asked for as well."""
        if not all(type(point.value) is int for point in self.points):
            return {}
        asked = {point.value: point.profile for point in self.points if point.profile is not None}
        return {**asked, **self.probes} if len(asked) > 1 else {}


def scanned(varying: Varying, values: Sequence[Any], columns: Sequence[str] = (), **shown: str) -> Scan:
    """Run them all. Where none can be run, that is an error and no table."""
    return of_points(varying, [at(varying, value) for value in values], columns, **shown)


def of_points(varying: Varying, points: Sequence[Point], columns: Sequence[str] = (), **shown: str) -> Scan:
    if all(point.failure is not None for point in points):
        first = points[0].failure
        assert first is not None
        raise errors.NothingScanned(varying.label, varying.name, first) from first
    return Scan(varying, tuple(points), probed(varying, points), tuple(columns), **shown)


def at(varying: Varying, value: Any) -> Point:
    try:
        return Point(value, varying.at(value))
    except errors.ProfileError as error:
        return Point(value, None, error)


def tokens(profile: Profile) -> int | None:
    """How many queries attention has, where there is some and it always has as many."""
    lengths = {
        signature.args[0].shape[-2]
        for signature in profile.trace.signatures
        if _ATTENTION in signature.op and isinstance(signature.args[0], Tensor)
    }
    return lengths.pop() if len(lengths) == 1 else None


def _polynomials(profiles: Mapping[int, Profile]) -> dict[str, Polynomial | None]:
    found: dict[str, Polynomial | None] = {}
    for name, (_, figure) in FIGURES.items():
        values = {value: figure(profile) for value, profile in profiles.items()}
        if len(set(values.values())) > 1:
            found[name] = through(values)
    return found


# More values ----------------------------------------------------------------------------------------------------------


def probed(varying: Varying, points: Sequence[Point]) -> dict[int, Profile]:
    """Runs at more values, so that there are enough to find a polynomial and to confirm it.

    They keep the step of the values that were asked for: what is true of image sizes of 160, 224 and 320 is true of
    multiples of 32, and not of 161. Values that the model refuses are left out.
    """
    values = [point.value for point in points if point.profile is not None]
    if len(values) < 2 or any(type(point.value) is not int for point in points):
        return {}
    found: dict[int, Profile] = {}
    for value in between_and_beyond(values):
        if len(values) + len(found) >= _ENOUGH:
            break
        one = at(varying, value)
        if one.profile is not None:
            found[value] = one.profile
    return found


def between_and_beyond(values: Sequence[int]) -> Iterator[int]:
    """In steps from the least value on."""
    least, step = min(values), gcd(*(value - min(values) for value in values))
    for steps in range(_ATTEMPTS):
        if least + steps * step not in values:
            yield least + steps * step


# What was asked for ---------------------------------------------------------------------------------------------------


def read(text: str) -> tuple[str, tuple[Any, ...]]:
    """`batch=1,8,32`, `size=160..320:32` or `norm='bn','ln'` as a name and values; raises `errors.ProfileError`."""
    match = _NAMED.fullmatch(text)
    if match is None:
        raise _bad_scan(text, "has no name")
    written = ",".join(_listed(part, text) for part in match["values"].split(","))
    try:
        values = ast.literal_eval(f"[{written}]")
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # a literal of any kind and depth
        raise _bad_scan(text, "values are numbers, ranges, or other Python literals") from None
    if not values:
        raise _bad_scan(text, "has no value")
    return match["name"], _unlike(text, values)


def _listed(part: str, text: str) -> str:
    """A range as the numbers that it stands for."""
    match = _RANGE.fullmatch(part.strip())
    if match is None:
        return part
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if first > last or not step:
        raise _bad_scan(text, f"{part.strip()} is empty")
    if (last - first) // step >= MOST:
        raise _bad_scan(text, f"{part.strip()} has more than {MOST:,} values")
    return ",".join(map(str, range(first, last + 1, step)))


def _unlike(text: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Each once; 1, 1.0 and True are three."""
    return tuple({repr(value): value for value in values}.values())


def checked(varying: Varying, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raises `errors.ProfileError` where a number of things is no number of things."""
    if not values:
        raise _bad_scan(f"{varying.name}=", "has no value")
    if varying.is_a_size:
        for value in values:
            if type(value) is not int or value < 1:
                raise _bad_scan(f"{varying.name}={value!r}", f"{varying.name} is a whole number from 1 up")
    return values


# What is said ---------------------------------------------------------------------------------------------------------


def _bad_scan(text: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"scan {text}: {why}; write it like batch=1,8,32, size=160..320:32 or width_mult=0.5,1.0"
    )
