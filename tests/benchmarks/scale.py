"""`python -m tests.benchmarks.scale`: how much faster is a sweep with more workers, and what holds for many thousands?

Three parts, each of which prints what docs/scale.md tells. A part of timm is swept by one worker, by two, and by a
cluster of Dask of four processes. What a sweep spends besides models is measured by itself, and a formula of it is held
against those three. Then a hundred thousand models are swept on a simulated cluster (`simulated.py`).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from tabulate import tabulate

from profiler.answers.common.models import NamedModel
from profiler.answers.sweep.asking import requested
from profiler.answers.sweep.compute import DEFAULT_BOUNDS, Execution, swept
from profiler.answers.sweep.request import Request
from profiler.answers.sweep.row import OK
from profiler.engine.processes.child import Child
from profiler.records.conditions import AS_IT_IS
from profiler.records.spec import Feed
from profiler.sources import matching
from tests.benchmarks import zoo
from tests.benchmarks.simulated import BOUNDS, Measured, cluster, fate

MB = 1 << 20


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, fit, simulate, and print."""
    chosen = _parser().parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    models = matching(chosen.pattern)[:: chosen.every]
    runs = [_by(models, 1), _by(models, 2), _on_dask(models, chosen.dask)]
    print("\n".join(_scaling(runs, len(models))), end="\n\n")
    measured = _measured(models)
    costs = _costs(models[0], measured)
    print("\n".join(_fit(costs, runs, len(models))), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(_simulated(measured, chosen, Path(folder))))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--pattern", default="timm:*", metavar="PATTERN")
    parser.add_argument("--every", type=int, default=27, metavar="N", help="of the models that the pattern names")
    parser.add_argument("--dask", type=int, default=4, metavar="N", help="processes of the cluster")
    parser.add_argument("--models", type=int, default=100_000, metavar="N", help="of the simulated sweep")
    parser.add_argument("--workers", type=int, default=100, metavar="N", help="of the simulated cluster")
    parser.add_argument("--scale", type=float, default=1.0, help="what simulated durations are multiplied by")
    parser.add_argument("--lost-every", type=float, default=20.0, metavar="S", help="seconds between lost workers")
    return parser


# Measured scaling -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A sweep by the command. cpu_s: None where its processes are not all waited for, as those of several workers."""

    words: str
    workers: int
    seconds: float
    cpu_s: float | None

    @property
    def parallel(self) -> int:
        """How many of its workers this machine lets work at once."""
        return min(self.workers, len(os.sched_getaffinity(0)))


def _by(models: Sequence[str], jobs: int) -> Run:
    seconds, cpu_s = zoo.swept(models, "--jobs", str(jobs))
    return Run(f"{jobs} worker{'s' * (jobs > 1)}", jobs, seconds, cpu_s if jobs == 1 else None)


def _on_dask(models: Sequence[str], processes: int) -> Run:
    """The processes of the cluster live on, so that what they have spent is read while they are there."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=":0") as there:
        before = _tree_cpu_s()
        seconds, cpu_s = zoo.swept(models, "--on", there.scheduler_address.replace("tcp://", "dask://"))
        return Run(f"Dask, {processes} processes", processes, seconds, cpu_s + _tree_cpu_s() - before)


def _tree_cpu_s() -> float:
    """Of the processes that descend from this one, and of those that these have waited for."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            spent += sum(process.cpu_times()[:4])
    return spent


def _scaling(runs: Sequence[Run], models: int) -> Iterator[str]:
    cores = len(os.sched_getaffinity(0))
    yield f"{models} models of timm, {cores} cores, the aim {1000 * zoo.AIM_S:.0f} ms of CPU a model"
    headings = [
        "",
        "Seconds",
        "CPU s",
        "Models/s",
        "Times as fast",
        "Of what is possible",
        "CPU ms a model",
        "Of the aim",
    ]
    yield tabulate([list(_cells(run, runs[0], models)) for run in runs], headings, disable_numparse=True)


