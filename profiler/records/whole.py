"""A number of things as a person writes it on the command line: digits, and no more than make sense."""

from __future__ import annotations

import math
import re

MOST = 2**31 - 1  # of samples, tokens, rows or levels; a size of a tensor has bounds of its own
MOST_SECONDS = 10**7
_DIGITS = re.compile(r"\d{1,10}", re.ASCII)
_NUMBER = re.compile(r"\d{1,10}(?:\.\d{1,10})?", re.ASCII)


class Malformed(ValueError):
    """The text says what is expected instead."""


def whole(text: str, least: int) -> int:
    """Read `8`; raises `Malformed`."""
    match = _DIGITS.fullmatch(text.strip())
    value = int(match[0]) if match else None
    if value is None or not least <= value <= MOST:
        raise Malformed(f"{text!r} is not a whole number from {least} to {MOST:,}")
    return value


def seconds(text: str, least: int = 1) -> float:
    """Read `300` or `0.5`; raises `Malformed`."""
    match = _NUMBER.fullmatch(text.strip())
    value = float(match[0]) if match else math.nan
    if not least <= value <= MOST_SECONDS:  # and so not for what is no number
        raise Malformed(f"{text!r} is not a number of seconds from {least} to {MOST_SECONDS:,}")
    return value
