"""What does a person mean by `25M`, `100MB` or `10%`? Read strictly: what could mean two things is refused.

Counts take decimal prefixes: k, M, G or B, T. Sizes need a unit, and as everywhere in this package 1 MB is 1024·1024
bytes, which `MiB` says as well; decimal megabytes are written as bytes, `100e6B`.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from math import ceil

COUNTS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
SIZES = {"B": 1} | {
    prefix + end: 1024**power
    for power, prefixes in enumerate(("kK", "M", "G", "T"), 1)
    for prefix in prefixes
    for end in ("B", "iB")
}
_NUMBER = re.compile(r"(?P<digits>\d+(?:\.\d+)?(?:[eE]\+?\d{1,2})?) ?(?P<unit>[A-Za-z]*)", re.ASCII)
_GROUPED = re.compile(r"(?P<digits>\d{1,3}(?:,\d{3})+|\d{1,3}(?:_\d{3})+) ?(?P<unit>[A-Za-z]*)", re.ASCII)
_PERCENT = re.compile(r"(\d{1,4}(?:\.\d{1,9})?) ?%", re.ASCII)  # a hundred times as much is no head-room
_MOST = 10**30  # no model has more of anything
_DIGITS = 3  # of a number that a person is to read, rounded up


class Malformed(ValueError):
    """Not a count, or not a size."""


def count(text: str) -> int:
    """Read `25M`, `1.5G`, `4e9` or `25,000,000`; raises `Malformed`."""
    return _read(text, COUNTS)


def size(text: str) -> int:
    """Read `100MB`, `1.5 GiB` or `100e6B` as bytes; raises `Malformed`.

    What is left of a byte is dropped: a whole number is at most 2.5 if and only if it is at most 2.
    """
    return _read(text, SIZES)


def share(text: str) -> Decimal:
    """Read `10%` as 0.1; raises `Malformed`."""
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise Malformed(text)
    return Decimal(match[1]) / 100


def spaced(text: str) -> str:
    """As a sentence has it: `80MB` as `80 MB`."""
    return re.sub(r"(?<=\d) ?(?=[A-Za-z]+$)", " ", text.strip())


def _read(text: str, units: dict[str, int]) -> int:
    match = _NUMBER.fullmatch(text.strip()) or _GROUPED.fullmatch(text.strip())
    if match is None or match["unit"] not in units:
        raise Malformed(text)
    unit = units[match["unit"]]
    is_grouped = any(mark in match["digits"] for mark in ",_")
    value = Decimal(re.sub("[,_]", "", match["digits"])) * unit
    is_fraction = value != int(value) and (units is COUNTS or unit == 1)
    if is_fraction or value > _MOST or (is_grouped and unit != 1):  # 2,500M is 2.5 M in half of the world
        raise Malformed(text)
    return int(value)


# The other way: a limit that a person would have written --------------------------------------------------------------


def count_up(value: Decimal | int) -> str:
    """At least so many, in three digits: 23,977,439 is `24M`."""
    return _up(value, (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)), "")


def size_up(value: Decimal | int) -> str:
    """At least so many bytes, in three digits: 95,909,757 is `91.5MB`."""
    return _up(value, (("TB", 1024**4), ("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)), "B")


def _up(value: Decimal | int, steps: tuple[tuple[str, int], ...], least: str) -> str:
    for unit, step in steps:
        if value >= step:
            scaled = Decimal(value) / step
            places = Decimal(1).scaleb(max(scaled.adjusted() - _DIGITS + 1, -_DIGITS + 1))
            # A division may have rounded down; what is written has to hold the value.
            rounded = scaled.quantize(places, ROUND_CEILING)
            rounded = rounded if rounded * step >= value else rounded + places
            return f"{rounded.normalize():f}{unit}"
    return f"{ceil(value)}{least}"
