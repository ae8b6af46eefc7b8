"""A list or dict of shapes: is it one argument of a forward pass, or one for each?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from profiler.records.inputs import TensorSpec


def spread(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments; shapes by the names of a forward pass's parameters are its keyword arguments, and several that it
    could not take as one list are several arguments.
    """
    given = args[0] if len(args) == 1 else None
    if type(given) not in (list, dict) or not given or not _are_shapes(given):
        return args, kwargs
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):  # it is written in C
        return args, kwargs
    if isinstance(given, dict):
        return ((), {**given, **kwargs}) if set(given) <= set(signature.parameters) else (args, kwargs)
    is_one, are_several = _binds(signature, args, kwargs), _binds(signature, tuple(given), kwargs)
    return (tuple(given), kwargs) if are_several and not is_one else (args, kwargs)


def _are_shapes(given: list[Any] | dict[Any, Any]) -> bool:
    values = given.values() if isinstance(given, dict) else given
    return any(isinstance(value, TensorSpec) for value in values)


def _binds(signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True
