"""Did a figure grow by more than is allowed? `2%`, `0`, `params=0,macs=5%`, compared exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from profiler import errors
from profiler.records import quantities


@dataclass(frozen=True, slots=True)
class GrowthLimits:
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


def growth_limits(text: str, figures: Sequence[str]) -> GrowthLimits:
    """Read `--max-increase`; raises `errors.ProfileError`."""
    allowed: dict[str | None, Decimal] = {}  # None: of all figures that are not named
    for part in text.split(","):
        name, equals, limit = part.strip().rpartition("=")
        figure = name if equals else None
        if figure is not None and figure not in figures:
            raise _bad_increase(text, f"no figure is called {figure!r}; choose from {', '.join(figures)}")
        try:
            percent = Decimal(0) if limit == "0" else quantities.percent(limit)
        except errors.Malformed:
            raise _bad_increase(text, f"{limit!r} is not a percentage") from None
        if figure in allowed:
            raise _bad_increase(text, f"{f'{figure} is' if figure else 'all figures are'} given twice")
        allowed[figure] = percent
    return GrowthLimits(allowed.pop(None, None), {name: limit for name, limit in allowed.items() if name is not None})


def growths(allowed: GrowthLimits, figures: Mapping[str, tuple[int, int]]) -> Iterator[Growth]:
    """The figures, given as before and after, that grew by more than they may."""
    for name, (before, after) in figures.items():
        limit = allowed.of(name)
        if limit is not None and after > before and 100 * (after - before) > limit * before:
            yield Growth(name, before, after, limit)


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_increase(text: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"--max-increase {text}: {why}; write it like 2%, 0 or params=0,macs=5%")
