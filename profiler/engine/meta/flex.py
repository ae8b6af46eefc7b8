"""Flex attention as a kernel: which scores do the blocks of its mask compute, and what is done to each of them?

The kernel that it is compiled to (https://arxiv.org/abs/2412.05496) passes over blocks of scores that the mask leaves
empty, masks those that it leaves in part, and computes the others whole. Eager code computes every score.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from profiler.engine.containers.layouts import META, layout_of
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.engine.meta.operators import each_tensor
from profiler.engine.meta.recording import RecorderProtocol
from profiler.records.trace import Tensor as TensorRecord
from profiler.records.trace import Value

NAME = "higher_order.flex_attention"
_LARGE = 1 << 30  # the side of the one block of a mask that masks nothing (`_LARGE_SPARSE_BLOCK_SIZE`)


def flex_attention(recorder: RecorderProtocol, op: Any, query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> Any:
    """One call forward and one backward, with the scores that are computed and what is done to each of them.

    rest: the function on scores, the mask's blocks and function, the scale, the kernel's options, and the tensors that
    either function closes over.
    """
    score_buffers = rest[4] if len(rest) > 4 else ()
    if torch.is_grad_enabled() and any(buffer.requires_grad for buffer in each_tensor(score_buffers)):
        return op.py_kernels[torch._C.DispatchKey.CompositeExplicitAutograd](query, key, value, *rest)
    with _disable_current_modes():
        facts = _facts(recorder, query, key, value, *rest)
    return _Kernel.apply(query, key, value, recorder, facts, rest)


def _facts(
    recorder: RecorderProtocol, query: Tensor, key: Tensor, value: Tensor, *rest: Any
) -> tuple[tuple[str, Value], ...]:
    score_mod, block_mask, _scale, _options, *buffers = rest
    score_buffers, mask_buffers = (*buffers, (), ())[:2]
    full = prod(query.shape[:-1]) * key.shape[-2]
    computed, masked = _computed(recorder, query, key, block_mask)
    if computed != full:
        macs, whole = (scores * (query.shape[-1] + value.shape[-1]) for scores in (computed, full))
        recorder.note(
            f"flex_attention computes {computed:,} of {full:,} scores, by the blocks of its mask: {macs:,} MACs, and "
            f"{whole:,} without the mask"
        )
    return (
        ("scores", computed),
        ("masked_scores", masked),
        ("score_mod", operators(score_mod, 1, score_buffers)),
        ("mask_mod", operators(block_mask[-1], 0, mask_buffers)),
    )


class _Kernel(torch.autograd.Function):
    """The kernel and that of its gradients, each written down as one call."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, recorder: RecorderProtocol, facts: Any, rest: Any
    ) -> Any:
        with _disable_current_modes():
            out = _run(recorder, query, key, value, *rest)
            recorder.foreign(NAME, [query, key, value], list(out), facts)
        ctx.save_for_backward(query, key, value, *out[:2])
        ctx.recorder, ctx.facts = recorder, facts
        ctx.mark_non_differentiable(*out[2:])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> Any:
        query, key, value, *saved = ctx.saved_tensors
        with _disable_current_modes():
            out = [torch.zeros_like(tensor) for tensor in (query, key, value)]
            ctx.recorder.foreign(NAME + "_backward", [grad, query, key, value, *saved], out, ctx.facts)
        return (*out, None, None, None)


