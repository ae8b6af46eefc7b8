"""What values do a file's small constants have, and what is computed from them?

Masks and positions are small arrays. A short list of operators (`_RULES`) is computed on them with numpy, and none of
torch's is run. A graph needs such values where it selects by a mask, or reads a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from profiler.records.files.limits import COMPUTED, Budget

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES: Mapping[str, str] = {
    "bool": "?", "uint8": "u1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8", "float32": "f4",
    "float64": "f8", "float16": "f2",
}  # fmt: skip
_MOST = 1 << 16  # elements of an array that is computed
Array = Any  # of numpy: NDArray[Any], which is imported for its types alone


def _same(array: Array, *_: Any, **__: Any) -> Array:
    return array


def _clamped(array: Array, least: Any = None, most: Any = None) -> Array:
    return numpy.clip(array, least, most)


def _unsqueezed(array: Array, dim: int) -> Array:
    return numpy.expand_dims(array, dim)


def _squeezed(array: Array, dim: Any = None) -> Array:
    dims = (dim,) if isinstance(dim, int) else dim
    return array.squeeze() if dims is None else array.squeeze(tuple(d for d in dims if array.shape[d] == 1))


def _expanded(array: Array, size: Sequence[int]) -> Array:
    """A size of -1 keeps that dimension."""
    shape = [array.shape[position - len(size)] if length < 0 else length for position, length in enumerate(size)]
    return numpy.broadcast_to(array, shape)


def _selected(array: Array, dim: int, index: int) -> Array:
    return numpy.take(array, index, axis=dim)


def _sliced(array: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    index: list[Any] = [slice(None)] * array.ndim
    index[dim] = slice(start, end, step)
    return array[tuple(index)]


_RULES: Mapping[str, Callable[..., Array]] = {
    **dict.fromkeys(("clone", "detach", "alias", "lift_fresh_copy", "lift_fresh", "contiguous", "_to_copy"), _same),
    "arange": numpy.arange,
    "zeros": numpy.zeros,
    "ones": numpy.ones,
    "full": numpy.full,
    "tril": lambda a, diagonal=0: numpy.tril(a, diagonal),
    "triu": lambda a, diagonal=0: numpy.triu(a, diagonal),
    "expand": _expanded,
    "add": numpy.add,
    "sub": numpy.subtract,
    "mul": numpy.multiply,
    "eq": numpy.equal,
    "ne": numpy.not_equal,
    "lt": numpy.less,
    "le": numpy.less_equal,
    "gt": numpy.greater,
    "ge": numpy.greater_equal,
    "logical_not": numpy.logical_not,
    "logical_and": numpy.logical_and,
    "logical_or": numpy.logical_or,
    "bitwise_not": numpy.invert,
    "clamp": _clamped,
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "select": _selected,
    "slice": _sliced,
    "view": lambda a, size: a.reshape(size),
    "reshape": lambda a, size: a.reshape(size),
    "permute": lambda a, dims: a.transpose(dims),
    "transpose": lambda a, first, second: a.swapaxes(first, second),
    "max": lambda a: a.max(),
    "min": lambda a: a.min(),
    "sum": lambda a: a.sum(),
    "any": lambda a: a.any(),
    "all": lambda a: a.all(),
}


def array_of(content: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any] | None:
    """A row-major tensor's bytes as an array; None where numpy has no such dtype."""
    if dtype not in DTYPES or len(shape) > 32:
        return None
    return numpy.frombuffer(content, f"<{DTYPES[dtype]}").reshape(shape)


def computed(op: str, args: Sequence[Any], like: Any, cost: Budget) -> NDArray[Any] | None:
    """The result of an operator of `_RULES` on known values; None where it cannot be computed.

    like: the result on the meta device, with the shape and dtype that this one gets.
    """
    rule, dtype = _RULES.get(op), str(like.dtype).removeprefix("torch.")
    if rule is None or dtype not in DTYPES or like.numel() > _MOST:
        return None
    cost.charge(COMPUTED, max(1, like.numel()))
    try:
        with numpy.errstate(all="ignore"):
            result = numpy.asarray(rule(*args)).astype(DTYPES[dtype], copy=False)
    except (ArithmeticError, IndexError, TypeError, ValueError):  # arguments of another overload
        return None
    return result if result.shape == tuple(like.shape) else None
