"""What a CPU's kernels return where torch's functions for meta tensors say otherwise.

`SAYS[op](returned, *args, **kwargs)` takes what torch said on meta and returns it as a kernel would. Each is tested
against the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten
_SUM, _MAX = 0, 2  # modes of an embedding bag
_OF_BAGS = (
    "offsets", "scale_grad_by_freq", "mode", "sparse", "per_sample_weights", "include_last_offset", "padding_idx",
)  # fmt: skip


def returned(func: Any, out: Any, args: Any, kwargs: Any) -> Any:
    """What an operator returned on meta, corrected."""
    correct = _CORRECTIONS.get(func)
    return out if correct is None else correct(out, *args, **kwargs)


def _embedding_bag(out: Any, weight: Tensor, indices: Tensor, *rest: Any, **named: Any) -> tuple[Tensor, ...]:
    """The fast way to sum needs no map from indices to bags, which is made with one element more than is kept; what
    a maximum keeps of its own is otherwise as large as the sizes (ATen/native/EmbeddingBag.cpp).
    """
    bags, offset2bag, bag_size, max_indices = out
    asked = {**dict(zip(_OF_BAGS, rest, strict=False)), **named}
    mode = asked.get("mode", _SUM)
    if mode == _SUM and _is_summed_fast(weight, asked.get("per_sample_weights"), asked.get("padding_idx")):
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
    channels_last = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    keeps = x.dim() in (4, 5) and x.is_contiguous(memory_format=channels_last) and not x.is_contiguous()
    return torch.empty_like(out, memory_format=channels_last if keeps else torch.contiguous_format)


def _loss(out: Tensor, x: Tensor, target: Tensor, *_: Any, **__: Any) -> Tensor:
    """The losses of the elements are computed in the memory that then holds their mean (ATen/native/Loss.cpp)."""
    shape = torch.broadcast_shapes(x.shape, target.shape)
    return out if out.dim() or not shape else out.new_empty(shape).as_strided((), ())


def _svd(out: tuple[Tensor, ...], *_: Any, **__: Any) -> tuple[Tensor, ...]:
    """LAPACK's matrices are column-major, both of them."""
    u, values, v = out
    return u, values, torch.empty_like(v.mT, memory_format=torch.contiguous_format).mT


_CORRECTIONS: Mapping[Any, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            _aten.embedding_bag.padding_idx, _aten.embedding_bag.default, _aten._embedding_bag.default,
            _aten._embedding_bag_forward_only.default,
        ),
        _embedding_bag,
    ),
    _aten.batch_norm.default: _format,
    _aten.native_batch_norm.default: _native_batch_norm,
    _aten._native_batch_norm_legit.default: _native_batch_norm,
    _aten._native_batch_norm_legit.no_stats: _format,
    _aten.native_group_norm.default: _format,
    _aten.max_unpool2d.default: _format,
    _aten._linalg_svd.default: _svd,
    **dict.fromkeys(
        (
            _aten.mse_loss.default, _aten.smooth_l1_loss.default, _aten.binary_cross_entropy.default,
            _aten.soft_margin_loss.default,
        ),
        _loss,
    ),
}  # fmt: skip
