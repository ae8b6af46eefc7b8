"""Counters run one by one, each in a process that is forked from one which has imported the libraries.

`profiler.counters.running.run` starts a fresh interpreter for each, which is seconds of imports; here it is none.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.counters.running.worker import read
from profiler.records.files import writing
from profiler.records.spec import Feed
from tests.benchmarks.small_models import SMALL

_PAUSE_S = 0.02


def job(model: str) -> Job:
    """A model of the benchmark, and what it is fed."""
    if model in SMALL:
        small = SMALL[model]
        return Job(small.build(), Feed(small.args, small.kwargs))
    return Job(model)


@dataclass(slots=True)
class _Running:
    model: str
    tool: str
    process: ForkServerProcess
    result: Path
    deadline: float


def read_forked(
    waiting: list[tuple[str, str]], folder: Path, time_limit_s: float, jobs: int
) -> Iterator[tuple[str, Reading]]:
    """The reading of each model and tool, as they come."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.benchmarks.preloaded"])
    queue, running = list(waiting), []
    try:
        while queue or running:
            while queue and len(running) < jobs:
                model, tool = queue.pop(0)
                result = folder / f".{os.getpid()}-{len(queue)}"
                process = context.Process(target=_child, args=(tool, model, result), daemon=True)
                process.start()
                running.append(_Running(model, tool, process, result, time.monotonic() + time_limit_s))
            time.sleep(_PAUSE_S)
            for one in list(running):
                late = time.monotonic() > one.deadline
                if one.process.is_alive() and not late:
                    continue
                running.remove(one)
                _kill(one.process)
                yield one.model, _reading(one, late, time_limit_s)
    finally:
        for one in running:
            _kill(one.process)


def _kill(process: ForkServerProcess) -> None:
    """With whatever it has started."""
    if process.is_alive() and process.pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.join()


def _reading(one: _Running, late: bool, time_limit_s: float) -> Reading:
    if one.result.exists():
        found = Reading.from_dict(json.loads(one.result.read_text(encoding="utf-8")))
        one.result.unlink()
        return found
    if late:
        return Reading(one.tool, error=f"took longer than {time_limit_s:g} seconds", timed_out=True)
    return Reading(one.tool, error=f"its process ended with status {one.process.exitcode}")


def _child(tool: str, model: str, result: Path) -> None:
    """What the worker of a cross-check does, in a process that need not import anything."""
    import torch

    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    torch.set_num_threads(1)
    writing.replace(result, json.dumps(read(tool, lambda: job(model)).to_dict()).encode())
    os._exit(0)
