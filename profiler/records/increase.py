"""Did it grow by more than is allowed? `2%`, `0`, `params=0,macs=5%`, read strictly and compared exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from profiler import errors

_LIMIT = re.compile(r"(?:(?P<figure>[a-z]+)=)?(?P<number>\d{1,12}(?:\.\d{1,12})?)(?P<percent>%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """By how many percent figures may grow: some by their names, and all others (None: as they will)."""

    others: Decimal | None = None
    named: Mapping[str, Decimal] = field(default_factory=dict)

    def of(self, figure: str) -> Decimal | None:
        return self.named.get(figure, self.others)

    def names(self, figures: Sequence[str]) -> list[str]:
        """Those that have a limit."""
        return [figure for figure in figures if self.of(figure) is not None]


@dataclass(frozen=True, slots=True)
class Growth:
    """A figure that grew from `before` to `after`, and by how many percent it was allowed to."""

    name: str
    before: int
    after: int
    allowed: Decimal


def limits(text: str, figures: Sequence[str]) -> Limits:
    """Read `--max-increase`; raises `errors.ProfileError`."""
    named: dict[str, Decimal] = {}
    others: Decimal | None = None
    for part in text.split(","):
        match = _LIMIT.fullmatch(part.strip())
        if match is None:
            raise _bad_increase(text, f"{part.strip()!r} is no limit")
        figure, percent = match["figure"], Decimal(match["number"])
        if not match["percent"] and percent:
            raise _bad_increase(text, f"{match['number']} lacks its %")
        if figure is not None and figure not in figures:
            raise _bad_increase(text, f"no figure is called {figure!r}; choose from {', '.join(figures)}")
        if figure in named or (figure is None and others is not None):
            raise _bad_increase(text, f"{f'{figure} is' if figure else 'all figures are'} given twice")
        if figure is None:
            others = percent
        else:
            named[figure] = percent
    return Limits(others, named)


def growths(allowed: Limits, figures: Mapping[str, tuple[int, int]]) -> Iterator[Growth]:
    """The figures, given as before and after, that grew by more than they may."""
    for name, (before, after) in figures.items():
        limit = allowed.of(name)
        if limit is not None and after > before and 100 * (after - before) > limit * before:
            yield Growth(name, before, after, limit)


# What is said ---------------------------------------------------------------------------------------------------------


def _bad_increase(text: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"--max-increase {text}: {why}; write it like 2%, 0 or params=0,macs=5%")
