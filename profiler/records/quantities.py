"""What does a person mean by `25M`, `100MB`, `2%`, `1,000` or `0.5`? And how would they write a number of ours?

Read strictly: what could mean two things is refused. Counts take decimal prefixes: k, M, G or B, T, P. Sizes need a
unit, and as everywhere in this package 1 MB is 1024·1024 bytes, which `MiB` says as well; decimal megabytes are written
as bytes, `100e6B`. Every reader raises `Malformed`, whose text says how such a quantity is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from math import ceil
from typing import TypeVar

from profiler.errors import Malformed, ProfileError

T = TypeVar("T")

MOST_THINGS = 2**31 - 1  # samples, tokens, rows or levels; the sizes of a tensor have bounds of their own
MOST_SECONDS = 10**7
_MOST = 10**30  # no model has more of anything
_DIGITS = 3  # of a number that a person is to read, rounded up
_COUNTS = {
    prefix: 1000**power for power, prefixes in enumerate(("kK", "mM", "gGbB", "tT", "pP"), 1) for prefix in prefixes
} | {"": 1}
_SIZES = {
    prefix + end: 1024**power
    for power, prefixes in enumerate(("kK", "M", "G", "T"), 1)
    for prefix in prefixes
    for end in ("B", "iB")
} | {"B": 1}
_TIMES = {"h": 3600 * 10**9, "min": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_MICRO = str.maketrans("µμ", "uu")  # the sign and the letter
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:[eE]\+?\d{1,2})?) ?([A-Za-z]*)", re.ASCII)
_GROUPED = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,3}(?:_\d{3})+) ?([A-Za-z]*)", re.ASCII)
_REAL = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,2})?", re.ASCII)
_PERCENT = re.compile(r"(\d{1,6}(?:\.\d{1,12})?) ?%", re.ASCII)
_COUNTED = re.compile(r" ?(?:flops?|macs?|m-?adds?|mult-adds?|params?|parameters)$", re.IGNORECASE | re.ASCII)


def read(place: str, text: str, reader: Callable[[str], T]) -> T:
    """What `reader` makes of a text; raises `ProfileError`, which names where the text stands: `--max-size`."""
    try:
        return reader(text)
    except Malformed as error:
        raise ProfileError(f"{place} {text}: {error}") from None


def count(text: str) -> int:
    """Read `25M`, `1.5G`, `4e9` or `25,000,000`."""
    number, unit = _parts(text, _COUNTS) or (Decimal("NaN"), 1)
    if not number * unit % 1 == 0:  # and so not for what is no number
        raise Malformed("not a whole count; write it like 25M, 1.5G or 25,000,000 (k, M, G or B, T, P)")
    return int(number * unit)


def size(text: str, least: int = 0) -> int:
    """Read `100MB`, `1.5 GiB` or `100e6B` as bytes.

    What is left of a byte is dropped: a whole number is at most 2.5 if and only if it is at most 2.
    """
    number, unit = _parts(text, _SIZES) or (Decimal("NaN"), 1)
    if number.is_nan() or (unit == 1 and number % 1) or number * unit < least:
        raise Malformed(
            f"not a size{' above 0' if least else ''}; write it with its unit, like 80MB or 1.5GB "
            "(B, KB, MB, GB, TB; 1 MB = 1024·1024 bytes; decimal megabytes: 80e6B)"
        )
    return int(number * unit)


def duration(text: str) -> int:
    """Read `20ms`, `1.5 s` or `2h` as nanoseconds. What is left of one is dropped, as of a byte."""
    number, unit = _parts(text.translate(_MICRO), _TIMES) or (Decimal("NaN"), 1)
    if number.is_nan() or number * unit < 1:
        raise Malformed(f"not a time above 0; write it with its unit, like 20ms or 1.5s ({', '.join(_TIMES)})")
    return int(number * unit)


def percent(text: str) -> Decimal:
    """Read `10%` as 10."""
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise Malformed("not a percentage; write it like 10%")
    return Decimal(match[1])


def whole(text: str, least: int) -> int:
    """Read `8`, `1,000` or `1e3`: a number of things, and no more than make sense."""
    number, _ = _parts(text, {"": 1}) or (Decimal("NaN"), 1)
    if not (number % 1 == 0 and least <= number <= MOST_THINGS):
        raise Malformed(f"not a whole number from {least} to {MOST_THINGS:,}")
    return int(number)


def seconds(text: str, least: int = 1) -> float:
    """Read `300` or `0.5`."""
    number, _ = _parts(text, {"": 1}) or (Decimal("NaN"), 1)
    if not (not number.is_nan() and least <= number <= MOST_SECONDS):
        raise Malformed(f"not a number of seconds from {least} to {MOST_SECONDS:,}")
    return float(number)


def real(text: str) -> float:
    """Read `0.5`, `-3` or `1e-3`."""
    if not _REAL.fullmatch(text.strip()):
        raise Malformed("not a number; write it like 0.5, -3 or 1e-3")
    return float(text)


def rounded(text: str) -> tuple[Decimal, Decimal]:
    """Read `4.09G`, `4.09 GFLOPs` or `3664M`: all that rounds to it is from the first up to, without, the second."""
    number, unit = _parts(_COUNTED.sub("", text.strip()), _COUNTS) or (Decimal(0), 1)
    if not number:
        raise Malformed("not a number above 0; write it like 4.09G, 3664M or 4,089,184,256")
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    half = Decimal(10) ** exponent / 2
    return (number - half) * unit, (number + half) * unit


def _parts(text: str, units: Mapping[str, int]) -> tuple[Decimal, int] | None:
    """A number, and what its unit stands for; None where it is neither, or more than there can be."""
    plain, grouped = _NUMBER.fullmatch(text.strip()), _GROUPED.fullmatch(text.strip())
    match = plain or grouped
    if match is None or match[2] not in units:
        return None
    number, unit = Decimal(re.sub("[,_]", "", match[1])), units[match[2]]
    is_ambiguous = plain is None and unit != 1  # 2,500M is 2.5 M in half of the world
    return None if is_ambiguous or number * unit > _MOST else (number, unit)


# Written for people ---------------------------------------------------------------------------------------------------


def spaced(text: str) -> str:
    """As a sentence has it: `80MB` as `80 MB`."""
    return re.sub(r"(?<=\d) ?(?=[A-Za-zµμ]+$)", " ", text.strip())


def count_up(value: Decimal | int) -> str:
    """At least so many, in three digits: 23,977,439 is `24M`."""
    return _up(value, (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)), "")


def size_up(value: Decimal | int) -> str:
    """At least so many bytes, in three digits: 95,909,757 is `91.5MB`."""
    return _up(value, (("TB", 1024**4), ("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)), "B")


def _up(value: Decimal | int, steps: tuple[tuple[str, int], ...], least: str) -> str:
    for unit, step in steps:
        if value >= step:
            scaled = Decimal(value) / step
            places = Decimal(1).scaleb(max(scaled.adjusted() - _DIGITS + 1, -_DIGITS + 1))
            # A division may have rounded down; what is written has to hold the value.
            up = scaled.quantize(places, ROUND_CEILING)
            up = up if up * step >= value else up + places
            return f"{up.normalize():f}{unit}"
    return f"{ceil(value)}{least}"
