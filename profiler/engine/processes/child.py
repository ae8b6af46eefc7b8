"""How is work done in a process that lives on from one piece of work to the next, and is replaced when it dies?

The process runs a module that calls `serve`; `Child.ask` sends it a request and waits for the reply, within limits of
time and memory. Requests and replies are bytes, each behind its length. The process is watched by `supervising`, so
that nothing of it outlives the process that asked for it. It ends by itself when nobody asks for a while, and after
work that leaves threads or processes behind.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import psutil

from profiler import errors
from profiler.engine.processes.watching import ended_with

TIMEOUT, MEMORY, CRASHED = "timeout", "memory", "crashed"
_POLL_S = 0.05
_POLLS_A_TREE = 10  # polls from one look at all processes to the next
_PATIENCE_S = 8.0  # for a process that is told to stop, and clears away what it watched
_IDLE_S = 60.0
_TRIES = 3  # one that waited may have ended meanwhile; one that was just begun does not
_LENGTH = 8  # bytes before each message
_READY, _STAYS, _LEAVES = b"r", b"s", b"l"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one piece of work may take; None is no limit. Memory is that of its processes, the libraries included."""

    seconds: float | None = None
    memory_bytes: int | None = None


class Ended(Exception):
    """The work was not done: its `status`, and how its process ended, as "was killed by signal 6 (SIGABRT)"."""

    def __init__(self, status: str, how: str = "") -> None:
        super().__init__(status, how)
        self.status, self.how = status, how


class _Idle(Exception):
    """The process had ended before it took the work; and how."""


# Starting and stopping ------------------------------------------------------------------------------------------------


