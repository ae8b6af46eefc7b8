"""What do a CPU's kernels return where torch's functions for meta tensors say otherwise?

`_CORRECTIONS[op](out, *args, **kwargs)` takes what torch said on meta and returns it as a kernel would. Each is tested
against the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._prims_common import suggest_memory_format

from profiler.engine.meta.iterator import iterated

_aten = torch.ops.aten
_SUM, _MAX = 0, 2  # modes of an embedding bag
_OF_BAGS = (
    "offsets", "scale_grad_by_freq", "mode", "sparse", "per_sample_weights", "include_last_offset", "padding_idx",
)  # fmt: skip


def is_corrected(func: Any) -> bool:
    return func in _CORRECTIONS


def returned(func: Any, out: Any, args: Any, kwargs: Any) -> Any:
    """What an operator returned on meta, corrected."""
    correct = _CORRECTIONS.get(func)
    return out if correct is None else correct(out, *args, **kwargs)


def _embedding_bag(out: Any, weight: Tensor, indices: Tensor, *rest: Any, **named: Any) -> tuple[Tensor, ...]:
    """The fast way to sum needs no map from indices to bags, which is made with one element more than is kept; what
    a maximum keeps of its own is otherwise as large as the sizes (ATen/native/EmbeddingBag.cpp).
    """
    bags, offset2bag, bag_size, max_indices = out
    settings = {**dict(zip(_OF_BAGS, rest, strict=False)), **named}
    mode = settings.get("mode", _SUM)
    if mode == _SUM and _is_summed_fast(weight, settings.get("per_sample_weights"), settings.get("padding_idx")):
        offset2bag = offset2bag.new_empty(0)
    else:
        offset2bag = offset2bag.new_empty(len(indices) + 1)[: len(indices)]
    if weight.requires_grad:
        bag_size = bag_size.new_empty(bags.shape[0])  # without gradients the last offset is taken for a bag
    if mode != _MAX:
        max_indices = bag_size.new_empty(bag_size.shape)
    return bags, offset2bag, bag_size, max_indices


def _is_summed_fast(weight: Tensor, scale: Tensor | None, padding_idx: int | None) -> bool:
    is_plain = weight.dtype in (torch.float32, torch.float16, torch.bfloat16) and weight.stride(1) == 1
    return is_plain and (scale is None or scale.stride(0) == 1) and (padding_idx is None or padding_idx < 0)


def _format(out: Any, x: Tensor, *_: Any, **__: Any) -> Any:
    """The output is row-major, or channels last where the input is (`suggest_memory_format`)."""
    return _in_format_of(x, out) if isinstance(out, Tensor) else (_in_format_of(x, out[0]), *out[1:])


def _native_batch_norm(out: Any, x: Tensor, *rest: Any) -> Any:
    """In inference, which is said after the weights and the running statistics, there are none to be kept."""
    first, *statistics = _format(out, x)
    return first, *(statistics if rest[4] else [statistic.new_empty(0) for statistic in statistics])


def _in_format_of(x: Tensor, out: Tensor) -> Tensor:
    """In the format that a tensor's strides suggest (c10/core/MemoryFormat.h); row-major where it is no image."""
    return torch.empty_like(out, memory_format=suggest_memory_format(x))


def _convolution(out: Tensor, x: Tensor, weight: Tensor, *_: Any, **__: Any) -> Tensor:
    """Channels last where the input or the weight is (`mkldnn_conv_use_channels_last`)."""
    first = next((t for t in (x, weight) if suggest_memory_format(t) is not torch.contiguous_format), x)
    return _in_format_of(first, out)


def _row_major(out: Any, *_: Any, **__: Any) -> Any:
    """One tensor, or the first of several; a gradient that nobody wants is None."""
    if isinstance(out, tuple):
        return _row_major(out[0]), *out[1:]
    return None if out is None else torch.empty_like(out, memory_format=torch.contiguous_format)


def _all_row_major(out: tuple[Tensor, ...], *_: Any, **__: Any) -> tuple[Tensor, ...]:
    return tuple(map(_row_major, out))


