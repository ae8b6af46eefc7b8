"""What does --traceback print? Python's traceback of what a model's code raised, without this package's frames."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator

from profiler import errors
from profiler.errors import LayerRun, ModelFailed, ProfileError, printable, shapes, shown

_OURS = os.path.dirname(errors.__file__) + os.sep
_LONGEST = 200_000  # characters: an exception may say anything


def traceback_of(error: BaseException) -> str:
    """What led to an error of ours, as lines for a terminal; "" where nothing was raised but that error."""
    cause = error.__cause__
    while isinstance(cause, ProfileError):
        cause = cause.__cause__
    if cause is None:
        return ""
    whole = traceback.TracebackException.from_exception(cause)
    if not _is_ours(whole.stack):
        for part in _each(whole, set()):
            part.stack = _without_ours(part.stack)
    text = "".join(whole.format())
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}\n...\n{text[-_LONGEST // 2 :]}"
    return printable(text)


def layers_of(error: BaseException) -> str:
    """What ran until it failed, as a report, and the layer that did; "" where that is not known."""
    while isinstance(error.__cause__, ProfileError):
        error = error.__cause__
    if not isinstance(error, ModelFailed):
        return ""
    lines: list[str] = []
    if error.until is not None and error.layers_run:
        from profiler.figures.profile import Profile  # which a run that goes well has no need of here

        lines = ["what ran until it failed:", *str(Profile(error.until)).splitlines()]
    if error.failed is not None:
        lines += ["the layer that failed, and what it was given:", f"  {_layer_line(error.failed)}"]
    return "".join(f"{printable(line)}\n" for line in lines)


def _layer_line(layer: LayerRun) -> str:
    return f"{shown(layer.path) or '(the model)'}  {shapes(layer.tensors)}"


def _each(whole: traceback.TracebackException, visited: set[int]) -> Iterator[traceback.TracebackException]:
    """The exception, those that led to it, and those of a group."""
    if id(whole) in visited:
        return
    visited.add(id(whole))
    yield whole
    for other in (whole.__cause__, whole.__context__, *(getattr(whole, "exceptions", None) or ())):
        if other is not None:
            yield from _each(other, visited)


def _without_ours(stack: traceback.StackSummary) -> traceback.StackSummary:
    return traceback.StackSummary.from_list([frame for frame in stack if not frame.filename.startswith(_OURS)])


def _is_ours(stack: traceback.StackSummary) -> bool:
    """Whether a line of ours raised it: then its frames are what is wanted."""
    return bool(stack) and stack[-1].filename.startswith(_OURS)
