"""How is tensors' metadata compared? Shape, strides and dtype are one shared object, and its pointers are compared."""

from __future__ import annotations

from typing import Final

import torch

from profiler.engine.containers.forms import record
from profiler.records.remembered import Shared
from profiler.records.trace import DTYPE_BITS, Tensor

META: Final = torch.device("meta")
MARK: Final = "_profiler_info"  # the attribute of a tensor in which a recorder keeps what it knows of it


class TensorLayout:
    """One (shape, strides, dtype). Equal ones are the same object: make them with `layout` and `layout_of`.

    That holds for as long as somebody holds it: a call that is remembered, or what a run knows of a tensor.
    """

    __slots__ = ("__weakref__", "_copied", "dtype", "is_row_major", "shape", "storage_bytes", "strides", "tensor")

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> None:
        self.shape = shape
        self.strides = strides
        self.dtype = dtype
        self.is_row_major = tuple(strides) == contiguous_strides(tuple(shape))
        recorded_strides = None if self.is_row_major else tuple(strides)
        self.tensor = Tensor(tuple(shape), str(dtype).removeprefix("torch."), recorded_strides)
        self.storage_bytes = self._span_bytes()
        self._copied: torch.Tensor | None = None

    def _span_bytes(self) -> int:
        """Bytes of a storage that holds exactly a tensor of this layout."""
        if 0 in self.shape:
            return 0
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        return ((last + 1) * DTYPE_BITS[self.tensor.dtype] + 7) // 8

    def empty(self) -> torch.Tensor:
        """A new meta tensor of this layout, with a storage of its own.

        A copy of another one, where that has its strides: to read shape and strides takes longer than all else.
        """
        if self._copied is not None:
            return self._copied.clone()
        tensor = torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=META)
        copied = tensor.clone()  # whose storage no run knows
        if copied.stride() == self.strides:
            self._copied = copied
        return tensor


_layouts: Shared[tuple[tuple[int, ...], tuple[int, ...], torch.dtype], TensorLayout] = Shared()


def layout(shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> TensorLayout:
    key = (shape, strides, dtype)
    return _layouts.find(key) or _layouts.add(key, TensorLayout(*key))


def layout_of(tensor: torch.Tensor) -> TensorLayout:
    if tensor.layout is not torch.strided or tensor.is_nested:
        return _of_form(tensor)
    key = (tensor.shape, tensor.stride(), tensor.dtype)
    reference = _layouts.get(key)
    return (reference and reference()) or layout(*key)


_forms: Shared[Tensor, TensorLayout] = Shared()


def _of_form(tensor: torch.Tensor) -> TensorLayout:
    """Of a sparse or nested tensor, which has no strides, and which nothing on meta can stand for."""
    form = record(tensor)
    shared = _forms.find(form)
    if shared is None:
        shared = _forms.add(form, TensorLayout(form.shape, contiguous_strides(form.shape), tensor.dtype))
        shared.tensor, shared.storage_bytes = form, form.size_bytes
    return shared


def contiguous(shape: tuple[int, ...], dtype: torch.dtype) -> TensorLayout:
    return layout(shape, contiguous_strides(shape), dtype)


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides, as torch gives them (a dimension of size 0 counts as 1)."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size or 1
    return tuple(reversed(strides))
