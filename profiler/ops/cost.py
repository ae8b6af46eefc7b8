"""What is the cost of one operator call? A vector, never one number.

`product("N Cout Hout Wout Cin/g kh kw", ...)` is an ordinary int that remembers its factors, so that the formula that
counts is also the formula that `profile-model explain` prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import prod
from operator import attrgetter
from typing import Any, TypeAlias, overload

Factors: TypeAlias = tuple[tuple[str, int], ...]


class Count(int):
    """An int that is a sum of products and knows it: `terms` holds the named factors of each product."""

    terms: tuple[Factors, ...]

    def __new__(cls, terms: tuple[Factors, ...]) -> Count:
        self = super().__new__(cls, sum(prod(value for _, value in term) for term in terms))
        self.terms = terms
        return self

    @overload
    def __add__(self, other: Count) -> Count: ...
    @overload
    def __add__(self, other: int) -> int: ...
    def __add__(self, other: int) -> int:
        if isinstance(other, Count):
            return Count(self.terms + other.terms)
        return self if other == 0 else int(self) + other

    __radd__ = __add__

    def __reduce__(self) -> tuple[type[Count], tuple[tuple[Factors, ...]]]:
        return Count, (self.terms,)  # else copy and pickle rebuild it from its value, as they do an int


def product(names: str, *factors: int) -> Count:
    """A whole number that remembers its factors, for `explain` to print.

    names: of the factors, one by one, separated by blanks: "N Cout Hout Wout".
    factors: their values.
    """
    return Count((tuple(zip(names.split(), factors, strict=True)),))


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a call.

    macs: multiply-accumulates inside a convolution, matrix product or attention.
    adds, muls, divs: single floating-point operations outside of those (a subtraction is an add).
    specials: evaluations of exp, erf, tanh, rsqrt, ... Each is one, however many instructions it takes.
    comparisons: ReLU, max pooling, sorting: recorded on their own, not FLOPs.
    bytes_read, bytes_written: traffic of the call's tensors. None stands for "every input once, every output once".
    """

    macs: int = 0
    adds: int = 0
    muls: int = 0
    divs: int = 0
    specials: int = 0
    comparisons: int = 0
    bytes_read: int | None = None
    bytes_written: int | None = None

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(_plus, _values(self), _values(other)))

    def __mul__(self, times: int) -> Cost:
        scaled: list[Any] = [None if value is None else int(value) * times for value in _values(self)]
        return Cost(*scaled)


_values = attrgetter(*[f.name for f in fields(Cost)])


def weighted_sum(costs: Iterable[tuple[Cost, int]]) -> Cost:
    """The cost of so many calls of each kind; every cost has its traffic filled in."""
    totals = [0] * len(fields(Cost))
    for cost, times in costs:
        for i, value in enumerate(_values(cost)):
            if value:
                totals[i] += value * times
    return Cost(*totals)


def _plus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a + b


NOTHING = Cost()  # no arithmetic, though the tensors are read and written
NO_TRAFFIC = Cost(bytes_read=0, bytes_written=0)  # nothing at all: the output is the input, or a view of it
