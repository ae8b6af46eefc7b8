"""What is a tensor kept in that is not one block of memory? Values and indices, or parts of several shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from profiler.records.trace import NESTED
from profiler.records.trace import Tensor as TensorRecord

INDICES: Mapping[torch.layout, tuple[str, ...]] = {
    torch.sparse_coo: ("_indices",),
    torch.sparse_csr: ("crow_indices", "col_indices"),
    torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"),
    torch.sparse_bsc: ("ccol_indices", "row_indices"),
}


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is one block of memory, as nearly all are."""
    return tensor.layout is torch.strided and not tensor.is_nested


def called(tensor: Tensor) -> str:
    """How a form is called: "sparse_coo", "nested"."""
    return NESTED if tensor.is_nested else _name(tensor.layout)


def is_jagged(kind: type) -> bool:
    """Whether tensors of a class are nested ones that compute by an ordinary tensor of all their rows."""
    return kind.__module__ == "torch.nested._internal.nested_tensor"


def pieces(tensor: Tensor) -> list[Tensor]:
    """The tensors that one is kept in, the values first; an ordinary tensor is kept in itself."""
    if is_plain(tensor):
        return [tensor]
    with _disable_current_modes():
        if tensor.layout in INDICES:
            return list(_of_sparse(tensor.detach()))
        if is_jagged(type(tensor)):
            jagged: Any = tensor
            return [jagged._values, jagged._offsets]
        return [tensor.values()] if tensor.is_nested else [tensor]


def _of_sparse(tensor: Tensor) -> Iterator[Tensor]:
    yield tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()
    for name in INDICES[tensor.layout]:
        yield getattr(tensor, name)()


def record(tensor: Tensor) -> TensorRecord:
    """A tensor that is not one block, as records hold it."""
    dtype = _name(tensor.dtype)
    if not tensor.is_nested:
        parts = [_plain_record(piece) for piece in pieces(tensor)] if tensor.layout in INDICES else []
        form = _name(tensor.layout) if parts else None
        return TensorRecord(tuple(tensor.shape), dtype, None, form, tuple(parts))
    with _disable_current_modes():
        parts = [_plain_record(part) for part in tensor.detach().unbind()]
    longest = tuple(max(sizes) for sizes in zip(*(part.shape for part in parts), strict=True))
    return TensorRecord((len(parts), *longest), dtype, None, NESTED, tuple(parts))


def _plain_record(tensor: Tensor) -> TensorRecord:
    return TensorRecord(tuple(tensor.shape), _name(tensor.dtype))


def _name(value: object) -> str:
    return str(value).removeprefix("torch.")