def supervised(module: str, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    """Run a module as a program, watched by `supervising`; it imports from where this process does.

    streams: `stdin`, `stdout` and `stderr`, as `subprocess.Popen` takes them.
    """
    # -P: the first entry of sys.path is what it is here, not always the current folder.
    watch = [sys.executable, "-P", "-m", "profiler.engine.processes.supervising", str(os.getpid())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)}
    return subprocess.Popen([*watch, module, *arguments], env=environment, start_new_session=True, **streams)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it with whatever it has started, which the process that watches sees to."""
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# The side that asks ---------------------------------------------------------------------------------------------------


class Child:
    """A process that runs `module`, begun when there is something to ask, and again when it has ended."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._at_work: psutil.Process | None = None  # the one that runs the module, which another one watches
        self._received = bytearray()

    def ask(self, request: bytes, bounds: Bounds) -> bytes:
        """The reply; raises `Ended`, and `errors.ProfileError` where no process can be begun."""
        how = ""
        for _ in range(_TRIES):
            self._begin()
            try:
                return self._ask(request, bounds)
            except _Idle as ended:
                how = str(ended)
                self.close()
        raise _cannot_begin(self._module, how)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        stop(process)
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):
                assert stream is not None
                stream.close()

    def _begin(self) -> None:
        if self._process is not None:
            return
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = supervised(self._module, **pipes)
        self._received.clear()
        try:
            self._at_work = psutil.Process(int(self._message()))
        except (EOFError, psutil.Error):
            how = ended_with(self._process.wait())
            self.close()
            raise _cannot_begin(self._module, how) from None

    def _ask(self, request: bytes, bounds: Bounds) -> bytes:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            _write(self._process.stdin.fileno(), request)
            self._message()  # that it is ready for it
        except (OSError, EOFError):
            raise _Idle(ended_with(self._process.wait())) from None
        deadline = inf if bounds.seconds is None else time.monotonic() + bounds.seconds
        try:
            reply = self._message(lambda polls: self._check(bounds, deadline, polls))
        except EOFError:
            how = ended_with(self._process.wait())
            self.close()
            raise Ended(CRASHED, how) from None
        except Ended:
            self.close()
            raise
        if reply[:1] == _LEAVES or self._is_large(bounds):
            self.close()
        return reply[1:]

    def _check(self, bounds: Bounds, deadline: float, polls: int) -> None:
        """Raise where the work takes too long, or too much."""
        if time.monotonic() > deadline:
            raise Ended(TIMEOUT)
        if bounds.memory_bytes is not None and self._memory_bytes(polls % _POLLS_A_TREE == 0) > bounds.memory_bytes:
            raise Ended(MEMORY)

    def _is_large(self, bounds: Bounds) -> bool:
        """Whether what earlier work has left in memory leaves too little for the next."""
        return bounds.memory_bytes is not None and 2 * self._memory_bytes(False) > bounds.memory_bytes

    def _memory_bytes(self, is_whole: bool) -> int:
        """What is resident: of the process, and, for a look that takes longer, of those that it has started."""
        assert self._at_work is not None
        resident = 0
        with suppress(psutil.Error):
            resident = self._at_work.memory_info().rss
            for process in self._at_work.children(recursive=True) if is_whole else ():
                with suppress(psutil.Error):
                    resident += process.memory_info().rss
        return int(resident)

    def _message(self, check: Callable[[int], None] = lambda polls: None) -> bytes:
        """The next message whole; raises `EOFError` where the process has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor, polls = self._process.stdout.fileno(), 0
        while (message := _taken(self._received)) is None:
            if not select.select([descriptor], [], [], _POLL_S)[0]:
                polls += 1
                check(polls)
                continue
            received = os.read(descriptor, 1 << 16)
            if not received:
                raise EOFError
            self._received += received
        return message


def _taken(received: bytearray) -> bytes | None:
    """The first message, which is taken out; None where it is not whole yet."""
    if len(received) < _LENGTH:
        return None
    end = _LENGTH + int.from_bytes(received[:_LENGTH], "little")
    if len(received) < end:
        return None
    message = bytes(received[_LENGTH:end])
    del received[:end]
    return message


def _write(descriptor: int, message: bytes) -> None:
    left = memoryview(len(message).to_bytes(_LENGTH, "little") + message)
    while left:
        left = left[os.write(descriptor, left) :]


# The side that works --------------------------------------------------------------------------------------------------


def take(descriptor: int, flags: int) -> int:
    """A copy of a standard stream, which others get something else for: no input, or standard error."""
    copy = os.dup(descriptor)
    other = os.open(os.devnull, os.O_RDONLY) if flags == os.O_RDONLY else os.dup(2)
    os.dup2(other, descriptor)
    os.close(other)
    return copy


def serve(work: Callable[[bytes], bytes], prepare: Callable[[bytes], None] = lambda request: None) -> None:
    """Do what is asked for, until nobody asks any more. Does not return.

    work: from a request to a reply. What it changes of the environment and of where modules are looked for is undone.
    prepare: what a request needs that later ones need not wait for, such as imports; no limits hold for it.
    """
    requests, replies, process = take(0, os.O_RDONLY), take(1, os.O_WRONLY), os.getpid()
    _write(replies, str(process).encode())
    received = bytearray()
    while (request := _next(requests, received)) is not None:
        prepare(request)
        _write(replies, _READY)
        environment, places, threads = dict(os.environ), list(sys.path), threading.active_count()
        reply = work(request)
        if os.getpid() != process:  # a copy that the work has made, and that went on
            break
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        sys.path[:] = places
        leaves = threading.active_count() > threads or _has_children()
        _write(replies, (_LEAVES if leaves else _STAYS) + reply)
    os._exit(0)  # at once: a thread that is left would keep the process alive


def _next(requests: int, received: bytearray) -> bytes | None:
    """The next request; None where there are no more."""
    while (request := _taken(received)) is None:
        if not select.select([requests], [], [], _IDLE_S)[0]:
            return None
        more = os.read(requests, 1 << 16)
        if not more:
            return None
        received += more
    return request


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):  # there is none; or no such function on this system
        return False
    return True


# Error messages -------------------------------------------------------------------------------------------------------


def _cannot_begin(module: str, how: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"a process that runs models cannot be begun: {sys.executable} -m {module} {how}; see what it says by itself"
    )
