"""Which shapes do operators return that compute each element by itself, or reduce along some dimensions?

torch has functions in Python for these, whose first call imports its compiler: 1 to 2 s, of which nothing is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.layouts import TensorLayout, contiguous, layout_of
from profiler.engine.meta.iterator import iterated
from profiler.engine.meta.named import operator
from profiler.engine.meta.rules import alike, rule

_NUMBERS = (bool, int, float)


def _overloads(names: str, overload: str) -> list[Any]:
    return [operator(f"aten.{name}.{overload}") for name in names.split()]


_UNARY = (
    "abs acos acosh asin asinh atan atanh ceil celu cos cosh digamma elu erf erfc erfinv exp exp2 expm1 floor "
    "frac gelu hardsigmoid hardswish i0 leaky_relu lgamma log log10 log1p log2 logit mish neg "
    "reciprocal relu round rsqrt selu sgn sigmoid sign silu sin sinc sinh sqrt square tan tanh trunc"
)


@rule(
    *_overloads(_UNARY, "default"),
    *_overloads("hardshrink softplus softshrink clamp clamp_min clamp_max", "default"),
    *_overloads("pow", "Tensor_Scalar"),
)
def unary(x: Tensor, *settings: Any, **named: Any) -> TensorLayout | None:
    """Real numbers and words as settings leave the dtype as it is."""
    are_plain = all(value is None or type(value) in (*_NUMBERS, str) for value in (*settings, *named.values()))
    return iterated(x.shape, x.dtype, x) if are_plain and _is_real(x) else None


@rule(*_overloads(" ".join(f"{name}_" for name in _UNARY.split()), "default"), *_overloads("clamp_", "default"))
def overwritten(x: Tensor, *settings: Any, **named: Any) -> TensorLayout | None:
    """It stays laid out as it is."""
    return None if unary(x, *settings, **named) is None else layout_of(x)


@rule(*_overloads("hardtanh hardtanh_ relu6 relu6_", "default"))
def clipped(x: Tensor, *limits: Any) -> TensorLayout | None:
    """These are made of another operator, and keep what is unusual of its input."""
    return contiguous(x.shape, x.dtype) if alike(x) and all(type(limit) in _NUMBERS for limit in limits) else None


@rule(*_overloads("add sub mul div", "Tensor"), *_overloads("maximum minimum atan2", "default"))
def binary(x: Any, y: Any, **settings: Any) -> TensorLayout | None:
    """Of two tensors of one dtype, or of a tensor and a number."""
    are_plain = all(type(value) in _NUMBERS for value in settings.values())
    is_sure = are_plain and isinstance(x, Tensor) and x.is_floating_point()
    return _of_two(x, y, x.dtype) if is_sure else None


@rule(operator("aten._prelu_kernel.default"))
def prelu(x: Tensor, weight: Tensor) -> TensorLayout | None:
    """One slope a channel, or one for all."""
    fits = alike(x) and weight.dtype is x.dtype and _broadcast(x.shape, weight.shape) == tuple(x.shape)
    return contiguous(x.shape, x.dtype) if fits else None


@rule(*_overloads("add_ sub_ mul_ div_", "Tensor"))
def overwritten_by_two(x: Tensor, y: Any, **settings: Any) -> TensorLayout | None:
    """What is written into is not repeated."""
    answer = binary(x, y, **settings)
    return layout_of(x) if answer is not None and answer.shape == x.shape else None


@rule(*_overloads("rsub add sub mul div", "Scalar"))
def with_number(x: Tensor, y: Any, *settings: Any) -> TensorLayout | None:
    are_plain = all(type(value) in _NUMBERS for value in (y, *settings))
    return _of_two(x, y, x.dtype) if are_plain and x.is_floating_point() else None


@rule(*_overloads("eq ne lt le gt ge", "Tensor"), *_overloads("eq ne lt le gt ge", "Scalar"))
def compared(x: Tensor, y: Any) -> TensorLayout | None:
    """True or false for each element."""
    return _of_two(x, y, torch.bool)


def _of_two(x: Tensor, y: Any, dtype: torch.dtype) -> TensorLayout | None:
    """What is computed of a tensor, and of a number or another tensor of its dtype, which are repeated to fit."""
    if not _is_known(x):
        return None
    if type(y) in _NUMBERS:
        return iterated(x.shape, dtype, x, beside_number=True)
    if not isinstance(y, Tensor) or y.dtype is not x.dtype or not _is_known(y):
        return None
    shape = _broadcast(x.shape, y.shape)
    return None if shape is None else iterated(shape, dtype, x, y)


@rule(*_overloads("masked_fill masked_fill_", "Scalar"))
def masked_fill(x: Tensor, mask: Tensor, value: Any) -> TensorLayout | None:
    fits = mask.dtype is torch.bool and type(value) in _NUMBERS and alike(x)
    return layout_of(x) if fits and _broadcast(x.shape, mask.shape) == tuple(x.shape) else None


def _is_real(x: Tensor) -> bool:
    return x.is_floating_point() and _is_known(x)


def _is_known(x: Tensor) -> bool:
    """Not empty, not repeated in its memory, and not complex: of those, others decide."""
    return 0 not in x.shape and 0 not in x.stride() and not x.is_complex()


def _broadcast(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...] | None:
    if first == second:
        return tuple(first)
    rank = max(len(first), len(second))
    pairs = zip((1,) * (rank - len(first)) + tuple(first), (1,) * (rank - len(second)) + tuple(second), strict=True)
    shape = tuple(max(pair) if 1 in pair or pair[0] == pair[1] else 0 for pair in pairs)
    return None if 0 in shape else shape


# Along some dimensions ------------------------------------------------------------------------------------------------


@rule(operator("aten.mean.dim"))
def mean(x: Tensor, dim: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None) -> TensorLayout | None:
    return _reduced(x, dim, keepdim) if dtype is None else None


@rule(operator("aten.var.correction"), operator("aten.std.correction"))
def spread(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: Any = None, keepdim: bool = False
) -> TensorLayout | None:
    return _reduced(x, dim, keepdim)


@rule(operator("aten.linalg_vector_norm.default"))
def norm(
    x: Tensor, ord: Any = 2, dim: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> TensorLayout | None:
    return _reduced(x, dim, keepdim) if dtype is None and type(ord) in _NUMBERS else None


def _reduced(x: Tensor, dim: Sequence[int] | None, keepdim: bool) -> TensorLayout | None:
    """Without the dimensions, or with each of size 1; all of them where none is named."""
    rank = x.dim()
    if not alike(x) or 0 in x.shape or any(not -rank <= each < rank for each in dim or ()):
        return None
    gone = {each % rank for each in dim} if dim else set(range(rank))
    if dim and len(gone) != len(dim):
        return None
    kept = [1 if place in gone else size for place, size in enumerate(x.shape) if keepdim or place not in gone]
    return contiguous(tuple(kept), x.dtype)


@rule(operator("aten.softmax.int"), operator("aten.log_softmax.int"))
def softmax(x: Tensor, dim: int, dtype: Any = None) -> TensorLayout | None:
    return contiguous(x.shape, x.dtype) if dtype is None and alike(x) and -x.dim() <= dim < x.dim() else None


@rule(operator("aten._softmax.default"), operator("aten._log_softmax.default"))
def softmax_kernel(x: Tensor, dim: int, half_to_float: bool) -> TensorLayout | None:
    return None if half_to_float else softmax(x, dim)


@rule(*_overloads("tril triu", "default"))
def triangle(x: Tensor, diagonal: int = 0) -> TensorLayout | None:
    return contiguous(x.shape, x.dtype) if alike(x) and x.dim() >= 2 else None


# Several, and products ------------------------------------------------------------------------------------------------


@rule(operator("aten.cat.default"))
def cat(tensors: Sequence[Tensor], dim: int = 0) -> TensorLayout | None:
    """Of row-major tensors that differ in this dimension alone."""
    first = tensors[0]
    if not alike(*tensors) or not -first.dim() <= dim < first.dim() or any(0 in each.shape for each in tensors):
        return None
    others = [tuple(size for place, size in enumerate(each.shape) if place != dim % first.dim()) for each in tensors]
    if len({(each.dim(), other) for each, other in zip(tensors, others, strict=True)}) > 1:
        return None
    whole = list(first.shape)
    whole[dim] = sum(each.shape[dim] for each in tensors)
    return contiguous(tuple(whole), first.dtype)


@rule(operator("aten.stack.default"))
def stack(tensors: Sequence[Tensor], dim: int = 0) -> TensorLayout | None:
    first = tensors[0]
    if len({each.shape for each in tensors}) > 1 or len({each.dtype for each in tensors}) > 1:
        return None
    if not all(map(_is_known, tensors)) or not -first.dim() - 1 <= dim <= first.dim():
        return None
    whole = list(first.shape)
    whole.insert(dim % (first.dim() + 1), len(tensors))
    return contiguous(tuple(whole), first.dtype)


@rule(operator("aten.mm.default"), operator("aten.bmm.default"))
def product(x: Tensor, y: Tensor) -> TensorLayout | None:
    """Of matrices, or of batches of them; of an empty one others decide."""
    if not x.is_floating_point() or x.dtype is not y.dtype or not x.dim() == y.dim() in (2, 3):
        return None
    if 0 in x.shape or 0 in y.shape:
        return None
    fits = x.shape[-1] == y.shape[-2] and x.shape[:-2] == y.shape[:-2]
    return contiguous((*x.shape[:-1], y.shape[-1]), x.dtype) if fits else None


@rule(operator("aten.addmm.default"), operator("aten.baddbmm.default"))
def sum_with_product(bias: Tensor, x: Tensor, y: Tensor, **settings: Any) -> TensorLayout | None:
    answer = product(x, y)
    if answer is None or settings or bias.dtype is not x.dtype:
        return None
    return answer if _broadcast(bias.shape, answer.shape) == answer.shape else None