def _run(recorder: RecorderProtocol, query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    """The plain formula on real tensors, and empty ones on meta: output, logarithms of sums, and maxima.

    That of torch 2.8 returns no maxima.
    """
    if recorder.run_real:
        from torch._higher_order_ops.flex_attention import sdpa_dense

        with torch.no_grad():
            result: tuple[Tensor, ...] = sdpa_dense(query, key, value, *rest)
            return result
    shape = (*query.shape[:-1], value.shape[-1])
    order = sorted(range(4), key=query.stride().__getitem__, reverse=True)
    out = torch.empty([shape[i] for i in order], dtype=query.dtype, device=META)
    of_rows = torch.float64 if query.dtype is torch.float64 else torch.float32
    results = 2 if hasattr(sys.modules["torch.nn.attention.flex_attention"], "AuxRequest") else 1
    of_each_row = (torch.empty(shape[:-1], dtype=of_rows, device=META) for _ in range(results))
    return out.permute([order.index(i) for i in range(4)]), *of_each_row


def _computed(recorder: RecorderProtocol, query: Tensor, key: Tensor, block_mask: tuple[Any, ...]) -> tuple[int, int]:
    """How many scores are in blocks that are computed, and in those of them that are masked."""
    *_, rows, columns, _mask_mod = block_mask
    q_length, k_length, shared = query.shape[-2], key.shape[-2], prod(query.shape[:2])
    if min(rows, columns) >= _LARGE:
        return prod(query.shape[:-1]) * k_length, 0
    blocks = [part for part in block_mask if not isinstance(part, int)]  # torch 2.5 has no lengths before them
    counts, indices, full_counts, full_indices = blocks[:4]
    if any(tensor is not None and tensor.is_meta for tensor in (counts, indices, full_counts, full_indices)):
        raise recorder.asks_for(f"the blocks of {NAME}'s mask")
    sizes = (rows, columns, q_length, k_length)
    partial = _in_blocks(counts, indices, *sizes) * (shared // prod(counts.shape[:-1]))
    if full_counts is None:
        return partial, partial
    return partial + _in_blocks(full_counts, full_indices, *sizes) * (shared // prod(full_counts.shape[:-1])), partial


def _in_blocks(counts: Tensor, indices: Tensor, rows: int, columns: int, q_length: int, k_length: int) -> int:
    """The last block of a row or a column may reach over the end."""
    blocks = torch.arange(counts.shape[-1])
    heights = (q_length - blocks * rows).clamp(0, rows)
    taken = torch.arange(indices.shape[-1]) < counts.cpu()[..., None]
    widths = (k_length - indices.cpu() * columns).clamp(0, columns) * taken
    return int((widths.sum(-1) * heights).sum())


class _Watching(LeanDispatchMode):
    """Notes each operator that is called on a score."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Value] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls.append((str(func), tuple(map(_value, args)), _value(out)))
        return out


def operators(mod: Callable[..., Any], scores: int, buffers: tuple[Any, ...]) -> Value:
    """What a function does to one score, by running it on one; None where that cannot be done.

    It is handed the score and where it stands: batch, head, query, key.
    """
    device = next((buffer.device for buffer in each_tensor(buffers)), torch.device("cpu"))
    arguments = [torch.zeros((), device=device) for _ in range(scores)]
    arguments += [torch.zeros((), dtype=torch.int, device=device) for _ in range(4)]
    with _Watching() as watching, torch.no_grad():
        try:
            mod(*arguments, *buffers)
        except (RuntimeError, NotImplementedError, TypeError, IndexError, ValueError):
            return None  # a weight of the model without values, or what only a batch of scores allows
    return tuple(watching.calls)


def _value(value: Any) -> Value:
    if isinstance(value, Tensor):
        return TensorRecord(layout_of(value).tensor.shape, layout_of(value).tensor.dtype)
    if isinstance(value, (list, tuple)):
        return tuple(map(_value, value))
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


@contextmanager
def on_any_device() -> Iterator[None]:
    """torch refuses meta tensors, and a backward pass on a CPU, before it looks further.

    And a mask that masks nothing is made on the query's device, which nobody need see.
    """
    module: Any = sys.modules.get("torch.nn.attention.flex_attention")
    if module is None:
        yield
        return
    create, validate = module._create_empty_block_mask, getattr(module, "_validate_device", None)

    def unseen_mask(query: Tensor, key: Tensor) -> Any:
        with _disable_current_modes():
            return create(query, key)

    module._create_empty_block_mask = unseen_mask
    if validate is not None:  # torch 2.5 refuses none
        module._validate_device = lambda *_: None
    try:
        yield
    finally:
        module._create_empty_block_mask = create
        if validate is not None:
            module._validate_device = validate
