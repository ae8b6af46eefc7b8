"""The one place where numbers become text."""

from __future__ import annotations

from typing import Any

from profiler.records import Tensor
from profiler.tables import Unit

MB = 1024 * 1024
UNKNOWN = "?"
_STEPS = ((10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T"), (10**15, "P"))


def text(value: Any, unit: Unit) -> str:
    """A value as a person reads it; "?" for a number that is not known."""
    if unit is Unit.TEXT:
        return "" if value is None else str(value)
    if unit is Unit.SHAPE:
        return shape(value)
    return UNKNOWN if value is None else _WRITERS[unit](value)


def exact(value: int) -> str:
    return f"{value:,}"


def amount(value: int) -> str:
    """Four significant digits and a decimal prefix: 3.664 G."""
    if value < 1000:
        return str(value)
    scaled = [(float(f"{value / step:.4g}"), prefix) for step, prefix in _STEPS]
    number, prefix = next((pair for pair in scaled if pair[0] < 1000), scaled[-1])  # 999,999 rounds to 1.000 M
    return f"{number:.{max(0, 4 - len(str(int(number))))}f} {prefix}"


def megabytes(value: int) -> str:
    """Bytes in MB of 1024 * 1024 bytes: 83.15. What would round to nothing is shown as less than 0.01."""
    return "<0.01" if 0 < value < 0.005 * MB else f"{value / MB:,.2f}"


def share(value: float) -> str:
    return f"{100 * value:.1f}"


def ratio(value: float) -> str:
    return f"{value:.2f}"


def shape(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, Tensor):
        return "×".join(map(str, value.shape)) or "scalar"
    shapes = [shape(item) for item in value]
    return f"{shapes[0]}, +{len(shapes) - 1}" if len(shapes) > 1 else shapes[0]


_WRITERS = {
    Unit.EXACT: exact,
    Unit.AMOUNT: amount,
    Unit.BYTES: megabytes,
    Unit.SHARE: share,
    Unit.RATIO: ratio,
}
