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


def _batch_norm(out: Any, x: Tensor, *_: Any, **__: Any) -> Any:
    """The output is row-major, or channels last where the input is (ATen/native/Normalization.cpp)."""
    first = out if isinstance(out, Tensor) else out[0]
    channels_last = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    keeps = x.dim() in (4, 5) and x.is_contiguous(memory_format=channels_last) and not x.is_contiguous()
    made = torch.empty_like(first, memory_format=channels_last if keeps else torch.contiguous_format)
    return made if isinstance(out, Tensor) else (made, *out[1:])


_CORRECTIONS: Mapping[Any, Callable[..., Any]] = {
    _aten.embedding_bag.padding_idx: _embedding_bag,
    _aten.embedding_bag.default: _embedding_bag,
    _aten._embedding_bag.default: _embedding_bag,
    _aten._embedding_bag_forward_only.default: _embedding_bag,
    _aten.batch_norm.default: _batch_norm,
    _aten.native_batch_norm.default: _batch_norm,
    _aten._native_batch_norm_legit.default: _batch_norm,
    _aten._native_batch_norm_legit.no_stats: _batch_norm,
}
