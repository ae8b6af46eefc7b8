"""Which shapes do the commonest operators return? By rules of our own, faster than torch's.

torch computes the metadata of several operators in Python, at 0.2 to 1.5 ms for the first call of each kind. A rule
answers in microseconds. It returns None in every case that it is not sure of (other memory formats, arguments that do
not fit together), and torch is asked: so torch alone decides what is an error. Every rule is tested against torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.layouts import TensorLayout, contiguous, layout, layout_of
from profiler.engine.meta.fused import is_fused
from profiler.engine.meta.iterator import channels_last_strides, is_dense, iterated
from profiler.engine.meta.named import operator
from profiler.engine.meta.rules import alike, rule

_aten = torch.ops.aten


@rule(_aten.conv1d.default, _aten.conv2d.default, _aten.conv3d.default)
def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> TensorLayout | None:
    rank = weight.dim() - 2
    out_channels, in_channels, *kernel = weight.shape
    if not _is_image(x, weight, bias) or x.dim() != rank + 2 or x.shape[1] != in_channels * groups:
        return None
    if out_channels % groups or (bias is not None and bias.shape != (out_channels,)):
        return None
    size = _windows(x.shape[2:], kernel, stride, padding, dilation)
    return _image_like(x, (x.shape[0], out_channels, *size)) if min(size) > 0 else None


@rule(_aten.conv_transpose2d.input)
def transposed_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> TensorLayout | None:
    in_channels, out_channels, *kernel = weight.shape
    if not _is_image(x, weight, bias) or x.dim() != 4 or x.shape[1] != in_channels or in_channels % groups:
        return None
    if bias is not None and bias.shape != (out_channels * groups,):
        return None
    steps, pads, holes, extra = (_each(v, 2) for v in (stride, padding, dilation, output_padding))
    if any(e >= max(s, d) for e, s, d in zip(extra, steps, holes, strict=True)):
        return None
    size = [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(x.shape[2:], kernel, steps, pads, holes, extra, strict=True)
    ]
    return _image_like(x, (x.shape[0], out_channels * groups, *size)) if min(size) > 0 else None


def _is_image(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Row-major weights, and an input that is row-major or, without a doubt, channels last."""
    if 0 in x.shape or not alike(weight, bias) or x.dtype is not weight.dtype:
        return False
    return alike(x) or _is_channels_last(x)


def _is_channels_last(x: Tensor) -> bool:
    """With exactly the strides of it, also where a dimension of size 1 leaves others possible: kernels look at them."""
    return x.dim() == 4 and not x.is_contiguous() and x.stride() == channels_last_strides(x.shape)


def _image_like(x: Tensor, shape: tuple[int, ...]) -> TensorLayout:
    """Kernels keep the input's memory format; torch's metadata functions say so for some devices only."""
    if not _is_channels_last(x):
        return contiguous(shape, x.dtype)
    return layout(shape, channels_last_strides(shape), x.dtype)


@rule(_aten.linear.default)
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> TensorLayout | None:
    """A dimension of size 1 may have another stride, as where the batch and the sequence changed places."""
    if not (alike(weight, bias) and x.dtype is weight.dtype and x.is_contiguous()):
        return None
    if weight.dim() != 2 or x.dim() < 2 or x.shape[-1] != weight.shape[1]:
        return None
    if bias is not None and bias.shape != (weight.shape[0],):
        return None
    return contiguous((*x.shape[:-1], weight.shape[0]), x.dtype)


@rule(operator("aten._grouped_mm.default"))
def grouped_mm(
    a: Tensor, b: Tensor, offsets: Tensor | None = None, bias: Tensor | None = None, out_dtype: Any = None
) -> TensorLayout | None:
    """Kernels take float32 as well, which torch's metadata function refuses. Rows are multiples of 16 bytes."""
    rows, columns = a.shape[-2], b.shape[-1]
    fits = a.dim() in (2, 3) and b.dim() in (2, 3) and a.shape[-1] == b.shape[-2] and a.dtype is b.dtype
    aligned = all(size * a.element_size() % 16 == 0 for size in (a.shape[-1], columns))
    if not fits or not aligned or a.dtype not in _GROUPED or bias is not None or out_dtype is not None:
        return None
    if a.dim() != b.dim():
        return contiguous((rows, columns), a.dtype)
    if a.dim() == 3:
        return contiguous((a.shape[0], rows, columns), a.dtype) if a.shape[0] == b.shape[0] else None
    return None if offsets is None else contiguous((offsets.shape[0], rows, columns), a.dtype)


_GROUPED = (torch.float32, torch.float16, torch.bfloat16)


@rule(_aten.batch_norm.default)
def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    training: bool,
    *_: Any,
) -> TensorLayout | None:
    if training or x.dim() < 2 or not alike(x, weight, bias, mean, var) or 0 in x.shape:
        return None
    if any(t is None or t.shape != x.shape[1:2] for t in (mean, var)):
        return None
    if any(t is not None and t.shape != x.shape[1:2] for t in (weight, bias)):
        return None
    return contiguous(x.shape, x.dtype)


