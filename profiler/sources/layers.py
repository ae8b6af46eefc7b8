"""What stands in the place of a layer? `Conv2d(64, 64, 1)` of torch.nn, or what FILE.py:CALLABLE makes of the layer."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.engine.changing.subjects import Maker
from profiler.records.spec import Spec, parse
from profiler.sources import mistakes
from profiler.sources.build import as_model, build, build_real
from profiler.sources.python import attribute

_CAST = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def maker(by: Any) -> Maker:
    """What makes the layer that a text, a class, a function or a layer itself stands for.

    A callable is handed the layer whose place it takes where one positional parameter is left without a value, and it
    is no class of torch.nn. Of a layer itself there is a copy for each place. Raises `errors.ProfileError`.
    """
    if isinstance(by, nn.Module):
        return lambda old, model: _copied(by)
    if isinstance(by, str):
        spec = parse(by, takes_positional=True)
        return partial(_made, spec.text, _target(spec), spec.args, spec.kwargs)
    if not callable(by):
        raise _no_layer(repr(by), type(by).__name__)
    return partial(_made, getattr(by, "__qualname__", type(by).__name__), by, (), {})


def _copied(layer: nn.Module) -> nn.Module:
    """Places that shared one layer would share its weights."""
    try:
        return copy.deepcopy(layer)
    except Exception as error:
        raise _not_copied(type(layer).__name__, error) from error


def _target(spec: Spec) -> Callable[..., Any]:
    """The class or function that a text names."""
    if spec.prefix is None:
        return _class(spec)
    mistakes.check_code(spec)
    target = attribute(spec)
    if isinstance(target, nn.Module) or not callable(target):
        raise _no_layer(spec.text, type(target).__name__)
    return target  # type: ignore[no-any-return]


def _class(spec: Spec) -> type[nn.Module]:
    classes = {name: cls for name, cls in vars(nn).items() if isinstance(cls, type) and issubclass(cls, nn.Module)}
    if spec.target not in classes:
        raise _no_such_class(spec, classes)
    return classes[spec.target]


def _made(
    name: str,
    target: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    old: nn.Module,
    model: nn.Module,
) -> nn.Module:
    """A layer without weights, where the model has none; else on the model's device. Its dtype is that of the old."""
    is_torchs = getattr(target, "__module__", "").startswith("torch.nn.")
    takes_old = not args and not is_torchs and _takes_one(target, kwargs)
    builder: Callable[..., Any] = partial(target, *args) if args else target
    if takes_old:

        def builder(**settings: Any) -> Any:
            return target(old, **settings)

    is_meta = any(weight.is_meta for weight in model.parameters())
    new = as_model((build if is_meta else build_real)(builder, kwargs, name), name)
    if takes_old:  # of which the new one may hold parts
        return new
    weight = next((w for w in chain(old.parameters(), model.parameters()) if w.dtype in _CAST), None)
    if weight is not None:
        new.to(weight.device, weight.dtype)
    return new.train(old.training)


def _takes_one(target: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether one positional parameter has no value."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # it is written in C
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len([p for p in parameters if p.kind in positional and p.default is p.empty and p.name not in kwargs]) == 1


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_class(spec: Spec, classes: Mapping[str, type]) -> errors.ProfileError:
    near = errors.nearest(spec.target, classes)
    hint = f"did you mean {', '.join(near)}?" if near else "write a class such as Identity, or FILE.py:CALLABLE"
    return errors.ProfileError(f"torch.nn has no layer {spec.target!r}; {hint}")


def _no_layer(text: str, kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{text} is of type {kind}, and makes no layer; name a class, or a function that returns a torch.nn.Module"
    )


def _not_copied(kind: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"the {kind} given cannot be copied for each place ({type(error).__name__}: {errors.first_line(error)}); give "
        "its class, or a function that makes it"
    )