def _as_a_sum(out: Tensor, gradient: Tensor, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """The iterator over both decides, as for a sum of theirs."""
    strides = torch.add(gradient, x).stride()
    return torch.empty_strided(out.shape, strides, dtype=out.dtype, device=out.device)


def _of_input(out: Any, _: Tensor, x: Tensor, *rest: Any, **__: Any) -> Any:
    """A gradient in the format of what it is of."""
    return _format(out, x)


def _batch_norm_backward(out: Any, gradient: Tensor, x: Tensor, *rest: Any) -> Any:
    """The gradients that are wanted, which is said last."""
    gradients = _of_input(out, gradient, x)
    return tuple(tensor if wanted else None for tensor, wanted in zip(gradients, rest[-1], strict=True))


def _of_groups(out: tuple[Tensor, ...], _: Tensor, x: Tensor, *rest: Any, **__: Any) -> tuple[Tensor, ...]:
    """A gradient with the strides of what it is of, once that is in one of the formats."""
    if out[0] is None:  # nobody wants it
        return out
    return torch.empty_like(x.contiguous(memory_format=suggest_memory_format(x))), *out[1:]


def _layer_norm(out: Any, x: Tensor, shape: Any, weight: Tensor | None, bias: Tensor | None, *_: Any) -> Any:
    return _statistics(_row_major(out), x, weight, bias)


def _group_norm(out: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, *_: Any) -> Any:
    return _statistics(_format(out, x), x, weight, bias)


def _statistics(out: Any, x: Tensor, *weights: Tensor | None) -> Any:
    """They are kept as the input is, and in single precision where the weights are of another dtype."""
    is_mixed = any(weight is not None and weight.dtype is not x.dtype for weight in weights)
    dtype = torch.float32 if is_mixed else x.dtype
    return out[0], *(statistic.to(dtype) for statistic in out[1:])


def _windows(out: Tensor, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """In the memory of a tensor as large as the input, which is resized and may get larger (ATen/native/Im2Col.cpp)."""
    return out.new_empty(max(out.numel(), x.numel()))[: out.numel()].view(out.shape)


def _pad(out: Tensor, x: Tensor, padding: Any, mode: str = "constant", *_: Any, **__: Any) -> Tensor:
    return out if mode in ("constant", "circular") else _in_format_of(x, out)


def _loss(out: Tensor, x: Tensor, target: Tensor, *_: Any, **__: Any) -> Tensor:
    """The losses of the elements are computed in the memory that then holds their mean (ATen/native/Loss.cpp)."""
    shape = torch.broadcast_shapes(x.shape, target.shape)
    return out if out.dim() or not shape else out.new_empty(shape).as_strided((), ())


def _svd(out: tuple[Tensor, ...], *_: Any, **__: Any) -> tuple[Tensor, ...]:
    """LAPACK's matrices are column-major, both of them."""
    u, values, v = out
    return u, values, _column_major(v)


def _eig(out: tuple[Tensor, ...], *_: Any, **__: Any) -> tuple[Tensor, ...]:
    values, vectors = out
    return values, _column_major(vectors)


def _with_number(out: Tensor, x: Any, other: Any, *_: Any, **__: Any) -> Tensor:
    is_number = not isinstance(other, Tensor) or (other.dim() == 0 and other.dtype is x.dtype)
    if not is_number or not isinstance(x, Tensor) or 0 in x.stride() or 0 in x.shape:
        return out
    return iterated(out.shape, out.dtype, x, beside_number=True).empty()


def _iterated(out: Tensor, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """Row-major where the input is, also if dimensions of size 1 have other strides."""
    return _row_major(out) if x.is_contiguous() else out


def _column_major(matrix: Tensor) -> Tensor:
    return torch.empty_like(matrix.mT, memory_format=torch.contiguous_format).mT


_CORRECTIONS: Mapping[Any, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            _aten.embedding_bag.padding_idx, _aten.embedding_bag.default, _aten._embedding_bag.default,
            _aten._embedding_bag_forward_only.default,
        ),
        _embedding_bag,
    ),
    **dict.fromkeys(
        (
            _aten.batch_norm.default, _aten._native_batch_norm_legit.no_stats, _aten.max_unpool2d.default,
            _aten.reflection_pad2d.default, _aten.replication_pad2d.default, _aten.pixel_shuffle.default,
            _aten.pixel_unshuffle.default, _aten.channel_shuffle.default,
        ),
        _format,
    ),
    **dict.fromkeys(
        (
            _aten.convolution.default, _aten.conv2d.default, _aten.conv3d.default, _aten.conv_transpose2d.input,
            _aten.conv_transpose3d.input,
        ),
        _convolution,
    ),
    **dict.fromkeys(
        (
            _aten.native_layer_norm_backward.default, _aten._log_softmax_backward_data.default,
            _aten.nonzero_static.default, _aten.log_sigmoid.default, _aten.rrelu.default,
            _aten.rrelu_with_noise.default, _aten.max_pool1d.default, _aten.mse_loss_backward.default,
            _aten.smooth_l1_loss_backward.default, _aten.huber_loss_backward.default,
        ),
        _row_major,
    ),
    **dict.fromkeys(
        (
            _aten.softplus_backward.default, _aten.hardswish_backward.default, _aten.hardsigmoid_backward.default,
            _aten.hardtanh_backward.default, _aten.elu_backward.default, _aten.logit_backward.default,
        ),
        _as_a_sum,
    ),
    _aten.log_sigmoid_forward.default: _all_row_major,
    _aten.native_batch_norm.default: _native_batch_norm,
    _aten._native_batch_norm_legit.default: _native_batch_norm,
    **dict.fromkeys(
        (_aten.reflection_pad2d_backward.default, _aten.replication_pad2d_backward.default), _of_input
    ),
    _aten.native_batch_norm_backward.default: _batch_norm_backward,
    _aten.native_group_norm.default: _group_norm,
    _aten.native_group_norm_backward.default: _of_groups,
    _aten.native_layer_norm.default: _layer_norm,
    _aten.im2col.default: _windows,
    _aten.col2im.default: _windows,
    _aten.pad.default: _pad,
    **dict.fromkeys(
        (_aten.relu.default, _aten.hardshrink.default, _aten.clamp_min.default, _aten.threshold.default), _iterated
    ),
    **dict.fromkeys(
        (_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor, _aten.div.Tensor, _aten.rsub.Scalar), _with_number
    ),
    _aten._linalg_svd.default: _svd,
    _aten.linalg_eig.default: _eig,
    **dict.fromkeys(
        (
            _aten.mse_loss.default, _aten.smooth_l1_loss.default, _aten.binary_cross_entropy.default,
            _aten.soft_margin_loss.default,
        ),
        _loss,
    ),
}  # fmt: skip
