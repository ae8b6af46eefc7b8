"""What is a thread in? Dispatch modes, function modes (the default device is one), autocast, gradients.

A forward pass may enter one and not leave it. These come back first: putting a weight back is itself a few operators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import _C
from torch._C._dynamo import guards
from torch.overrides import _get_current_function_mode_stack
from torch.utils import _python_dispatch as dispatch

from profiler.engine.guard.failures import Failures

_DEVICES = ("cpu", "cuda", "mps", "xpu")  # that autocast is likely to be set for
# Whether the thread is in a mode that the compiler minds: torch has it twice, in Python and in C++, or not at all.
_MINDED = "_is_in_any_mode_without_ignore_compile_internals"
_FLAGS = tuple(
    name
    for name in ("_is_in_torch_dispatch_mode", "_is_in_non_infra_torch_dispatch_mode", _MINDED)
    if hasattr(dispatch, name)
)
_default: Any = torch._GLOBAL_DEVICE_CONTEXT
_UNSET = object()


class Stacks:
    """Of the thread that makes it."""

    what = "the modes that the thread is in"

    def __init__(self) -> None:
        self._gradients = torch.is_grad_enabled()
        self._dispatch = dispatch._get_current_dispatch_mode_stack()
        self._dispatch_flags = [getattr(dispatch, name) for name in _FLAGS]
        self._functions = _get_current_function_mode_stack()
        self._default_device = getattr(_default, "device_context", _UNSET)
        self._autocast = [_autocast(device) for device in _DEVICES]
        self._is_cached = torch.is_autocast_cache_enabled()
        self._nesting = _nesting()
        self._saved = _saving()

    def restore(self, failures: Failures) -> None:
        failures.attempt("dispatch modes", self._restore_dispatch)
        failures.attempt("function modes", self._restore_functions)
        failures.attempt("whether gradients are on", torch._C._set_grad_enabled, self._gradients)
        failures.attempt("autocast", self._restore_autocast)
        failures.attempt("hooks of saved tensors", self._restore_saved)

    def _restore_dispatch(self) -> None:
        if not _same(dispatch._get_current_dispatch_mode_stack(), self._dispatch):
            _refill(self._dispatch, _C._len_torch_dispatch_stack, dispatch._pop_mode, dispatch._push_mode)
        for name, value in zip(_FLAGS, self._dispatch_flags, strict=True):
            setattr(dispatch, name, value)
        if _MINDED in _FLAGS:
            guards.set_is_in_mode_without_ignore_compile_internals(getattr(dispatch, _MINDED))

    def _restore_functions(self) -> None:
        if self._default_device is not _UNSET:
            _default.device_context = self._default_device
        elif hasattr(_default, "device_context"):
            del _default.device_context  # torch 2.6 does not expect None
        if not _same(_get_current_function_mode_stack(), self._functions):
            stack = torch.overrides
            _refill(self._functions, _C._len_torch_function_stack, stack._pop_mode, stack._push_mode)

    def _restore_autocast(self) -> None:
        for device, before in zip(_DEVICES, self._autocast, strict=True):
            if _autocast(device) != before:
                enabled, dtype = before
                torch.set_autocast_enabled(device, enabled)
                torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(self._is_cached)
        while _nesting() > self._nesting:
            torch.autocast_decrement_nesting()
        while _nesting() < self._nesting:
            torch.autocast_increment_nesting()
        if not self._nesting:
            torch.clear_autocast_cache()

    def _restore_saved(self) -> None:
        while _saving() not in (self._saved, None):
            _C._autograd._pop_saved_tensors_default_hooks()


def _autocast(device: str) -> tuple[bool, torch.dtype]:
    return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)


def _nesting() -> int:
    """How many autocasts the thread is in; torch tells it to those alone who enter one more."""
    depth: int = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return depth


def _saving() -> Any:
    """The functions that tensors saved for the backward pass go through, of the innermost context; None without.

    None on a torch that cannot be asked, too: a context that a model left open stays open there.
    """
    innermost = getattr(_C._autograd, "_top_saved_tensors_default_hooks", None)
    return None if innermost is None else innermost(False)


def _same(stack: list[Any], before: list[Any]) -> bool:
    return len(stack) == len(before) and all(mode is other for mode, other in zip(stack, before, strict=True))


def _refill(before: list[Any], depth: Callable[[], int], pop: Callable[[], Any], push: Callable[[Any], None]) -> None:
    while depth():
        pop()
    for mode in before:
        push(mode)