def _cells(run: Run, first: Run, models: int) -> Iterator[str]:
    faster = first.seconds / run.seconds
    yield run.words
    yield f"{run.seconds:.1f}"
    yield "?" if run.cpu_s is None else f"{run.cpu_s:.1f}"
    yield f"{models / run.seconds:.1f}"
    yield f"{faster:.2f}"
    yield f"{faster / run.parallel:.0%}"
    yield "?" if run.cpu_s is None else f"{1000 * run.cpu_s / models:.0f}"
    yield "?" if run.cpu_s is None else f"{run.cpu_s / models / zoo.AIM_S:.2f}"


def _measured(models: Sequence[str]) -> Measured:
    """How long each model is at work in a child that is there already, and its row."""
    ended: list[float] = []

    @contextmanager
    def progress(words: str, total: int) -> Iterator[Callable[[object], None]]:
        yield lambda told: ended.append(time.perf_counter())

    rows = swept(_request([models[0], *models]), Execution(jobs=1), progress)
    plain = [{name: value for name, value in row.items() if name not in ("model", "spec")} for row in rows]
    return [(end - begin, row) for (begin, end), row in zip(pairwise(ended), plain[1:], strict=True)]


def _request(specs: Sequence[str]) -> Request:
    named = [NamedModel(spec, spec, Feed()) for spec in specs]
    return requested(["scale"], named, (), (), AS_IT_IS, published=False)


# What a sweep spends besides ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds. command: until the first model. start: of a child. imports: torch and timm, in it. model: one, the mean.

    task: one more of the tasks that scheduler, workers and head hand on, where no model takes any time.
    row: of that, what the process spends that gathers rows.
    """

    command: float
    start: float
    imports: float
    model: float
    task: float
    row: float

    def wall(self, models: int, workers: int, parallel: int) -> float:
        """Seconds of a sweep, of which so many workers are at work at once."""
        begun = self.command + (self.start + self.imports) * workers / parallel
        return begun + models * max(self.model / parallel, self.task)


def _costs(model: str, measured: Measured) -> Costs:
    with tempfile.TemporaryDirectory() as folder:
        saved = str(Path(folder) / "saved.json")
        subprocess.run(
            [sys.executable, "-m", "profiler", model, "--no-cache", "--save", saved], check=True, capture_output=True
        )
        start = _first(saved)
        imports = _first(model) - start
        command = zoo.swept([saved], "--jobs", "1")[0] - start
        run = simulated(measured, 2560, 10, 0.0, 1e6, Path(folder))
    mean = sum(seconds for seconds, _ in measured) / len(measured)
    return Costs(command, start, imports, mean, run.seconds / run.models, run.cpu_s / run.models)


def _first(spec: str) -> float:
    """How much longer a new child takes than one that is there."""
    child, asked = Child("profiler.answers.sweep.row"), _request([spec]).asked(0).to_bytes()
    try:
        times = [time.perf_counter()]
        for _ in range(2):
            child.ask(asked, DEFAULT_BOUNDS)
            times.append(time.perf_counter())
    finally:
        child.close()
    return times[1] - times[0] - (times[2] - times[1])


def _fit(costs: Costs, runs: Sequence[Run], models: int) -> Iterator[str]:
    yield "seconds = command + (start + imports) x workers / p + models x max(model / p, task), p = workers at once"
    yield (
        f"command {costs.command:.2f} s, start {costs.start:.2f} s, imports {costs.imports:.2f} s, model "
        f"{1000 * costs.model:.0f} ms, task {1000 * costs.task:.2f} ms, of which row {1000 * costs.row:.2f} ms"
    )
    for run in runs:
        predicted = costs.wall(models, run.workers, run.parallel)
        yield f"{run.words}: {predicted:.1f} s by the formula, {run.seconds:.1f} s measured"
    for workers in (10, 100, 1000):
        hours = costs.wall(100_000, workers, workers) / 3600
        yield f"100,000 models on {workers:,} workers with a core each: {hours:.2f} hours by the formula"


# A simulated sweep ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Simulated:
    """What was seen of a sweep. ended: when each row was there. head: MB resident, at each tenth of the rows."""

    models: int
    seconds: float = 0.0
    cpu_s: float = 0.0
    busy_s: float = 0.0
    ended: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    most_in_flight: int = 0
    journal: Counter[int] = field(default_factory=Counter)
    rows: list[dict[str, Any]] = field(default_factory=list)
    retried: list[dict[str, Any]] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many models have no row in the journal, or none in the result."""
        return self.models - len(self.journal) + self.models - len(self.rows)

    @property
    def twice(self) -> int:
        """How many have several rows in the journal."""
        return sum(count > 1 for count in self.journal.values())


