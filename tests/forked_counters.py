"""A counter in a process that is forked from one which has imported the libraries: a second, and not eight.

`profiler.counters.running.run` starts a new interpreter for each counter. Tests of what counters say do without, once
`share_imports` was called; those of the processes themselves take `new_processes`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from tempfile import TemporaryFile
from types import ModuleType
from typing import IO, Any

from profiler.counters.running import run, worker

# What the process imports that the others are forked from; the first who asks for one in a test process decides.
IMPORTS = ("tests.benchmarks.preloaded", "torch.export", "transformers", "onnx", "profiler.cli.main")

_in_a_new_interpreter = run._start


def share_imports() -> None:
    run._start = _start


@contextmanager
def new_processes() -> Iterator[None]:
    """As the command does it."""
    run._start = _in_a_new_interpreter
    try:
        yield
    finally:
        share_imports()


class _Process:
    """A forked process, with what is used of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.terminate, self.kill = process.terminate, process.kill

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked counter", timeout or 0)
        return self.returncode


def _start(tool: str, job: IO[bytes], files: ExitStack, time_limit_s: float) -> run._Running:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTS))
    result, said = (files.enter_context(output) for output in (TemporaryFile(), TemporaryFile()))  # noqa: SIM115
    process = context.Process(
        target=_work, args=(tool, _Streams((job, result, said)), dict(os.environ), os.getcwd(), sys.path), daemon=True
    )
    with _without_main():
        process.start()
    watched: Any = _Process(process)
    return run._Running(tool, watched, result, said, time.monotonic() + time_limit_s, time_limit_s)


@contextmanager
def _without_main() -> Iterator[None]:
    """multiprocessing would run the main script in the other process again; what a job needs of it goes along."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class _Streams:
    """Open files that go along to another process, where their descriptors have other numbers."""

    def __init__(self, files: tuple[IO[bytes], ...]) -> None:
        self._files = files

    def __reduce__(self) -> tuple[Any, ...]:
        return _descriptors, tuple(DupFd(file.fileno()) for file in self._files)


def _descriptors(*copies: Any) -> list[int]:
    return [copy.detach() for copy in copies]


def _work(tool: str, streams: list[int], environment: dict[str, str], folder: str, path: list[str]) -> None:
    """What a new interpreter would do: with this input and output, environment, folder and path of imports."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = path
    os._exit(worker.main([tool]))