@rule(_aten.group_norm.default)
def group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, *_: Any
) -> TensorLayout | None:
    """The input's memory format is kept, as with convolutions."""
    if x.dim() < 2 or 0 in x.shape or not x.dtype.is_floating_point or x.shape[1] % groups:
        return None
    if any(
        t is not None and (t.shape != x.shape[1:2] or not alike(t) or t.dtype is not x.dtype) for t in (weight, bias)
    ):
        return None
    return _image_like(x, x.shape) if alike(x) or _is_channels_last(x) else None


@rule(_aten.layer_norm.default)
def layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, *_: Any
) -> TensorLayout | None:
    """Whatever the strides of what is normalised, the result is laid out anew."""
    shape = tuple(shape)
    if not x.dtype.is_floating_point or x.shape[-len(shape) :] != shape or 0 in x.shape:
        return None
    if any(t is not None and (t.shape != shape or not alike(t) or t.dtype is not x.dtype) for t in (weight, bias)):
        return None
    return contiguous(x.shape, x.dtype)


@rule(_aten.max_pool2d.default)
def max_pool2d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> TensorLayout | None:
    if ceil_mode or x.dim() != 4 or not alike(x) or 0 in x.shape:
        return None
    if any(2 * p > k for p, k in zip(_each(padding, 2), _each(kernel, 2), strict=True)):
        return None
    size = _windows(x.shape[2:], _each(kernel, 2), stride or kernel, padding, dilation)
    return contiguous((*x.shape[:2], *size), x.dtype) if min(size) > 0 else None


@rule(_aten.adaptive_avg_pool2d.default)
def adaptive_avg_pool2d(x: Tensor, size: Sequence[int]) -> TensorLayout | None:
    if x.dim() != 4 or not alike(x) or 0 in x.shape or min(size) < 1:
        return None
    return contiguous((*x.shape[:2], *size), x.dtype)


@rule(
    *(getattr(_aten, f"upsample_{how}").default for how in ("bilinear2d", "bicubic2d", "linear1d", "trilinear3d")),
    *(getattr(_aten, f"upsample_nearest{rank}d").default for rank in (1, 2, 3)),
)
def upsample(x: Tensor, size: Sequence[int], *_: Any) -> TensorLayout | None:
    if not alike(x) or 0 in x.shape or len(size) != x.dim() - 2 or min(size) < 1:
        return None
    return contiguous((*x.shape[:2], *size), x.dtype)


@rule(_aten.scaled_dot_product_attention.default)
def attention(query: Tensor, *rest: Any, **options: Any) -> TensorLayout | None:
    """The fused kernels lay their output out as the query is; on meta, torch runs the plain formula, which does not."""
    if not is_fused(query, *rest, **options):
        return None
    return layout_of(query) if is_dense(query) else iterated(query.shape, query.dtype, query)


@rule(_aten._scaled_dot_product_flash_attention_for_cpu.default)
def attention_kernel(query: Tensor, *_: Any, **__: Any) -> tuple[TensorLayout, TensorLayout] | None:
    """Laid out as the query is; and the logarithms of what softmax divides by, of each query of each head."""
    if query.dim() != 4 or query.stride(-1) != 1 or not is_dense(query):
        return None
    batch, heads, length, _channels = query.shape
    dtype = torch.float32 if query.dtype.itemsize == 2 else query.dtype
    return layout_of(query), layout((batch, heads, length), (length * heads, 1, heads), dtype)


@rule(_aten.native_batch_norm.default)
def batch_norm_kernel(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, var: Tensor | None, training: bool,
    *_: Any,
) -> tuple[TensorLayout, ...] | None:  # fmt: skip
    """Normalised by statistics of its own, which are kept; in half precision they are of another dtype."""
    if not training or mean is not None or var is not None or x.dtype.itemsize < 4:
        return None
    if x.dim() < 2 or 0 in x.shape or not alike(x, weight, bias):
        return None
    each = contiguous((x.shape[1],), x.dtype)
    return contiguous(x.shape, x.dtype), each, each


# On the meta device torch lets these operators multiply tensors of different dtypes; on any real device it refuses.
_SAME_DTYPE = {
    _aten.linear.default, _aten.mm.default, _aten.addmm.default, _aten.bmm.default, _aten.baddbmm.default,
    _aten.conv1d.default, _aten.conv2d.default, _aten.conv3d.default, _aten.convolution.default,
}  # fmt: skip


def mixes_dtypes(func: Any, args: Sequence[Any]) -> bool:
    """Whether an operator that wants tensors of one dtype got others."""
    return func in _SAME_DTYPE and len({a.dtype for a in args if isinstance(a, Tensor)}) > 1


def dtype_error(func: Any, args: Sequence[Any]) -> RuntimeError:
    """What torch would raise on a device that computes."""
    dtypes = dict.fromkeys(str(a.dtype).removeprefix("torch.") for a in args if isinstance(a, Tensor))
    return RuntimeError(f"{func} wants tensors of one dtype, and got {', '.join(dtypes)}")


def inside_autocast() -> bool:
    """Autocast casts real tensors and not meta ones. It is off while an operator runs: ask how deep it is nested."""
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting() > 0


def _windows(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """How many windows fit into each dimension."""
    steps, pads, holes = (_each(values, len(kernel)) for values in (stride, padding, dilation))
    return [
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, kernel, steps, pads, holes, strict=True)
    ]


def _each(values: Sequence[int], rank: int) -> Sequence[int]:
    """One value for every dimension; torch lets a single one stand for all."""
    return values if len(values) == rank else tuple(values) * rank