class _Counted(Request):
    """A request that tells how many of its models were asked for."""

    __slots__ = ()
    taken = 0

    def asked(self, index: int, trace_cache: str | None = None) -> Any:
        _Counted.taken += 1
        return Request.asked(self, index, trace_cache)


def simulated(
    measured: Measured,
    models: int,
    workers: int,
    scale: float,
    lost_every_s: float,
    folder: Path,
    retries: bool = False,
) -> Simulated:
    """Sweep so many models on a simulated cluster; and, where that is asked for, what failed once more."""
    drawn, journal = folder / "measured.json", folder / "zoo.csv.jsonl"
    drawn.write_text(json.dumps(measured), encoding="utf-8")
    journal.unlink(missing_ok=True)
    specs = [f"architectures.py:network(seed={seed})" for seed in range(models)]
    plain = _request(specs)
    request = _Counted(plain.specs, plain.models, plain.conventions, plain.devices)
    seen, process = Simulated(models), psutil.Process()
    seen.busy_s = scale * sum(fate(spec, measured).seconds for spec in specs)
    _Counted.taken = 0

    @contextmanager
    def progress(words: str, total: int) -> Iterator[Callable[[object], None]]:
        yield ending

    def ending(told: object) -> None:
        seen.ended.append(time.perf_counter() - began)
        seen.most_in_flight = max(seen.most_in_flight, _Counted.taken - len(seen.ended) + 1)
        if len(seen.ended) * 10 // models > (len(seen.ended) - 1) * 10 // models:
            seen.head.append(process.memory_info().rss / MB)

    with cluster(drawn, workers, scale, lost_every_s) as address:
        execution = partial(Execution, on=address, bounds=BOUNDS, journal=str(journal))
        gc.collect()
        seen.head.append(process.memory_info().rss / MB)
        began, cpu_s = time.perf_counter(), time.process_time()
        seen.rows = swept(request, execution(), progress)
        seen.seconds, seen.cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        with journal.open(encoding="utf-8") as lines:
            next(lines)
            seen.journal.update(json.loads(line)["index"] for line in lines)
        if retries:
            seen.retried = swept(request, execution(is_resumed=True, retries=True))
    return seen


def _simulated(measured: Measured, chosen: argparse.Namespace, folder: Path) -> Iterator[str]:
    seen = simulated(measured, chosen.models, chosen.workers, chosen.scale, chosen.lost_every, folder, retries=True)
    yield f"{seen.models:,} models on {chosen.workers} simulated workers, durations times {chosen.scale:g}"
    yield f"{seen.seconds:.0f} s, {seen.models / seen.seconds:.0f} models/s"
    yield f"workers at work {seen.busy_s / seen.seconds / chosen.workers:.1%} of the time"
    yield f"from the 99th percentile to the end {seen.ended[-1] - seen.ended[len(seen.ended) * 99 // 100]:.1f} s"
    yield f"a worker lost each {chosen.lost_every:g} s: {seen.seconds // chosen.lost_every:.0f}"
    yield f"models without a row: {seen.lost}; with several: {seen.twice}"
    yield f"most tasks taken and not ended: {seen.most_in_flight}"
    yield f"CPU of the head {1000 * seen.cpu_s / seen.models:.2f} ms a row"
    yield "head, MB at each tenth: " + ", ".join(f"{resident:.0f}" for resident in seen.head)
    for words, rows in (("", seen.rows), ("with --retry ", seen.retried)):
        yield words + ", ".join(f"{count:,} {status}" for status, count in Counter(r["status"] for r in rows).items())
    for status, reason in {row["status"]: row["reason"] for row in seen.rows if row["status"] != OK}.items():
        yield f"  {status}: {reason}"


if __name__ == "__main__":
    sys.exit(main())
