"""Every counter in a process of its own, a few at a time, none for longer than its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from profiler import errors
from profiler.peers import peer
from profiler.peers.installed import missing
from profiler.peers.job import Job
from profiler.peers.reading import Reading

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
    absent = {tool: missing(peer(tool)) for tool in tools}
    readings = {tool: Reading(tool, missing=why) for tool, why in absent.items() if why is not None}
    for reading in readings.values():
        _tell(progress, reading)
    with TemporaryDirectory(prefix="profile-model-") as folder:
        waiting = [tool for tool in dict.fromkeys(tools) if tool not in readings]
        if waiting:
            job.save(Path(folder) / "job")
        running: list[_Running] = []
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(waiting.pop(0), Path(folder), time_limit_s))
                time.sleep(_PAUSE_S)
                for ended in [one for one in running if one.has_ended()]:
                    running.remove(ended)
                    readings[ended.tool] = ended.reading()
                    _tell(progress, readings[ended.tool])
        finally:
            for one in running:
                one.kill()
    return [readings[tool] for tool in tools]


def _tell(progress: Callable[[Reading], None] | None, reading: Reading) -> None:
    if progress is not None:
        progress(reading)


@dataclass(slots=True)
class _Running:
    """A counter at work."""

    tool: str
    process: subprocess.Popen[bytes]
    result: Path
    said: Path
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
        """With whatever it has started."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()

    def reading(self) -> Reading:
        if self.result.exists():
            return Reading.from_dict(json.loads(self.result.read_text(encoding="utf-8")))
        if self.timed_out:
            return Reading(self.tool, error=str(errors.PeerTimedOut(self.tool, self.time_limit_s)), timed_out=True)
        return Reading(self.tool, error=str(errors.PeerDied(self.tool, self.process.returncode, self._last_words())))

    def _last_words(self) -> str:
        lines = self.said.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _start(tool: str, folder: Path, time_limit_s: float) -> _Running:
    """A process that imports from where this one does, and whose output is kept."""
    result, said = folder / f"{tool}.json", folder / f"{tool}.stderr"
    # -P: the first entry of sys.path is what it is here, not always the current folder.
    command = [sys.executable, "-P", "-m", "profiler.peers.worker", tool, str(folder / "job"), str(result)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)}
    with said.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return _Running(tool, process, result, said, time.monotonic() + time_limit_s, time_limit_s)
