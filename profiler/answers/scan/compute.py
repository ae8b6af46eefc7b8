"""What does a model cost at each of several values? A profile a value, and the figures as polynomials of the value."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from profiler import errors
from profiler.answers.common.series import Figure, Series, polynomials
from profiler.answers.common.varying import Varying
from profiler.figures.profile import Profile
from profiler.records.polynomial import Polynomial, through
from profiler.records.trace import Tensor, known

MOST = 1000  # values
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})(?::(\d{1,18}))?", re.ASCII)
_NAMED = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*=(?P<values>.*)", re.DOTALL)
_ATTENTION = "scaled_dot_product"

# What may be a polynomial of what varies, with its words.
FIGURES: Mapping[str, tuple[str, Figure[Profile]]] = {
    "params": ("Parameters", lambda profile: profile.totals.params),
    "macs": ("MACs", lambda profile: known(profile.totals.macs)),
    "flops": ("FLOPs", lambda profile: known(profile.totals.flops)),
    "activation_bytes": ("Activations in bytes", lambda profile: known(profile.totals.activation_bytes)),
    "peak_memory_bytes": ("Peak memory in bytes", lambda profile: known(profile.totals.peak_memory_bytes)),
}
_FIGURES = {name: figure for name, (_, figure) in FIGURES.items()}


@dataclass(frozen=True)
class Scan(Series[Profile]):
    """A model's profiles at several values of what varies."""

    @property
    def profiles(self) -> list[Profile]:
        """Of the values that could be run."""
        return self.results

    @cached_property
    def polynomials(self) -> Mapping[str, Polynomial | None]:
        """Each figure that varies as a polynomial of what varies; None where none goes through all points."""
        return polynomials(self.confirmable, _FIGURES)

    @cached_property
    def in_tokens(self) -> Mapping[str, Polynomial | None]:
        """The same in the number of tokens, where all attention has as many and it varies by itself."""
        lengths = self._lengths
        if len(set(lengths.values())) < len(self.confirmable) or all(value == n for value, n in lengths.items()):
            return {}
        return polynomials({lengths[value]: profile for value, profile in self.confirmable.items()}, _FIGURES)

    @cached_property
    def tokens(self) -> Polynomial | None:
        """How many tokens there are, as a polynomial of what varies."""
        return through(self._lengths) if self.in_tokens else None

    @property
    def _lengths(self) -> dict[int, int]:
        """Tokens by what varies, where they are known."""
        lengths = {value: tokens(profile) for value, profile in self.confirmable.items()}
        return {value: length for value, length in lengths.items() if length is not None}


def tokens(profile: Profile) -> int | None:
    """How many queries attention has, where there is some and it always has as many."""
    lengths = {
        signature.args[0].shape[-2]
        for signature in profile.trace.signatures
        if _ATTENTION in signature.op and isinstance(signature.args[0], Tensor)
    }
    return lengths.pop() if len(lengths) == 1 else None


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


def checked(varying: Varying[Any], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raises `errors.ProfileError` where a number of things is no number of things."""
    if not values:
        raise _bad_scan(f"{varying.name}=", "has no value")
    if varying.is_a_size:
        for value in values:
            if type(value) is not int or value < 1:
                raise _bad_scan(f"{varying.name}={value!r}", f"{varying.name} is a whole number from 1 up")
    return values


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_scan(text: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"scan {text}: {why}; write it like batch=1,8,32, size=160..320:32 or width_mult=0.5,1.0"
    )
