"""How does torch lay out what it computes element by element? As `TensorIterator` does (ATen/TensorIterator.cpp)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from profiler.engine.containers.layouts import TensorLayout, contiguous, layout


def iterated(shape: Sequence[int], dtype: torch.dtype, *operands: Tensor, beside_number: bool = False) -> TensorLayout:
    """The layout of a new result of this shape, which the operands are repeated to.

    beside_number: a number is an operand as well, which is repeated.
    """
    shape = tuple(shape)
    if not beside_number and all(operand.shape == shape for operand in operands):
        if all(operand.is_contiguous() for operand in operands):
            return contiguous(shape, dtype)
        if len(shape) == 4 and all(x.is_contiguous(memory_format=torch.channels_last) for x in operands):
            return layout(shape, channels_last_strides(shape), dtype)
        if len({x.stride() for x in operands}) == 1 and is_dense(operands[0]):
            return layout(shape, tuple(operands[0].stride()), dtype)
    strides, step = [0] * len(shape), 1
    for dim in _order(shape, [_repeated(operand, shape) for operand in operands]):
        strides[dim] = step
        step *= shape[dim]
    return layout(shape, tuple(strides), dtype)


def channels_last_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Of a batch of images."""
    _, channels, height, width = shape
    return channels * height * width, 1, channels * width, channels


def is_dense(x: Tensor) -> bool:
    """Without gaps and overlaps."""
    step = 1
    for stride, size in sorted((x.stride(dim), x.shape[dim]) for dim in range(x.dim()) if x.shape[dim] != 1):
        if stride != step:
            return False
        step *= size
    return True


def _repeated(operand: Tensor, shape: Sequence[int]) -> list[int]:
    """Its strides, as if it had the shape."""
    missing = len(shape) - operand.dim()
    sizes = zip(operand.stride(), operand.shape, shape[missing:], strict=True)
    return [0] * missing + [0 if own == 1 != size else stride for stride, own, size in sizes]


def _order(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> list[int]:
    """The dimensions from the innermost outwards: an insertion sort, where some cannot be told apart."""
    order = list(range(len(shape)))[::-1]
    for place in range(1, len(order)):
        at = place
        for before in range(place - 1, -1, -1):
            comparison = _compared(order[before], order[at], shape, strides)
            if comparison < 0:
                break
            if comparison > 0:
                order[before], order[at] = order[at], order[before]
                at = before
    return order


def _compared(inner: int, outer: int, shape: Sequence[int], strides: Sequence[Sequence[int]]) -> int:
    """Whether two dimensions are in order (-1), not in order (1), or cannot be told apart (0)."""
    for each in strides:
        if 0 in (each[inner], each[outer]):
            continue
        if each[inner] != each[outer]:
            return -1 if each[inner] < each[outer] else 1
        if shape[inner] > shape[outer]:
            return 1
    return 0
