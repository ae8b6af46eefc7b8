"""How is a model's own code kept from ending the command, while the model is imported, built and run?

What it raises to end a program (`sys.exit`, a KeyboardInterrupt of its own, whatever else is no `Exception`) is the
failure of that model alone. What ends its process is met by the one that watches it: see
`watching`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from profiler import errors
from profiler.engine.processes import watching
from profiler.engine.processes.ties import die_with
from profiler.records.files.writing import mend_streams

_was_interrupted = False


@contextmanager
def at_work(model: str) -> Iterator[None]:
    """For as long as a model is imported, built and run.

    Raises `errors.ProfileError` for what would end the command, `ModelTooMuch`, and `ModelEnded` where an earlier try
    ended the process. Standard streams and the current folder are afterwards what they were.
    """
    _begin(model)
    streams, folder = (sys.stdout, sys.stderr), _folder()
    try:
        yield
    except errors.ProfileError:
        raise
    except (MemoryError, RecursionError) as error:
        raise _model_too_much(model, error) from error
    except Exception:
        raise
    except BaseException as error:
        if _was_interrupted and isinstance(error, KeyboardInterrupt):
            raise
        raise _model_stopped(model, error) from error
    finally:
        _end_copies()
        sys.stdout, sys.stderr = streams
        mend_streams()
        _return_to(folder)
        if watching.board is not None:
            watching.board.pause()


def end_with_command() -> None:
    """End this process when the one that the user started, and that watches it, ends."""
    if watching.board is not None:
        die_with(os.getppid())


def say_when_stopped(text: str) -> None:
    """What the command says from now on where it is interrupted or terminated; nothing where the text is empty."""
    if watching.board is not None:
        watching.board.note = text


def _begin(model: str) -> None:
    board = watching.board
    if board is None:
        return
    end_with_command()
    number = board.begin()
    if number in board.ended:
        board.pause()
        raise _model_ended(model, board.ended[number])


def _end_copies() -> None:
    """A copy of this process that a model's code made, and that goes on, has no business behind that code."""
    if watching.board is not None and os.getpid() != watching.board.process:
        os._exit(watching.CANNOT_RUN)  # before it touches a stream that it may have inherited locked


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


def _return_to(folder: str | None) -> None:
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)


@contextmanager
def interruptible() -> Iterator[None]:
    """Tell an interrupt from a KeyboardInterrupt that a model's code raises, where no other process does."""
    global _was_interrupted  # noqa: PLW0603
    _was_interrupted = False
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: Any) -> None:
    global _was_interrupted  # noqa: PLW0603
    _was_interrupted = True
    raise KeyboardInterrupt


# Error messages -------------------------------------------------------------------------------------------------------


def _model_stopped(model: str, error: BaseException) -> errors.ProfileError:
    """Its code raised what ends a program."""
    code = (
        f"({error.code})"
        if isinstance(error, SystemExit)
        else f": {errors.text_of(error)}"
        if errors.text_of(error)
        else ""
    )
    return errors.ProfileError(
        f"{model} cannot be measured: its code ends the program with {type(error).__name__}{code}"
        f"{errors.place(error)}; "
        "take that out of what is imported, built and run"
    )


def _model_too_much(model: str, error: MemoryError | RecursionError) -> errors.ProfileError:
    is_memory = isinstance(error, MemoryError)
    what = "takes more memory than there is" if is_memory else "nests or calls itself deeper than Python allows"
    detail = f": {errors.first_line(error)}" if errors.text_of(error) else ""
    return errors.ProfileError(
        f"{model} {what} ({type(error).__name__}{detail}{errors.place(error)}); make it or its input smaller"
    )


def _model_ended(model: str, how: str) -> errors.ProfileError:
    """`how` its process ended, as "was killed by signal 9 (SIGKILL)"."""
    hint = "; is there memory enough?" if "signal 9 " in how else ""
    return errors.ProfileError(
        f"{model} cannot be measured: the process that imported, built and ran it {how}; take what ends it out of "
        f"the model's code{hint}"
    )
