"""Which attention runs as one kernel? On meta tensors torch takes the plain formula, whose scores take memory.

A CPU takes the fused kernel in the cases that `is_fused` knows (ATen/native/transformers/sdp_utils_cpp.cpp). Others,
such as dropout or a mask that is trained, take the plain formula on any device.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import _disable_current_modes

_aten = torch.ops.aten


def is_fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    *_: Any,
    enable_gqa: bool = False,
    **__: Any,
) -> bool:
    """Whether one kernel computes this attention: of equal channels, without dropout; heads may share their keys."""
    if query.dim() not in (3, 4) or not query.dtype.is_floating_point or dropout_p:
        return False
    if query.dim() == 3 and not _kernel_takes(3, 2):
        return False
    *batch, heads, length, channels = query.shape
    for other in (key, value):
        if other.dim() != query.dim() or (*other.shape[:-3], other.shape[-1]) != (*batch, channels):
            return False
    if any(t.dtype is not query.dtype or t.stride(-1) != 1 or 0 in t.shape for t in (query, key, value)):
        return False
    if attn_mask is not None and attn_mask.requires_grad and torch.is_grad_enabled():
        return False
    shares = enable_gqa and query.dim() == 4 and heads % key.shape[-3] == 0 and _kernel_takes(4, 1)
    if key.shape[-3:-1] != value.shape[-3:-1] or not (shares or key.shape[-3] == heads):
        return False
    return _is_mask(attn_mask, (*batch, heads, length, key.shape[-2]), query.dtype)


@cache
def _kernel_takes(dimensions: int, heads_of_keys: int) -> bool:
    """Whether the installed torch's kernel takes a tensor of so many dimensions, and two heads that share their keys.

    That of torch 2.5 does neither with three dimensions nor with one head of keys.
    """
    query, key = (torch.zeros((1, heads, 2, 8)[-dimensions:], device="cpu") for heads in (2, heads_of_keys))
    with _disable_current_modes(), sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        choice = torch._fused_sdp_choice(query, key, key, enable_gqa=heads_of_keys == 1)
    return choice == SDPBackend.FLASH_ATTENTION.value


def _is_mask(mask: Tensor | None, shape: Sequence[int], dtype: torch.dtype) -> bool:
    if mask is None:
        return True
    if mask.dim() not in (2, len(shape)) or mask.dtype not in (torch.bool, dtype):
        return False
    return all(a in (1, b) for a, b in zip(reversed(mask.shape), reversed(shape), strict=False))


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor | None:
    """`scaled_dot_product_attention` by the CPU's kernel; None where it takes no such case."""
    if not is_fused(query, key, value, attn_mask, dropout_p, enable_gqa=enable_gqa):
        return None
    if query.dim() == 3:
        mask = attn_mask[None] if attn_mask is not None and attn_mask.dim() == 3 else attn_mask
        return _kernel(query[None], key[None], value[None], mask, is_causal, scale).squeeze(0)
    return _kernel(query, key, value, attn_mask, is_causal, scale)


def _kernel(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, is_causal: bool, scale: float | None
) -> Tensor:
    mask = _as_numbers(attn_mask, query.dtype) if attn_mask is not None and attn_mask.dtype is torch.bool else attn_mask
    kernel = _aten._scaled_dot_product_flash_attention_for_cpu.default
    out: Tensor = kernel(query, key, value, 0.0, is_causal, attn_mask=mask, scale=scale)[0]
    return out


def _as_numbers(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Zero where a mask lets through and minus infinity elsewhere, as torch converts it for the kernel."""
    return torch.where(mask, 0.0, torch.scalar_tensor(float("-inf"), dtype=dtype, device=mask.device))
