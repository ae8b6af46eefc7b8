"""A function called on each of many things, each call in a process of its own, forked from one that has imported torch.

A crash, a call that takes too long, and memory that is not given back then concern one thing alone.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came back, and why."""

    reason: str


@dataclass(slots=True)
class _Running(Generic[T]):
    item: T
    process: BaseProcess
    connection: Connection
    deadline: float


def each(
    function: Callable[[T], R], items: Sequence[T], preload: Sequence[str], time_limit_s: float, jobs: int = 1
) -> Iterator[tuple[T, R | Lost]]:
    """What `function`, which is one of a module, returns for each item, as they come."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    waiting, running = list(items), {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                ours, theirs = context.Pipe(duplex=False)
                item = waiting.pop(0)
                process = context.Process(target=_child, args=(function, item, theirs), daemon=True)
                process.start()
                theirs.close()
                running[ours] = _Running(item, process, ours, time.monotonic() + time_limit_s)
            soonest = min(one.deadline for one in running.values())
            ready = wait(list(running), max(0.0, soonest - time.monotonic()))
            for connection, one in list(running.items()):
                if connection in ready or time.monotonic() >= one.deadline:
                    del running[connection]
                    yield one.item, _outcome(one, time_limit_s)
    finally:
        for one in running.values():
            one.process.kill()


def _outcome(one: _Running[Any], time_limit_s: float) -> Any:
    try:
        if one.connection.poll():
            return one.connection.recv()
        return Lost(f"took longer than {time_limit_s:g} seconds")
    except EOFError:
        one.process.join()
        return Lost(f"its process ended with status {one.process.exitcode}")
    finally:
        one.process.kill()
        one.process.join()
        one.connection.close()


def _child(function: Callable[[Any], Any], item: Any, connection: Connection) -> None:
    """What it would print is not for the table."""
    import torch

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    torch.set_num_threads(1)
    try:
        found = function(item)
    except Exception as error:
        found = Lost(f"{type(error).__name__}: {error}".splitlines()[0])
    connection.send(found)
    connection.close()
