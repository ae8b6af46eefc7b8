"""How does a process end when its parent ends, even if the parent is killed?"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_POLL_S = 1.0
_tied_to: int | None = None


def die_with(parent: int) -> None:
    """End this process when its parent ends, killed or not: by Linux's own means, or by looking now and then.

    What is told so of itself is the process that others are tied to, and goes on.
    """
    global _tied_to  # noqa: PLW0603
    if parent in (_tied_to, os.getpid()):
        return
    _tied_to = parent
    if not prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    elif os.getppid() != parent:  # it had ended before
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> bool:
    """Become the parent of what descendants leave behind, so that it can be found; False where that cannot be."""
    return prctl(_PR_SET_CHILD_SUBREAPER, 1)


def prctl(option: int, value: int) -> bool:
    """Linux's call of that name; False where it is not to be had."""
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        return int(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)) == 0
    except (AttributeError, OSError):
        return False


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)
