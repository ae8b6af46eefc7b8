"""How are all steps of a list executed although one raises, and the errors reported at the end?"""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from profiler import errors


class Failures:
    """Runs steps one by one. What a step raises is kept for `tell`, and stops no other step."""

    def __init__(self) -> None:
        self._failed: list[tuple[str, BaseException]] = []
        self._interrupt: BaseException | None = None

    def attempt(self, what: str, step: Callable[..., None], *args: Any) -> None:
        """Do a step; one that is interrupted is done again."""
        try:
            step(*args)
        except Exception as error:
            self._failed.append((what, error))
        except BaseException as interrupt:
            self._interrupt = interrupt
            try:
                step(*args)
            except BaseException as error:
                self._failed.append((what, error))

    def tell(self) -> None:
        """Raise `errors.ProfileError` where a step failed, and an interrupt that came amid the steps.

        An interrupt that is under way already goes on, with a note, since the program has to end.
        """
        pending = self._interrupt or sys.exc_info()[1]
        if not self._failed:
            if self._interrupt is not None:
                raise self._interrupt
            return
        failure = _not_restored(self._failed)
        if pending is None or isinstance(pending, Exception):
            raise failure from self._failed[0][1]
        pending.add_note(str(failure))
        warnings.warn(str(failure), stacklevel=2)
        if self._interrupt is not None:
            raise self._interrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end of the block. Python delivers it to the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, Any]] = []
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # ignored, left to the system, or set by something other than Python
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[0])


# Error messages -------------------------------------------------------------------------------------------------------


def _not_restored(failed: Sequence[tuple[str, BaseException]]) -> errors.ProfileError:
    """What was changed by a run and could not be put back: each with the error that kept it from being."""
    parts = dict.fromkeys(f"{what} ({type(error).__name__}: {errors.first_line(error)})" for what, error in failed)
    return errors.ProfileError(
        f"after the run, not all could be put back as it was: {', '.join(parts)}; load the model again before use"
    )
