"""How does the command outlive a process that a model's code ends? The work is done in a fork, which is waited for.

A model's code can end its process in ways that no `except` sees: `os._exit(0)`, a signal, a crash in C. Then nobody
would be left to say that a model was not measured, and the status might be that of a check that passed. So the work is
done in a fork, made before anything heavy is imported. The process that was started keeps no more than a few megabytes,
passes on the status of work that was finished, and takes every other end for what it is. It is there to be interrupted,
too: it says so at once, whatever the work is doing.

Both know a page of shared memory: how many models were begun, whether one is at work, and the status at the end.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
import time
from contextlib import suppress

_CAN_FORK = hasattr(os, "fork")
_NOTE = 16  # where the page has what is said of a command that is stopped, behind its length
_PATIENCE_S = 10.0  # for what a model's code leaves running when all is done
_GRACE_S = 1.0  # for work that was told to stop
_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
INTERRUPTED = 130
CANNOT_RUN = 2


class Board:
    """What the work writes down for the process that waits: a page that both share."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.ended: dict[int, str] = {}  # models that ended an earlier try, and how
        self.process = os.getpid()

    @property
    def begun(self) -> int:
        return int.from_bytes(self._page[0:8], "little")

    @property
    def is_at_work(self) -> bool:
        return self._page[8] == 1

    @property
    def status(self) -> int | None:
        """None until all is done."""
        return self._page[10] if self._page[9] == 1 else None

    @property
    def is_muted(self) -> bool:
        """Whether something could not be said, for a model's code has closed every stream."""
        return self._page[11] == 1

    def mute(self) -> None:
        self._page[11] = 1

    @property
    def note(self) -> str:
        """What is to be said where the command is stopped now; empty for nothing."""
        length = int.from_bytes(self._page[_NOTE : _NOTE + 2], "little")
        return self._page[_NOTE + 2 : _NOTE + 2 + length].decode(errors="replace")

    @note.setter
    def note(self, text: str) -> None:
        written = text.encode(errors="replace")[: mmap.PAGESIZE - _NOTE - 2]
        self._page[_NOTE : _NOTE + 2 + len(written)] = len(written).to_bytes(2, "little") + written

    def clear(self) -> None:
        self._page[0 : _NOTE + 2] = bytes(_NOTE + 2)

    def begin(self) -> int:
        """Another model is at work; returns which."""
        number = self.begun
        self._page[0:8] = (number + 1).to_bytes(8, "little")
        self._page[8] = 1
        return number

    def pause(self) -> None:
        self._page[8] = 0

    def finish(self, status: int) -> None:
        self._page[10] = status
        self._page[9] = 1


board: Board | None = None  # of the process that works, where another one watches it


def fork() -> None:
    """Go on in a process that is watched. The one that was started never returns from here: it ends with the status."""
    global board  # noqa: PLW0603
    if not _CAN_FORK:
        return
    shared = Board()
    while True:
        shared.clear()
        waiting = _Waiting()
        process = os.fork()
        if not process:
            waiting.leave()
            shared.process = os.getpid()
            board = shared
            return
        how = waiting.wait(process, shared)
        if shared.status is None:
            _erase_line()
        if shared.status is None and shared.is_at_work and how is not None and shared.begun - 1 not in shared.ended:
            shared.ended[shared.begun - 1] = how  # that model has its reason now; the others get their rows
            continue
        if shared.status is None:
            _say(f"the command {how or 'ended'} before it was done; nothing was checked")
        elif shared.is_muted:
            _say("what went wrong could not be said, for a model's code has closed the standard streams")
        os._exit(CANNOT_RUN if shared.status is None else shared.status)


def _erase_line() -> None:
    """What was being done stands on a terminal still, where the process that said so could not take it away."""
    with suppress(AttributeError, OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")  # ECMA-48, erase in line; to import what knows that would take too long
            sys.stderr.flush()


def _say(sentence: str) -> None:
    _erase_line()
    sys.stderr.write(f"profile-model: {sentence}\n")
    sys.stderr.flush()


class _Waiting:
    """Signals and the end of a process, waited for together."""

    def __init__(self) -> None:
        self._stopped_by: int | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = {number: signal.getsignal(number) for number in (*_STOPS, signal.SIGCHLD)}
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _STOPS:
            if self._before[number] is not signal.SIG_IGN:  # as nohup leaves it
                signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, number: int, frame: object) -> None:
        self._stopped_by = self._stopped_by or number

    def leave(self) -> None:
        """In the process that works. An interrupt is not its business; one that a model's code raises is."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            is_ignored = handler is signal.SIG_IGN
            signal.signal(number, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
        if self._before[signal.SIGINT] is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, lambda *_: None)
        self._close()

    def wait(self, process: int, shared: Board) -> str | None:
        """How the process ended, in words; does not return where the command was told to stop."""
        stopped_at: float | None = None
        done_at: float | None = None
        while True:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                break
            now = time.monotonic()
            if self._stopped_by is not None and stopped_at is None:
                stopped_at = now
                os.kill(process, signal.SIGTERM)
            done_at = now if done_at is None and shared.status is not None else done_at
            if _is_over(stopped_at, _GRACE_S, now) or _is_over(done_at, _PATIENCE_S, now):
                os.kill(process, signal.SIGKILL)
            select.select([self._reader], [], [], 0.2 if stopped_at or done_at else 1.0)
            self._drain()
        signal.set_wakeup_fd(-1)
        self._close()
        return self._ending(status, shared.note)

    def _drain(self) -> None:
        os.set_blocking(self._reader, False)
        with suppress(BlockingIOError):
            os.read(self._reader, 512)

    def _close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)

    def _ending(self, status: int, note: str) -> str | None:
        by = self._stopped_by
        if by is None and os.WIFSIGNALED(status) and os.WTERMSIG(status) in _STOPS:
            by = os.WTERMSIG(status)
        if by == signal.SIGINT:
            _say(f"interrupted; {note}" if note else "interrupted")
            os._exit(INTERRUPTED)
        if by is not None:
            if note:
                _say(f"stopped; {note}")
            signal.signal(by, signal.SIG_DFL)
            os.kill(os.getpid(), by)
            os._exit(128 + by)  # the first process of a container is not killed by what it does not handle
        return ending(status)


def _is_over(since: float | None, limit_s: float, now: float) -> bool:
    return since is not None and now > since + limit_s


def ending(status: int) -> str:
    """`status` is what `os.waitpid` gives."""
    return ended_with(os.waitstatus_to_exitcode(status))


def ended_with(code: int) -> str:
    """`code` is what `subprocess` calls the return code: of a signal, its number below 0."""
    if code >= 0:
        return f"ended with status {code}"
    names = {member.value: member.name for member in signal.Signals}
    return f"was killed by signal {-code} ({names.get(-code, 'unknown')})"
