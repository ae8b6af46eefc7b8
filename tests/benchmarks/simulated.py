"""Which cluster runs a hundred thousand models on this machine? A real one of Dask, whose workers only wait.

The scheduler, its workers and their messages are Dask's, and what a worker runs is a sweep's own code. Only the process
that would run a model is replaced: `Slept` waits as long as one model of those that were measured took, and replies
with the row of that model. What becomes of a model is drawn from its spec, so that the side that asks knows it as well.

`python -m tests.benchmarks.simulated MEASURED.json WORKERS SCALE LOST_EVERY_S` prints the address of a cluster, and
ends with its standard input. MEASURED.json is a list of (seconds, row).
"""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from profiler.answers.sweep import running
from profiler.answers.sweep.row import FAILED, OK, failure
from profiler.engine.processes.child import CRASHED, MEMORY, TIMEOUT, Bounds, Ended

Measured: TypeAlias = Sequence[tuple[float, dict[str, Any]]]
BOUNDS = Bounds(30.0, 8 << 30)
SHARES = {FAILED: 0.01, CRASHED: 0.003, MEMORY: 0.002, TIMEOUT: 0.0005}  # of models; others are well
STRAGGLERS, LONGEST = 0.01, 20.0  # the share of models that take longer, and up to how many times as long
_ROOT = Path(__file__).parents[2]
THREADS = 5  # of one of Dask's workers; each is one worker of the sweep


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a model, how long it is at work, and what it replies where it is well."""

    status: str
    seconds: float
    row: dict[str, Any]


def fate(spec: str, measured: Measured) -> Fate:
    """The same for the same spec."""
    draw = random.Random(spec)
    seconds, row = draw.choice(measured)
    (status,) = draw.choices((OK, *SHARES), (1 - sum(SHARES.values()), *SHARES.values()))
    if draw.random() < STRAGGLERS:
        seconds *= draw.uniform(1.0, LONGEST)
    assert BOUNDS.seconds is not None
    return Fate(status, BOUNDS.seconds if status == TIMEOUT else min(seconds, BOUNDS.seconds), row)


class Slept:
    """What a worker asks in place of a `Child`. A model that crashed is well when it is asked for again."""

    measured: ClassVar[Measured] = ()
    scale: ClassVar[float] = 1.0
    crashed: ClassVar[set[str]] = set()

    def __init__(self, module: str) -> None:
        del module

    def ask(self, request: bytes, bounds: Bounds) -> bytes:
        assert bounds == BOUNDS
        spec = pickle.loads(request).spec
        drawn = fate(spec, self.measured)
        time.sleep(drawn.seconds * self.scale)
        if drawn.status in (MEMORY, TIMEOUT):
            raise Ended(drawn.status)
        if drawn.status == CRASHED and spec not in self.crashed:
            self.crashed.add(spec)
            raise Ended(CRASHED, "was killed by signal 11 (SIGSEGV)")
        row = failure(FAILED, f"{spec} cannot be built") if drawn.status == FAILED else drawn.row
        return json.dumps(row).encode()

    def close(self) -> None:
        """There is nothing to end."""


# The cluster ----------------------------------------------------------------------------------------------------------


@contextmanager
def cluster(measured: Path, workers: int, scale: float, lost_every_s: float) -> Iterator[str]:
    """Its address as `--on` takes it, for as long as the context lasts; it is a process of its own."""
    arguments = [str(measured), str(workers), str(scale), str(lost_every_s)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.simulated", *arguments],
        cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def main(argv: Sequence[str]) -> int:
    """Serve until nobody is there to be served."""
    measured, workers, scale, lost_every_s = argv
    running.Child = Slept  # type: ignore[assignment,misc]
    Slept.measured, Slept.scale = json.loads(Path(measured).read_text(encoding="utf-8")), float(scale)
    asyncio.run(_serve(int(workers), float(lost_every_s)))
    return 0


async def _serve(count: int, lost_every_s: float) -> None:
    """Every so many seconds a worker ends with its work undone, and another one begins."""
    import dask
    from distributed import Scheduler, Worker

    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "10s"})

    def worker() -> Worker:
        return Worker(scheduler.address, nthreads=THREADS, host="127.0.0.1", dashboard=False, memory_limit=0)

    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        workers = list(await asyncio.gather(*(worker() for _ in range(count // THREADS))))
        print(scheduler.address.replace("tcp://", "dask://"), flush=True)
        end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        while not (await asyncio.wait([end], timeout=lost_every_s))[0]:
            await workers.pop(0).close(executor_wait=False, reason="lost, as it is simulated")
            workers.append(await worker())
        await asyncio.gather(*(one.close(executor_wait=False) for one in workers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
