"""What does a CPU run instead? Composite operators take another way there than on meta tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from profiler.engine.meta.fused import fused_attention
from profiler.engine.meta.operators import is_composite
from profiler.engine.meta.recurrent import PACKED, RECURRENT

_aten = torch.ops.aten


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """Of rows that do not follow each other: the bias is added in place, but not while a dispatch mode is active."""
    if bias is None or x.dim() < 3 or x.is_contiguous():
        return None
    return torch.matmul(x, weight.t()).add_(bias)


# Each takes the operator's arguments, and returns None for a case in which there is no difference.
_INSTEAD: Mapping[Any, Callable[..., Any]] = {
    _aten.linear.default: _linear,
    _aten.scaled_dot_product_attention.default: fused_attention,
    **RECURRENT,
    **PACKED,
}
# Arguments, by position, whose values decide what is allocated: the batch sizes of packed sequences.
READ: Mapping[Any, int] = dict.fromkeys((*PACKED, _aten._pad_packed_sequence.default), 1)


def in_parts(func: Any, args: Any, kwargs: Any) -> Any:
    """A composite operator taken apart into the calls that a CPU makes, on meta tensors."""
    instead = _INSTEAD.get(func)
    out = None if instead is None else instead(*args, **kwargs)
    if out is not None:
        return out
    return _as_in_cpp(func, *args, **kwargs) if is_composite(func) else func.decompose(*args, **kwargs)


@contextmanager
def as_on_cpu() -> Iterator[None]:
    """Operators on meta tensors go the CPU's way: for runs with a graph, where composites do not arrive whole."""
    library = torch.library.Library("aten", "IMPL")
    for func in _INSTEAD:
        library.impl(func, partial(_called, func), "AutogradMeta")
    try:
        yield
    finally:
        library._destroy()


@contextmanager
def as_unseen() -> Iterator[None]:
    """Operators on real tensors go the way that they go while no dispatch mode is active, and that meta tensors go.

    oneDNN's kernel for LSTMs returns a workspace that only exists while gradients are on, which they are not below
    autograd: ATen's plain kernels take its place.
    """
    library = torch.library.Library("aten", "IMPL")
    library.impl("lstm.input", _lstm, "AutogradCPU")
    library.impl("linear", partial(_called, _aten.linear.default), "AutogradCPU")
    try:
        yield
    finally:
        library._destroy()


def _lstm(*args: Any, **kwargs: Any) -> Any:
    with torch.backends.mkldnn.flags(enabled=False):
        return _as_in_cpp(_aten.lstm.input, *args, **kwargs)


def _called(func: Any, *args: Any, **kwargs: Any) -> Any:
    out = _INSTEAD[func](*args, **kwargs)
    return _as_in_cpp(func, *args, **kwargs) if out is None else out


def _as_in_cpp(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Some have a version in Python as well, which `decompose` prefers, and which allocates other things."""
    return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
