"""How is a number written as text? No other file does that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import Any

from profiler import errors
from profiler.records.trace import Tensor
from profiler.render.tables import Unit

BYTES = {Unit.KB: 1024, Unit.MB: 1024**2, Unit.GB: 1024**3}
SECONDS = {Unit.S: 1.0, Unit.MS: 1e-3, Unit.US: 1e-6}
RAW = {
    Unit.BYTES: "bytes",
    Unit.SECONDS: "seconds",
    Unit.LONGER: "seconds",
}  # what values are in where no person reads them
UNKNOWN, UNDEFINED = "?", "–"
_BAR = 24  # blocks of a whole bar
_PLAIN = (-3, 4)  # exponents of ten that are not written, from the first up to, without, the second
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_STEPS = ((10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T"), (10**15, "P"))


def text(value: Any, unit: Unit) -> str:
    """A value as a person reads it; "?" for a number that is not known, "–" for a score that is not defined.

    It is nothing where "" says there is none.
    """
    if value == "":
        return ""
    if unit is Unit.SHAPE:
        return shape(value)
    if value is None:
        return UNDEFINED if unit is Unit.SCORE else UNKNOWN
    return _WRITERS[unit](value)


def one_line(value: Any) -> str:
    """A text with its line breaks and other control characters, which no table survives, as escapes."""
    return errors.shown(str(value))


def figure(value: Any) -> str:
    """What somebody else measured, with its own digits; an exponent is written out."""
    return f"{value:f}" if isinstance(value, Decimal) else one_line(value)


def exact(value: int) -> str:
    return f"{value:,}"


def difference(value: int) -> str:
    return f"{value:+,}" if value else "0"


def amount(value: int) -> str:
    """Four significant digits and a decimal prefix: 3.664 G."""
    if value < 1000:
        return str(value)
    scaled = [(float(f"{value / step:.4g}"), prefix) for step, prefix in _STEPS]
    number, prefix = next((pair for pair in scaled if pair[0] < 1000), scaled[-1])  # 999,999 rounds to 1.000 M
    return f"{number:.{max(0, 4 - len(str(int(number))))}f} {prefix}"


def size(value: int, unit: Unit) -> str:
    """Bytes in a unit: 83.15. What would round to nothing is shown as less than 0.01."""
    scaled = value / BYTES[unit]
    return "<0.01" if 0 < scaled < 0.005 else f"{scaled:,.2f}"


def size_unit(largest: int | None) -> Unit:
    """The unit in which sizes up to the largest are read easily."""
    if largest is not None and largest >= 10 * BYTES[Unit.GB]:
        return Unit.GB
    return Unit.KB if largest and largest < BYTES[Unit.MB] / 10 else Unit.MB


def in_bytes(unit: Unit) -> str:
    """How many bytes a unit is: 1024·1024."""
    return "·".join(["1024"] * (list(BYTES).index(unit) + 1))


def with_unit(value: int) -> str:
    """Bytes in the unit that suits them: 83.15 MB."""
    unit = size_unit(abs(value))
    return f"{size(value, unit)} {unit.value}"


def time(value: float, unit: Unit) -> str:
    """Seconds in a unit: 41.235. What would round to nothing is shown as less than 0.001."""
    scaled = value / SECONDS[unit]
    return "<0.001" if 0 < scaled < 0.0005 else f"{scaled:,.3f}"


def time_unit(longest: float | None) -> Unit:
    """The unit in which times up to the longest are read easily."""
    if longest is not None and longest >= 10 * SECONDS[Unit.S]:
        return Unit.S
    return Unit.US if longest and longest < SECONDS[Unit.MS] else Unit.MS


def duration(value: float) -> str:
    """Seconds in the unit that suits them, with four significant digits: 41.24 ms."""
    rounded = float(f"{value:.4g}")  # 0.99999 s is 1.000 s
    unit = next((unit for unit in SECONDS if rounded >= SECONDS[unit]), Unit.US)
    return f"{_significant(rounded / SECONDS[unit])} {unit.value}"


def longer(value: float) -> str:
    """A difference of seconds with its sign: +41.24 ms."""
    return f"{'-' if value < 0 else '+'}{duration(abs(value))}" if value else "0"


def rate(value: float) -> str:
    """Four significant digits and a decimal prefix: 24.25, 1.234 T."""
    return amount(round(value)) if round(value) >= 1000 else _significant(value)


def _significant(value: float) -> str:
    """Four significant digits of what is written without a prefix."""
    rounded = float(f"{value:.4g}")
    return f"{rounded:,.{max(0, 3 - _exponent(rounded))}f}" if rounded else "0"


def quantity(value: tuple[Any, Unit]) -> str:
    """A value with its unit: 83.15 MB, 3.664 G."""
    return text(*value)


def in_full(value: int, unit: Unit) -> str:
    """All digits: 87,190,688 bytes."""
    units = {Unit.BYTES: f" byte{'s' * (value != 1)}", Unit.NANOSECONDS: " ns"}
    return exact(value) + units.get(unit, "")


def is_distinguishable(more: int, less: int, unit: Unit) -> bool:
    """Whether the difference of two values can be seen, to a percent of it, once they are written short."""
    step = (
        BYTES[size_unit(more)] / 100
        if unit is Unit.BYTES
        else 10 ** max(0, len(str(more)) - 4)
        if unit in (Unit.AMOUNT, Unit.NANOSECONDS)
        else 0
    )
    return 2 * (more - less) >= 100 * step  # rounding changes a value by half a step at most


def share(value: float) -> str:
    return f"{100 * value:.1f}"


def growth(value: float) -> str:
    """In percent with its sign: +17.25, or as many decimals as two significant digits take."""
    return f"{100 * value:+,.{_decimals(abs(100 * value))}f}" if value else "0"


def grown(before: int, after: int, allowed: Decimal, unit: Unit = Unit.EXACT) -> str:
    """102,600, 0.47 %: with two decimals, or as many as it takes to see that it is more than is allowed."""
    by = text(after - before, unit)
    if not before:
        return by
    written = [f"{100 * (after - before) / before:.{decimals}f}" for decimals in range(2, 16)]
    return f"{by}, {next((percent for percent in written if Decimal(percent) > allowed), written[-1])} %"


def times(value: float) -> str:
    """How many times as much: ×0.54. Two significant digits where two decimals would not show them."""
    return f"×{value:,.{2 if value == 0 else _decimals(value)}f}"


def bar(value: float) -> str:
    """A share, drawn; whatever is there shows."""
    return "█" * max(round(_BAR * value), 1 if value else 0)


def blocks(value: float, places: int) -> str:
    """A share of so many places, drawn to an eighth of a place; whatever is there shows."""
    eighths = max(round(8 * places * min(value, 1.0)), 1 if value else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def ratio(value: float) -> str:
    return f"{value:.2f}"


def score(value: float) -> str:
    return f"{value:.4f}"


def scientific(value: float) -> str:
    """Four significant digits, with an exponent where there would be many zeros: 0.1234, 3.214e-5."""
    if value == 0 or not isfinite(value):
        return "0" if value == 0 else str(value)
    digits, _, exponent = f"{value:.3e}".partition("e")
    is_plain = _PLAIN[0] <= int(exponent) < _PLAIN[1]
    return f"{float(f'{value:.3e}'):.{max(0, 3 - int(exponent))}f}" if is_plain else f"{digits}e{int(exponent)}"


def shape(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, Tensor):
        return "×".join(map(str, value.shape)) or "scalar"
    shapes = [shape(item) for item in value]
    return f"{shapes[0]}, +{len(shapes) - 1}" if len(shapes) > 1 else shapes[0]


_WRITERS: dict[Unit, Callable[[Any], str]] = {
    Unit.TEXT: one_line,
    Unit.NUMBER: figure,
    Unit.EXACT: exact,
    Unit.DIFFERENCE: difference,
    Unit.LONGER: longer,
    Unit.COUNT: exact,
    Unit.AMOUNT: amount,
    Unit.BYTES: with_unit,
    **{unit: partial(size, unit=unit) for unit in BYTES},
    Unit.SECONDS: duration,
    Unit.NANOSECONDS: lambda value: duration(value * 1e-9),
    **{unit: partial(time, unit=unit) for unit in SECONDS},
    Unit.RATE: rate,
    Unit.GROWTH: growth,
    Unit.SHARE: share,
    Unit.RATIO: ratio,
    Unit.SCORE: score,
    Unit.SCIENTIFIC: scientific,
    Unit.TIMES: times,
    Unit.BAR: bar,
    Unit.MIXED: quantity,
}


# An axis of a chart ---------------------------------------------------------------------------------------------------


def scale(largest: float, unit: Unit) -> tuple[float, str]:
    """What the values of an axis are divided by, by the largest of them, and what its label calls that: 1e9, "G"."""
    if unit in (Unit.AMOUNT, Unit.COUNT, Unit.EXACT, Unit.RATE):
        return next(((step, prefix) for step, prefix in reversed(_STEPS) if largest >= step), (1, ""))
    if unit in (Unit.BYTES, Unit.SECONDS):
        own = size_unit(int(largest)) if unit is Unit.BYTES else time_unit(largest)
        return _STEP_OF[own], "µs" if own is Unit.US else own.value
    return (0.01, "%") if unit is Unit.SHARE else (1, "")


def tick(value: float) -> str:
    """A number beside an axis: 0.5, 20, 1,000."""
    return f"{float(f'{value:.6g}'):,.10g}".replace("-", "−")


# A whole column, as papers have it ------------------------------------------------------------------------------------

_MOST_DECIMALS = 3
_STEP_OF: dict[Unit, float] = {**BYTES, **SECONDS}


def column(values: Sequence[Any], unit: Unit) -> tuple[list[str], str]:
    """Its cells, with as many decimals each, and the decimal prefix ("G") that they have in common.

    The prefix is the largest with which three decimals show two digits of the smallest value, so that nothing vanishes.
    """
    amounts = [value for value in values if value]
    step: float
    if unit in (Unit.AMOUNT, Unit.COUNT):
        step, prefix, decimals = _in_common(amounts)
    elif unit in _STEP_OF:
        step, prefix = _STEP_OF[unit], ""
        decimals = min(_MOST_DECIMALS, _decimals(min(amounts, default=step) / step))
    elif unit is Unit.RATE:
        step, prefix, decimals = _in_common(amounts)
        decimals = decimals if step > 1 else min(_MOST_DECIMALS, _decimals(min(amounts, default=1)))
    else:
        return [text(value, unit) for value in values], ""
    return [_scaled(value, step, decimals) for value in values], prefix


def _in_common(amounts: Sequence[float]) -> tuple[int, str, int]:
    for step, prefix in reversed(_STEPS):
        if amounts and max(amounts) >= step:
            decimals = _decimals(min(amounts) / step)
            if decimals <= _MOST_DECIMALS and 10**decimals < step:  # else it is as short without a prefix
                return step, prefix, decimals
    return 1, "", 0


def _decimals(value: float) -> int:
    """So many that two significant digits show, and two at least."""
    return max(2, 1 - _exponent(value))


def _exponent(value: float) -> int:
    """Of ten: 2 of 123, -3 of 0.0012; -4 of what is 0.0001 but for an error of rounding."""
    return int(f"{value:.6e}".partition("e")[2])


def _scaled(value: Any, step: float, decimals: int) -> str:
    if value == "":
        return ""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    least = 10**-decimals
    return f"{value / step:,.{decimals}f}" if value / step >= least / 2 else f"<{least:.{decimals}f}"
