"""Which arguments does a builder take? Part of the message where one of a spec is wrong or missing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from traceback import walk_tb
from types import FrameType
from typing import Any

from profiler import errors

_UNEXPECTED = re.compile(r"(?P<callable>[\w.<>]+)\(\) got an unexpected keyword argument '(?P<name>\w+)'")
_SHOWN = 12
_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def remedy(builder: Callable[..., Any], kwargs: Mapping[str, Any], name: str, error: BaseException) -> str | None:
    """The remedy for an error of a call; None where it is not about the names of these arguments.

    An error without a traceback is about the builder's own signature: nothing was called.
    """
    if not isinstance(error, TypeError):
        return None
    function = _innermost(builder)
    own = _parameters(function)
    wrong = _refused(function, kwargs) if error.__traceback__ is None else _named(error, kwargs)
    names = list(dict.fromkeys([*_of_inner(error), *(parameter.name for parameter in own)]))
    accepted = f"it takes {', '.join(names[:_SHOWN]) or 'no arguments'}{', ...' * (len(names) > _SHOWN)}"
    if wrong is not None:
        near = errors.nearest(wrong, names, 1)
        return f"did you mean {near[0]}? {accepted}" if near else accepted
    missing = [p.name for p in own if p.default is p.empty and p.name not in kwargs]
    if error.__traceback__ is not None or not missing:
        return None
    prefix = f"{name.removesuffix(')')}, " if kwargs else f"{name.partition('(')[0]}("
    return f"write {prefix}{', '.join(f'{each}=...' for each in missing)}); {accepted}"


def _innermost(builder: Callable[..., Any]) -> Callable[..., Any] | None:
    """The builder that the user named: for one of our partials, the function inside."""
    if isinstance(builder, partial):
        return builder.args[0] if callable(builder.args[0]) else None
    return builder


def _parameters(function: Callable[..., Any] | None) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values() if function else ()
    except (TypeError, ValueError):  # it is written in C
        return []
    return [parameter for parameter in parameters if parameter.kind in _BY_KEYWORD]


def _refused(function: Callable[..., Any] | None, kwargs: Mapping[str, Any]) -> str | None:
    """The argument that a function itself does not take."""
    for name in kwargs if function else ():
        try:
            inspect.signature(function).bind_partial(**{name: None})  # type: ignore[arg-type]
        except TypeError:
            return name
    return None


def _named(error: TypeError, kwargs: Mapping[str, Any]) -> str | None:
    """The argument that a function called by the builder did not accept, where it is one of these."""
    match = _UNEXPECTED.search(errors.text_of(error))
    return match["name"] if match is not None and match["name"] in kwargs else None


def _of_inner(error: TypeError) -> Iterator[str]:
    """The arguments with defaults of the callables that a builder passed one on to; it sets the others itself."""
    match = _UNEXPECTED.search(errors.text_of(error))
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    if match is None or not frames:
        return
    for frame in frames:
        if frame.f_code.co_name == "__init__" and _hands_on(frame, match["name"]):
            yield from _with_default(type(frame.f_locals[frame.f_code.co_varnames[0]]))
    yield from _with_default(_called(frames[-1], match["callable"].removesuffix(".__init__")))


def _hands_on(frame: FrameType, name: str) -> bool:
    return any(isinstance(value, dict) and name in value for value in frame.f_locals.values())


def _with_default(function: Callable[..., Any] | None) -> Iterator[str]:
    return (parameter.name for parameter in _parameters(function) if parameter.default is not parameter.empty)


def _called(frame: FrameType, qualified: str) -> Callable[..., Any] | None:
    """The function that a frame called, by its qualified name in the error."""
    values = (*frame.f_locals.values(), *frame.f_globals.values())
    return next((v for v in values if callable(v) and getattr(v, "__qualname__", None) == qualified), None)
