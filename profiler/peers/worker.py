"""`python -m profiler.peers.worker TOOL JOBFILE RESULTFILE`: run one counter on one fresh model, and write its reading.

In a process of its own, since counters leave hooks, buffers, patched functions and modes behind, and some print.
Whatever is printed goes to stderr. The result is a `Reading` as JSON; without a result file, the process died.
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

from profiler import errors
from profiler.peers import peer
from profiler.peers.installed import missing, version
from profiler.peers.job import Job
from profiler.peers.reading import Reading


def main(argv: Sequence[str]) -> int:
    """Read, write, and leave."""
    if len(argv) != 3:
        print("usage: python -m profiler.peers.worker TOOL JOBFILE RESULTFILE", file=sys.stderr)
        return 2
    tool, job, result = argv[0], Path(argv[1]), Path(argv[2])
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    write(read(tool, lambda: Job.load(job)), result)
    return 0


def write(reading: Reading, path: Path) -> None:
    """All of it or nothing."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(reading.to_dict()), encoding="utf-8")
    partial.replace(path)


def read(tool: str, job: Callable[[], Job]) -> Reading:
    """What one counter says of a model, or why it says nothing. Changes the model and the state of this process."""
    try:
        called = peer(tool)
        absent = missing(called)
        if absent is not None:
            return Reading(tool, missing=absent)
    except errors.ProfileError as error:
        return Reading(tool, error=sentence(error))
    warnings.simplefilter("ignore")
    found = version(called.DISTRIBUTION)
    try:
        return replace(called.read(*job().real()), tool=tool, version=found)
    except (Exception, SystemExit) as error:
        return Reading(tool, found, error=sentence(error))


def sentence(error: BaseException) -> str:
    """An exception in one line, and the one that it wraps. One without words tells where it was raised."""
    if isinstance(error, errors.ProfileError):
        return str(error)
    said = errors.first_line(error) if str(error).strip() else _place(error)
    wrapped = "" if error.__cause__ is None else f" ({sentence(error.__cause__)})"
    return f"{type(error).__name__}: {said}{wrapped}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].line} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else "no reason"


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # at once: a thread that a counter left running would keep the process alive
