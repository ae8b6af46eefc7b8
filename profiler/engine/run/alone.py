"""How is one model run at a time in a process? A second thread waits: a run sets module modes and global hooks.

A process that is forked amid a run of another thread has that thread's changes, and none of its future: the lock is
made anew there, and the model put back.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from profiler.engine.guard.guard import unfinished

_lock = threading.RLock()
_runner: int | None = None  # the thread that runs a model


@contextmanager
def alone() -> Iterator[None]:
    """No other thread runs a model meanwhile; the same thread may, inside."""
    global _runner  # noqa: PLW0603
    with _lock:
        outer, _runner = _runner, threading.get_ident()
        try:
            yield
        finally:
            _runner = outer


def _forked() -> None:
    global _lock, _runner
    if _runner is None or _runner == threading.get_ident():
        return
    _lock, _runner = threading.RLock(), None
    for guard in unfinished():
        guard.restore_elsewhere()
    gc.enable()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forked)
