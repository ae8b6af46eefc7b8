"""Which constants are computed amid a run on meta? Those that are small: a mask of 131,072 x 131,072 is not.

A constant is what depends on no weight and no activation: token ids, positions, masks. Models ask for values of small
ones, and of large ones hardly ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.layouts import META
from profiler.engine.meta.operators import each_tensor

LARGEST = 1 << 22  # elements
# What makes constants: all else that is made on a device that computes nothing has no values.
_MAKERS = {
    "arange", "eye", "full", "linspace", "logspace", "ones", "scalar_tensor", "tril_indices", "triu_indices", "zeros",
}  # fmt: skip
_CPU = torch.device("cpu")


def asks_for_meta(args: Any, kwargs: Any) -> bool:
    """Whether something is to be made on the device that the model believes to run on."""
    return kwargs.get("device") == META or any(value == META for value in args if type(value) is torch.device)


def names_device(args: Any, kwargs: Any) -> bool:
    """Whether something is to be made on a device that is named: in a backward pass, that of a gradient."""
    return kwargs.get("device") is not None or any(type(value) is torch.device for value in args)


def stays_for_model(args: Any, kwargs: Any) -> bool:
    """Whether `_to_copy` moves a meta tensor to where the model sees it already, which on a real one is nothing."""
    device = kwargs.get("device")
    return device is not None and device != META and args[0].is_meta and _is_moved(args, kwargs)


def joins_meta(args: Any, kwargs: Any) -> bool:
    """Whether `_to_copy` moves a constant to a meta tensor, as `type_as` does: the model sees them together."""
    return kwargs.get("device") == META and not args[0].is_meta and _is_moved(args, kwargs)


def _is_moved(args: Any, kwargs: Any) -> bool:
    """Whether nothing but the device is to be another."""
    return kwargs.get("memory_format") is None and kwargs.get("dtype") in (None, args[0].dtype)


def where_it_is(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments of an operator on meta tensors: a device among them is that on which the model sees those."""
    if not any(tensor.is_meta for tensor in each_tensor(args)):
        return args, kwargs
    args = [META if type(value) is torch.device else value for value in args]
    return args, {**kwargs, "device": META} if kwargs.get("device") is not None else kwargs


def with_values(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments, so that what is made of constants alone has values, on whatever device it is asked for."""
    if not asks_for_meta(args, kwargs) or not _makes_constants(func, args):
        return args, kwargs
    args = [_CPU if type(value) is torch.device else value for value in args]
    return args, {**kwargs, "device": _CPU} if "device" in kwargs else kwargs


def _makes_constants(func: Any, args: Any) -> bool:
    return func._opname in _MAKERS or next(each_tensor(args), None) is not None


def is_large(func: Any, args: Any, kwargs: Any, on_meta: Callable[[Any], Any]) -> bool:
    """Whether an operator on constants would make a large one; torch is asked where it might be."""
    if _bound((*args, *kwargs.values())) <= LARGEST:
        return False
    arguments = [on_meta(value) for value in args], {name: on_meta(value) for name, value in kwargs.items()}
    try:
        out = func(*arguments[0], **arguments[1])
    except (RuntimeError, NotImplementedError, IndexError, ValueError, TypeError):
        return False  # it depends on values how much there is, or is an error, which the real run will tell
    return any(tensor.numel() > LARGEST for tensor in each_tensor(out))


def _bound(values: Iterable[Any]) -> int:
    """No operator makes more of these arguments than all of them multiplied."""
    return math.prod(max(1, size) for size in _sizes(values))


def _sizes(values: Iterable[Any]) -> Iterator[int]:
    for value in values:
        if isinstance(value, Tensor):
            yield value.numel()
        elif type(value) is int or type(value) is float:
            yield 1 if math.isnan(value) else int(min(abs(value), 1 << 40))
        elif isinstance(value, (list, tuple)):
            yield from _sizes(value)
