"""How is a module run so that no process it started is left behind?

As `python -m profiler.engine.processes.supervising PARENT MODULE ARGUMENT...`.

The module runs in a fork, in a process group of its own. This process only watches: when the module has ended, when it
is told to stop (SIGTERM), and when the process PARENT that asked for it is no more, however that ended, everything that
the module has started is killed. It ends as the module did. Nothing heavy is imported here but by the module.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from profiler.engine.processes.ties import adopt_orphans, die_with

_POLL_S = 0.02
_PATIENCE_S = 5.0  # for what was killed to be gone


def main(argv: Sequence[str]) -> None:
    """Run, watch, clear away, and end."""
    parent, module, arguments = int(argv[0]), argv[1], argv[2:]
    adopt_orphans()
    signals: list[int] = []
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody hears how a process ended
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    process = os.fork()
    if not process:
        _run(module, arguments)
    status = _watch(process, parent, signals)
    clear_away(process)
    _end(status)


def _run(module: str, arguments: Sequence[str]) -> None:
    """In the fork. It ends with the process that watches it, too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setpgid(0, 0)
    die_with(os.getppid())
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def _watch(process: int, parent: int, signals: Sequence[int]) -> int | None:
    """The status of the process as `os.waitpid` has it; None where it was not waited for."""
    while os.getppid() == parent and not signals:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status
        time.sleep(_POLL_S)
    return None


def clear_away(group: int) -> None:
    """Kill a process group, and all descendants of this process, which has adopted what left that group."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:  # nobody is left
            return
        for process in _descendants():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_S)


def _descendants() -> Iterator[int]:
    import psutil  # where something is left, which is rare

    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            yield child.pid


def _end(status: int | None) -> None:
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(OSError, ValueError):  # SIGKILL needs no handler
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(1 if status is None else os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(sys.argv[1:])
