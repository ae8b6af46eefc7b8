"""How are threads followed that a forward pass starts? What they compute is recorded in the module that started them.

Dispatch modes, inference mode and the like belong to one thread. So for the length of a run, a thread that is started
from one that is followed gets them too, with a recorder of its own that writes into the same record. A pool's threads
live longer than a run and are started at any time: there it is each task that is followed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.pool import ThreadPool
from typing import Any

Carried = Callable[[], AbstractContextManager[None]]
Follow = Callable[[], Carried | None]
_WORKERS = ("concurrent.futures.thread", "multiprocessing.pool")  # what a pool's threads run


@contextmanager
def followed(follow: Follow) -> Iterator[None]:
    """Threads and pools' tasks that a followed thread starts are followed.

    follow: called in the thread that starts another; gives what is to be active in that one, or None where the thread
        that starts it is not followed itself.
    """
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        carried = None if _is_of_pool(thread) else follow()
        if carried is not None:
            thread.run = _carrying(thread.run, carried)  # type: ignore[method-assign]
        start(thread)

    with ExitStack() as patches:
        patches.enter_context(_patched(threading.Thread, "start", started))
        patches.enter_context(_patched(ThreadPoolExecutor, "submit", _following(ThreadPoolExecutor.submit, follow)))
        for name in ("apply_async", "_map_async"):
            patches.enter_context(_patched(ThreadPool, name, _following(getattr(ThreadPool, name), follow)))
        yield


def _is_of_pool(thread: threading.Thread) -> bool:
    return getattr(getattr(thread, "_target", None), "__module__", None) in _WORKERS


def _following(method: Callable[..., Any], follow: Follow) -> Callable[..., Any]:
    """A pool's method that takes a task, of which the task is followed."""

    def call(pool: Any, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        carried = follow()
        return method(pool, task if carried is None else _carrying(task, carried), *args, **kwargs)

    return call


@contextmanager
def _patched(owner: type, name: str, value: Any) -> Iterator[None]:
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        delattr(owner, name) if own is None else setattr(owner, name, own)


def _carrying(function: Callable[..., Any], carried: Carried) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with carried():
            return function(*args, **kwargs)

    return run
