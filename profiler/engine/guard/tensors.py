"""How are a tensor's memory, gradient, hooks and attributes saved and restored?"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from profiler.engine.containers.forms import is_plain
from profiler.engine.containers.layouts import TensorLayout, layout_of
from profiler.engine.guard.contents import copied, restore_dict
from profiler.engine.guard.failures import Failures
from profiler.engine.meta.mode import LeanDispatchMode


class _TensorState(NamedTuple):
    """A tensor as it was; values are not among what is held."""

    tensor: Tensor
    layout: TensorLayout
    storage: torch.UntypedStorage | None  # None where it has none, as a sparse tensor
    offset: Any
    cls: type
    version: int | None  # an inference tensor counts none
    requires_grad: bool
    grad: Tensor | None
    hooks: dict[Any, Any] | None
    after_hooks: dict[Any, Any] | None
    attributes: dict[str, Any] | None


class Tensors:
    """Parameters, buffers, inputs, and whatever else a run comes across: everything but their values."""

    what = "the weights"

    def __init__(self) -> None:
        self._states: dict[int, tuple[Any, ...]] = {}  # the fields of `_TensorState`

    def keep(self, tensor: Tensor, layout: TensorLayout) -> None:
        if id(tensor) in self._states:
            return
        cls, requires_grad, is_plain_one = type(tensor), tensor.requires_grad, layout.tensor.form is None
        storage, offset = (tensor.untyped_storage(), tensor.storage_offset()) if is_plain_one else (None, 0)
        self._states[id(tensor)] = (
            tensor,
            layout,
            storage,
            offset,
            cls,
            _version(tensor),
            requires_grad,
            tensor.grad if cls is Parameter or tensor.is_leaf else None,
            _copied(tensor._backward_hooks) if requires_grad else None,
            _copied(tensor._post_accumulate_grad_hooks) if requires_grad else None,
            tensor.__dict__.copy() or None,
        )

    def restore(self, failures: Failures) -> None:
        for entry in self._states.values():
            if not _is_same(*entry):
                state = _TensorState(*entry)
                failures.attempt("the memory of a weight", _restore_memory, state)
                failures.attempt("the class and attributes of a weight", _restore_attributes, state)
                failures.attempt("the gradient of a weight", _restore_gradient, state)
                failures.attempt("the hooks of a weight", _restore_hooks, state)


def _is_same(  # noqa: PLR0913, PLR0917  asked of every weight, so in as few steps as can be
    tensor: Tensor,
    layout: TensorLayout,
    storage: torch.UntypedStorage | None,
    offset: Any,
    cls: type,
    version: int | None,
    requires_grad: bool,
    grad: Tensor | None,
    hooks: Any,
    after_hooks: Any,
    attributes: Any,
) -> bool:
    """Whether nothing has to be put back. What is unusual (hooks, attributes, no storage) is put back at any rate."""
    return (
        type(tensor) is cls
        and storage is not None
        and version is not None
        and not (hooks or after_hooks or attributes)
        and layout_of(tensor) is layout
        and tensor.untyped_storage() is storage
        and bool(tensor.storage_offset() == offset)
        and tensor._version == version
        and tensor.requires_grad is requires_grad
        and tensor.is_leaf
        and tensor.grad is grad
        and not tensor.__dict__
        and not (requires_grad and (tensor._backward_hooks or tensor._post_accumulate_grad_hooks))
    )


def _version(tensor: Tensor) -> int | None:
    try:
        return tensor._version
    except RuntimeError:  # an inference tensor counts none
        return None


def _copied(hooks: dict[Any, Any] | None) -> dict[Any, Any] | None:
    return None if hooks is None else copied(hooks)


def _restore_memory(state: _TensorState) -> None:
    tensor, layout, storage = state.tensor, state.layout, state.storage
    if storage is None:
        return
    is_same = is_plain(tensor) and tensor.untyped_storage() is storage and tensor.storage_offset() == state.offset
    if not is_same or layout_of(tensor) is not layout:
        whole = torch.empty(0, dtype=layout.dtype, device=storage.device)
        exchange(tensor, whole.set_(storage, state.offset, layout.shape, layout.strides))


def _restore_gradient(state: _TensorState) -> None:
    tensor = state.tensor
    if tensor.requires_grad is not state.requires_grad:
        if not tensor.is_leaf:  # it was overwritten with what has a graph, and is part of that since
            tensor.detach_()
        tensor.requires_grad_(state.requires_grad)
    if tensor.is_leaf and tensor.grad is not state.grad:
        tensor.grad = state.grad
    if state.version is not None and _version(tensor) not in (None, state.version):
        _set_version(tensor, state.version)


def _set_version(tensor: Tensor, version: int) -> None:
    write: Any = torch._C._autograd._unsafe_set_version_counter
    try:
        write((tensor,), (version,))
    except TypeError:  # that of torch 2.6 takes one tensor
        write(tensor, version)


def _restore_hooks(state: _TensorState) -> None:
    tensor = state.tensor
    if tensor.requires_grad:
        _restore_registered(tensor, "_backward_hooks", state.hooks)
        _restore_registered(tensor, "_post_accumulate_grad_hooks", state.after_hooks)


def _restore_registered(tensor: Tensor, name: str, before: dict[Any, Any] | None) -> None:
    """Emptied as well as taken away, since torch goes on to call what is in a dict that it was once given."""
    registered = getattr(tensor, name)
    if registered is not None:
        restore_dict(registered, before or {})
        if before is None:
            setattr(tensor, name, None)
    elif before is not None:
        setattr(tensor, name, before)


def _restore_attributes(state: _TensorState) -> None:
    tensor = state.tensor
    if type(tensor) is not state.cls:
        tensor.__class__ = state.cls
    if tensor.__dict__ or state.attributes:
        restore_dict(tensor.__dict__, state.attributes or {})


class _Compatible(LeanDispatchMode):
    """torch asks an operator whether a tensor may have memory of another device, and a mode answers."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._has_compatible_shallow_copy_type.default:
            return True
        return func(*args, **(kwargs or {}))


def exchange(tensor: Tensor, other: Tensor) -> None:
    """Let a tensor have the memory of another, whatever device and dtype it has come to have itself.

    The object stays the same, and so do its place in graphs, its hooks and its count of versions.
    """
    with torch.inference_mode(), _Compatible():  # type: ignore[no-untyped-call]  # elsewhere a mode is not asked
        tensor.data = other


class SavedValues:
    """Values that an in-place operator is about to overwrite, copied first."""

    what = "the weights' values"

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._saved: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def before_write(self, tensor: Tensor) -> None:
        """Called before an in-place operator overwrites values that the model or the caller owns."""
        if is_plain(tensor) and not tensor.is_meta:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._saved:
                self._saved[storage._cdata] = (storage, storage.clone())
            self._tensors.keep(tensor, layout_of(tensor))

    def restore(self, failures: Failures) -> None:
        for storage, values in self._saved.values():
            failures.attempt("the values of a weight", _restore_values, storage, values)


def _restore_values(storage: torch.UntypedStorage, values: torch.UntypedStorage) -> None:
    if storage.nbytes() != values.nbytes():
        storage.resize_(values.nbytes())
    storage.copy_(values)
