"""A list or dict of shapes: is it one argument of a forward pass, or one for each?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from profiler.records.inputs import TensorSpec


def spread(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments. A dict of shapes by the names of parameters becomes keyword arguments; a list that the model could
    not take as one argument becomes several.
    """
    argument = args[0] if len(args) == 1 else None
    if type(argument) not in (list, dict) or not argument or not _are_shapes(argument):
        return args, kwargs
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):  # it is written in C
        return args, kwargs
    if isinstance(argument, dict):
        return ((), {**argument, **kwargs}) if set(argument) <= set(signature.parameters) else (args, kwargs)
    fits_as_one, fits_as_several = _binds(signature, args, kwargs), _binds(signature, tuple(argument), kwargs)
    return (tuple(argument), kwargs) if fits_as_several and not fits_as_one else (args, kwargs)


def _are_shapes(argument: list[Any] | dict[Any, Any]) -> bool:
    values = argument.values() if isinstance(argument, dict) else argument
    return any(isinstance(value, TensorSpec) for value in values)


def _binds(signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True
