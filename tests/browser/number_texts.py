"""Which texts must `src/format.ts` write? Those of `profiler.render.numbers`, for values at which rounding is decided.

`python -m tests.browser.number_texts` writes them into `numbers.json`, a value, a unit and a text a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import profiler.render.report
from profiler.render import numbers
from profiler.render.report.data import value_data
from profiler.render.tables import Unit

TEXTS = Path(profiler.render.report.__path__[0]) / "web" / "test" / "numbers.json"
_EXACT = 2**53  # up to which JSON's numbers are whole
_WHOLE = (0, 1, 7, 999, 1000, 1234, 12345, 123456, 999499, 999500, 999949, 999950, 999999, 1000000, 21797672)
_LARGE = (3663761408, 9999500000, 1234500000000, 999999999999, 4503599627370496, _EXACT - 1, _EXACT + 1, 10**18, 10**22)
_TIES = (1234500, 1235500, 10005000, 10015000, 1000500, 5242, 5243, 15728, 655360, 1638400, 1024 * 1024 // 8)
_SIZES = (1, 512, 5120, 104857, 104858, 1048576, 87190688, 10737418239, 10737418240, 123456789012)
_PARTS = (0.0, 0.0004, 0.0005, 0.00125, 0.0045, 0.125, 0.1254, 0.375, 0.625, 0.8646, 1.0, 1.005, 2.5, 12.345)
_TIMES = (
    1e-10,
    4e-7,
    5e-7,
    1e-6,
    1.0625e-6,
    0.00099999,
    0.0123456,
    0.0625,
    0.99999,
    1.0,
    3.0625,
    41.2345,
    999.95,
    86400.0,
)
_RATES = (0.0, 0.001234, 0.5, 1.0, 24.25, 99.995, 999.4, 999.5, 1000.5, 1234567.0, 9.8765e14)
_INTEGERS = (Unit.EXACT, Unit.COUNT, Unit.AMOUNT, Unit.BYTES, Unit.KB, Unit.MB, Unit.GB)
_SHARES = (Unit.SHARE, Unit.RATIO, Unit.TIMES, Unit.BAR, Unit.GROWTH)


def cases() -> Iterator[tuple[int | float, Unit]]:
    for unit in _INTEGERS:
        yield from ((value, unit) for value in (*_WHOLE, *_LARGE, *_TIES, *_SIZES))
    for unit in (Unit.SECONDS, Unit.S, Unit.MS, Unit.US):
        yield from ((value, unit) for value in (0.0, *_TIMES))
    yield from ((round(value * 1e9), Unit.NANOSECONDS) for value in _TIMES)
    yield from ((value, Unit.RATE) for value in _RATES)
    for unit in _SHARES:
        yield from ((value, unit) for value in _PARTS)
    yield from ((-value, Unit.GROWTH) for value in _PARTS)
    yield from ((sign * value, Unit.SCIENTIFIC) for value in (0.0, *_TIMES, *_RATES) for sign in (1, -1))
    yield from ((sign * value, Unit.LONGER) for value in (0.0, *_TIMES) for sign in (1, -1))
    yield from ((sign * value, Unit.DIFFERENCE) for value in (*_WHOLE, *_LARGE) for sign in (1, -1))


def written() -> str:
    lines = [
        json.dumps([value_data(value, unit), unit.value, numbers.text(value, unit)], ensure_ascii=False)
        for value, unit in cases()
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    TEXTS.write_text(written(), encoding="utf-8")
