"""How is one counter run on one fresh model, and its reading written?

As `python -m profiler.counters.running.worker TOOL < JOB > READING`.

In a process of its own, since counters leave hooks, buffers, patched functions and modes behind, and some print.
Whatever they print goes to stderr. The result is a `Reading` as JSON and `END`; without that, the process died.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from profiler import counters, errors
from profiler.counters.running.installed import missing, version
from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.engine.processes.child import take

END = b"\n"  # of a reading that is whole


def main(argv: Sequence[str]) -> int:
    """Read, write, and leave."""
    if len(argv) != 1:
        print("usage: python -m profiler.counters.running.worker TOOL < JOB > READING", file=sys.stderr)
        return 2
    job, result = take(0, os.O_RDONLY), take(1, os.O_WRONLY)
    with open(job, "rb") as file:
        reading = read(argv[0], lambda: Job.load(file))
    with open(result, "wb") as whole:
        whole.write(json.dumps(reading.to_dict()).encode() + END)
    return 0


def read(tool: str, job: Callable[[], Job]) -> Reading:
    """What one counter says of a model, or why it says nothing. Changes the model and the state of this process."""
    try:
        called = counters.counter(tool)
        absent = missing(called)
        if absent is not None:
            return Reading(tool, missing=absent)
    except errors.ProfileError as error:
        return Reading(tool, error=sentence(error))
    warnings.simplefilter("ignore")
    installed = version(called.DISTRIBUTION)
    try:
        return replace(called.read(*job().real()), tool=tool, version=installed)
    except (Exception, SystemExit) as error:
        return Reading(tool, installed, error=sentence(error))


def sentence(error: BaseException) -> str:
    """An exception in one line, and the one that it wraps. One without words tells where it was raised."""
    if isinstance(error, errors.ProfileError):
        return str(error)
    words = errors.first_line(error) if str(error).strip() else _place(error)
    wrapped = "" if error.__cause__ is None else f" ({sentence(error.__cause__)})"
    return f"{type(error).__name__}: {words}{wrapped}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].line} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else "no reason"


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # at once: a thread that a counter left running would keep the process alive
