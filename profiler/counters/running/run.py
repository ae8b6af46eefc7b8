"""How are counters run? Each in a process of its own, a few at a time, none for longer than its time.

Nothing of it outlives this process, however that ends: each counter is watched by `supervising`, and what is sent
to and fro is in files that have no name.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, mkstemp
from typing import IO

from profiler import counters, errors
from profiler.counters.running.installed import missing
from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.counters.running.worker import END
from profiler.engine.processes import child

TIME_LIMIT_S = 300.0
_PAUSE_S = 0.02


def read_all(
    job: Job,
    tools: Sequence[str],
    time_limit_s: float = TIME_LIMIT_S,
    jobs: int = 2,
    progress: Callable[[Reading], None] | None = None,
) -> list[Reading]:
    """What each counter says of a model, in the order of `tools`.

    One that is not installed, fails, dies or takes longer than `time_limit_s` says so in its reading. At most `jobs`
    processes run at once, each with a model of its own. `progress` is told each reading when it is there.

    Raises `profiler.errors.ProfileError` for a counter that there is not, or a model that no other process can have.
    """
    absent = {tool: missing(counters.counter(tool)) for tool in tools}
    readings = {tool: Reading(tool, missing=why) for tool, why in absent.items() if why is not None}
    for reading in readings.values():
        _tell(progress, reading)
    waiting = [tool for tool in dict.fromkeys(tools) if tool not in readings]
    running: list[_Running] = []
    with ExitStack() as files:
        copies = iter(_saved(job, len(waiting), files) if waiting else ())
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(waiting.pop(0), next(copies), files, time_limit_s))
                time.sleep(_PAUSE_S)
                for ended in [counter for counter in running if counter.has_ended()]:
                    running.remove(ended)
                    readings[ended.tool] = ended.reading()
                    _tell(progress, readings[ended.tool])
        finally:
            for counter in running:
                counter.kill()
    return [readings[tool] for tool in tools]


def _tell(progress: Callable[[Reading], None] | None, reading: Reading) -> None:
    if progress is not None:
        progress(reading)


def _saved(job: Job, readers: int, files: ExitStack) -> list[IO[bytes]]:
    """The job in a file that has no name any more, opened once for each reader: it is gone with the last of them."""
    descriptor, name = mkstemp(prefix="profile-model-")
    try:
        copies: list[IO[bytes]] = [files.enter_context(Path(name).open("rb")) for _ in range(readers)]  # noqa: SIM115
    finally:
        os.unlink(name)
    with open(descriptor, "wb") as file:
        job.save(file)
    return copies


@dataclass(slots=True)
class _Running:
    """A counter at work. `process` watches it, and ends as it does; `result` is what it prints, `output` all else."""

    tool: str
    process: subprocess.Popen[bytes]
    result: IO[bytes]
    output: IO[bytes]
    deadline: float
    time_limit_s: float
    timed_out: bool = False

    def has_ended(self) -> bool:
        if self.process.poll() is not None:
            return True
        self.timed_out = time.monotonic() > self.deadline
        if self.timed_out:
            self.kill()
        return self.timed_out

    def kill(self) -> None:
        """With whatever it has started, which the process that watches sees to."""
        child.stop(self.process)

    def reading(self) -> Reading:
        self.result.seek(0)
        written = self.result.read()
        if written.endswith(END):
            return Reading.from_dict(json.loads(written))
        if self.timed_out:
            return Reading(self.tool, error=str(_counter_timed_out(self.tool, self.time_limit_s)), timed_out=True)
        return Reading(self.tool, error=str(_counter_died(self.tool, self.process.returncode, self._last_words())))

    def _last_words(self) -> str:
        self.output.seek(0)
        lines = self.output.read().decode("utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _start(tool: str, job: IO[bytes], files: ExitStack, time_limit_s: float) -> _Running:
    """A process that imports from where this one does, and whose output is kept in files that have no name."""
    result, output = (files.enter_context(file) for file in (TemporaryFile(), TemporaryFile()))  # noqa: SIM115
    process = child.supervised("profiler.counters.running.worker", tool, stdin=job, stdout=result, stderr=output)
    return _Running(tool, process, result, output, time.monotonic() + time_limit_s, time_limit_s)


# What is said ---------------------------------------------------------------------------------------------------------


def _counter_died(tool: str, status: int, last_line: str) -> errors.ProfileError:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status} and without a result"
    return errors.ProfileError(f"the process of {tool} {how}" + (f" ({last_line})" if last_line else ""))


def _counter_timed_out(tool: str, limit_s: float) -> errors.ProfileError:
    return errors.ProfileError(f"{tool} took longer than {limit_s:g} seconds and was stopped; give it more time")
