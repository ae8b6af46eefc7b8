"""How is a raw value written as JSON has it?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from profiler.records.trace import Tensor, Value, tensors


def plain(value: Any) -> Any:
    """A number as JSON has it: whole ones as whole ones. Tensors are their shapes."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, (Tensor, tuple)):
        return shapes(value)
    return value


def shapes(value: Value) -> list[list[int]] | None:
    """None for a module that never ran."""
    return None if value is None else [list(t.shape) for t in tensors(value)]


def failed(failure: str | None) -> dict[str, str]:
    """What a row says beside its values where there are none."""
    return {} if failure is None else {"error": failure}
