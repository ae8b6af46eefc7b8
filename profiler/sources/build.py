"""How is a model built without its weights?

Memory that a constructor asks for, and every random number in it, becomes a meta tensor; what a constructor computes
from plain constants (widths, masks, position tables) stays real, since constructors look at such values. Filling a meta
tensor is skipped. Models that look into their own weights while they are built are built for real.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.engine.guard.during import uncollected
from profiler.engine.guard.randomness import restored_randomness
from profiler.engine.meta.constants import LARGEST
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.engine.run.values import free_bytes
from profiler.records.quantities import size_up
from profiler.sources.signatures import remedy

_META = torch.device("meta")
_aten = torch.ops.aten
_WITHOUT_VALUES = {
    "empty",
    "empty_strided",
    "rand",
    "randn",
    "randint",
    "normal",
}  # factories of memory or random numbers
_MEMORY = {*_WITHOUT_VALUES, "zeros", "ones", "full"}
_CONSTANT_VALUES = {"zeros", "ones", "full"}  # real while small: no constructor reads the values of a large one
_LARGE = 4096  # elements


class _WithoutWeights(LeanDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = args[0] if args else None
        overwrites = func._opname.endswith("_")
        if overwrites and isinstance(first, torch.Tensor) and first.is_meta:  # two thirds of all calls fill a weight
            return first
        kwargs = kwargs or {}
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        if any(t.is_meta for t in tensors):
            if overwrites and tensors[0] is first:
                return first
            return func(*map(_to_meta, args), **{k: _to_meta(v) for k, v in kwargs.items()})
        if not tensors and _becomes_meta(func, args) and (_is_in_constructor() or _is_large(args)):
            return func(*args, **{**kwargs, "device": _META, "pin_memory": False})
        return func(*args, **kwargs)


class _MemoryLimit(LeanDispatchMode):
    """Raises where more memory than is free is requested; `reason` is why building without weights failed."""

    def __init__(self, name: str, reason: Exception) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name, self._reason = name, reason
        self._free, self._requested = free_bytes(), 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._opname in _MEMORY:
            self._requested += func(*args, **{**kwargs, "device": _META, "pin_memory": False}).nbytes
            if self._requested > self._free:
                raise _build_does_not_fit(self._name, self._reason, self._free)
        return func(*args, **kwargs)


def _becomes_meta(func: Any, args: Any) -> bool:
    name = func._opname
    if name in _WITHOUT_VALUES:
        return True
    return name in _CONSTANT_VALUES and len(args[0]) > 0 and torch.Size(args[0]).numel() > _LARGE


def _is_in_constructor() -> bool:
    """Whether a module is under construction: a tensor that is made elsewhere is an input, not a weight."""
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__init__" and isinstance(frame.f_locals.get(code.co_varnames[0]), nn.Module):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _is_large(args: Any) -> bool:
    sizes = next((value for value in args if isinstance(value, (list, tuple))), ())
    return math.prod(sizes) > LARGEST


def _to_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(_META)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_to_meta, value))
    return _META if isinstance(value, torch.device) else value


def build(builder: Callable[..., Any], kwargs: Mapping[str, Any], name: str, is_small: bool = True) -> Any:
    """Call a model's builder without allocating or initialising its weights, and without moving the random state.

    Where that raises, it is built with its weights. is_small: skip the check that there is memory for them.
    """
    _check_arguments(builder, kwargs, name)
    try:
        # Some thousand modules at once make the collector walk all that was imported, again and again.
        with restored_randomness(), uncollected(), torch.no_grad(), _WithoutWeights():  # type: ignore[no-untyped-call]
            return builder(**kwargs)
    except Exception as error:  # meta tensors may break anything; an error with real ones is reported
        reason = error
    try:  # outside the handler, so that an error here is not chained to that one
        with nullcontext() if is_small else _MemoryLimit(name, reason):
            return build_real(builder, kwargs, name)
    finally:
        del reason  # its traceback refers to this frame


def build_real(builder: Callable[..., Any], kwargs: Mapping[str, Any], name: str) -> Any:
    """Call a model's builder and let it initialise its weights."""
    try:
        with restored_randomness(seeded=True):
            return builder(**kwargs)
    except errors.ProfileError:
        raise
    except Exception as error:
        raise errors.BuilderFailed(name, error, remedy(builder, kwargs, name, error)) from error


def _check_arguments(builder: Callable[..., Any], kwargs: Mapping[str, Any], name: str) -> None:
    try:
        inspect.signature(builder).bind(**kwargs)
    except TypeError as error:
        error = error.with_traceback(None)  # it would show only this file: nothing was called
        raise errors.BuilderFailed(name, error, remedy(builder, kwargs, name, error)) from None
    except ValueError:  # no signature to look at
        pass


def as_model(built: Any, name: str) -> nn.Module:
    if not isinstance(built, nn.Module):
        raise errors.not_a_model(name, type(built).__name__)
    return built


# Error messages -------------------------------------------------------------------------------------------------------


def _build_does_not_fit(text: str, error: Exception, free: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{text} cannot be built without its weights ({type(error).__name__}: {errors.said(error)}), and with them it "
        f"takes more than the {size_up(free)} that are free; check its arguments, or use a machine with "
        "more memory"
    )
