"""Why did a run end early, and where in the user's own code?"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import torch

from profiler import errors
from profiler.records.trace import Input, Trace

_TORCH, _OURS = (str(Path(file).parent) + os.sep for file in (torch.__file__, errors.__file__))


class Unfinished(Exception):
    """A run that raised. Whether that is the model's failure is told by a run on real tensors.

    `failed` is the innermost module that was running and what it was given, `layers_run` are those that had ended;
    `alive_bytes` is the most that the run had allocated at once.
    """

    def __init__(
        self,
        cause: BaseException,
        inputs: Sequence[Input] = (),
        failed: errors.LayerRun | None = None,
        layers_run: Sequence[errors.LayerRun] = (),
        alive_bytes: int = 0,
        refusal: errors.ProfileError | None = None,
    ) -> None:
        super().__init__(errors.first_line(cause))
        self.cause = cause
        self.inputs = inputs
        self.alive_bytes = alive_bytes
        self.until: Trace | None = None  # the record of what had run
        self.failed = failed
        self._layers_run = layers_run
        self._refusal = refusal

    @property
    def reason(self) -> str:
        """What was raised, in which layer, and on which line of the user's code."""
        failed = self.failed
        at = f"in {failed.path} on {errors.shapes(failed.tensors)}, " if failed is not None and failed.path else ""
        place = place_of(self.cause)
        return f"{at}{type(self.cause).__name__}: {errors.said(self.cause)}" + (f", at {place}" if place else "")

    def refusal(self, model: str, remedy: Callable[[], str | None] | None = None) -> errors.ProfileError:
        """What the user is told where this is the model's failure; `remedy` looks for what to do about it."""
        if self._refusal is not None:
            return self._refusal
        if is_ours(self.cause):
            return _engine_failed(model, self.reason)
        raised = model, self.reason, self.inputs, self._layers_run, self.failed, self.until
        return errors.ModelFailed(*raised, remedy() if remedy else None)


def place_of(error: BaseException) -> str:
    """File and line of the innermost frame that is neither torch's nor ours; "" where the code is in no file."""
    return errors.innermost_line(error, lambda file: not (file.startswith((_TORCH, _OURS, "<")) or _is_of_python(file)))


@lru_cache(1 << 10)
def _is_of_python(file: str) -> bool:
    """Whether it is of the standard library, which code is called through (`concurrent.futures`, `functools`)."""
    library = os.path.dirname(os.__file__) + os.sep
    return file.startswith(library) and f"{os.sep}site-packages{os.sep}" not in file


def is_ours(error: BaseException) -> bool:
    """Whether it was raised by a line of ours, and neither by the model's code nor by an operator that it called."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(_OURS) and isinstance(error, _BUGS)


_BUGS = (AttributeError, KeyError, IndexError, AssertionError, UnboundLocalError)


def wants_autograd(error: BaseException | None) -> bool:
    """Whether this is what torch says where a graph is wanted and none was made: a hint of what to try next."""
    return (
        isinstance(error, RuntimeError)
        and re.search(r"\bgrad\b|inference tensor", errors.text_of(error), re.I) is not None
    )


# Error messages -------------------------------------------------------------------------------------------------------


def _engine_failed(model: str, reason: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} cannot be followed, by a fault of profile-model and not of the model ({reason}); please report it"
    )
