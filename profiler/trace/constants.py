"""Which constants are computed amid a run on meta? Those that are small: a mask of 131,072 x 131,072 is not.

A constant is what depends on no weight and no activation: token ids, positions, masks. Models ask for values of small
ones, and of large ones hardly ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor

from profiler.trace.operators import each_tensor

LARGEST = 1 << 22  # elements


def is_large(func: Any, args: Any, kwargs: Any, on_meta: Callable[[Any], Any]) -> bool:
    """Whether an operator on constants would make a large one; torch is asked where it might be."""
    if _bound((*args, *kwargs.values())) <= LARGEST:
        return False
    given = [on_meta(value) for value in args], {name: on_meta(value) for name, value in kwargs.items()}
    try:
        out = func(*given[0], **given[1])
    except (RuntimeError, NotImplementedError, IndexError, ValueError, TypeError):
        return False  # it depends on values how much there is, or is an error, which the real run will tell
    return any(tensor.numel() > LARGEST for tensor in each_tensor(out))


def _bound(values: Iterable[Any]) -> int:
    """No operator makes more of these arguments than all of them multiplied."""
    return math.prod(max(1, size) for size in _sizes(values))


def _sizes(values: Iterable[Any]) -> Iterator[int]:
    for value in values:
        if isinstance(value, Tensor):
            yield value.numel()
        elif type(value) is int or type(value) is float:
            yield 1 if math.isnan(value) else int(min(abs(value), 1 << 40))
        elif isinstance(value, (list, tuple)):
            yield from _sizes(value)
