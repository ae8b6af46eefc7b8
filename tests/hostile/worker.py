"""What comes of the command on damaged files and on files made for mischief, one after the other in a process?

The process has limits of its own. What comes of each file has to be a table, or one line and the exit status 2; never
another exception, a word on the standard output that is no table, or a file that changed.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profiler.records.files.reading import is_file
from tests import forked_counters, quick
from tests.benchmarks import isolated
from tests.hostile.damage import damaged
from tests.hostile.seeds import Seed, seed, written

MOST_CPU_S = 600  # of all together
MOST_ADDRESSES = 8 << 30  # bytes; torch alone maps some gigabytes
SLOW_S, MOST_MB = 20.0, 700.0  # one file, and what it adds to what the process has


@dataclass
class Report:
    """What came of the files of a kind; `failed` says of which and why."""

    kind: str
    tried: int = 0
    read: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    worst_s: float = 0.0
    worst_mb: float = 0.0

    def add(self, name: str, outcome: str, seconds: float, grown_mb: float) -> None:
        self.tried += 1
        self.worst_s, self.worst_mb = max(self.worst_s, seconds), max(self.worst_mb, grown_mb)
        if outcome in ("read", "refused"):
            setattr(self, outcome, getattr(self, outcome) + 1)
        else:
            self.failed.append(f"{name}: {outcome}")
        if seconds > SLOW_S or grown_mb > MOST_MB:
            self.failed.append(f"{name}: {seconds:.1f} s, {grown_mb:.0f} MB")


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def outcome(of: Seed, path: Path, below: Any) -> str:
    """What the command makes of a file: "read", "refused", or what is wrong with that.

    below: what is written past Python's own standard output.
    """
    from profiler.cli.main import main

    before = path.read_bytes()
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(of.argv)
    except BaseException:  # also SystemExit: nothing may leave the command but a status
        return "".join(traceback.format_exc().splitlines(keepends=True)[-6:])
    if path.read_bytes() != before:
        return "the file was changed"
    if os.fstat(below.fileno()).st_size:
        below.truncate(0)
        return "something was printed past the table"
    if status in of.statuses and out.getvalue().strip():
        return "read"
    lines = err.getvalue().splitlines()
    is_said = 1 <= len(lines) <= of.lines and all(line.startswith("profile-model: ") for line in lines)
    if status != 2 or not is_said:
        return f"status {status}, {len(lines)} lines: {lines[:3]}"
    return "refused" if all(map(str.isprintable, lines)) else f"not printable: {lines!r}"


def measured(report: Report, name: str, of: Seed, content: bytes, folder: Path, below: io.BufferedRandom) -> None:
    path = written(of, folder, content)
    started, before = time.process_time(), _peak_mb()
    result = outcome(of, path, below)
    report.add(name, result, time.process_time() - started, _peak_mb() - before)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextlib.contextmanager
def past_python(folder: Path):  # type: ignore[no-untyped-def]
    """The process's standard output is a file, so that what C code prints is seen."""
    sys.stdout.flush()
    kept = os.dup(1)
    with (folder / "printed").open("w+b") as below:
        os.dup2(below.fileno(), 1)
        try:
            yield below
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def of_members(folder: Path, first: int, step: int) -> Report:
    """Every file of `members`, or each so many of them, in a folder of its own; those of a kind share nothing."""
    from tests.hostile.members import members

    report = Report("made for mischief")
    limited()
    with past_python(folder) as below:
        os.chdir(folder)
        outcome(seed("config.json"), written(seed("config.json"), folder), below)  # what its libraries say once
        for number, (name, write) in enumerate(members()):
            if number % step != first:
                continue
            inside = folder / str(number)
            inside.mkdir()
            os.chdir(inside)
            argv = write(inside)
            path = next(path for path in (*inside.rglob("*"), folder / "printed") if is_file(path))
            of = Seed(name, b"", argv, {}, frozenset({0, 1}), lines=3)
            started, before = time.process_time(), _peak_mb()
            result = outcome(of, path, below)
            report.add(name, result, time.process_time() - started, _peak_mb() - before)
    return report


def of_kind(kind: str, folder: Path, first: int, tries: int) -> Report:
    """Damaged files of a kind, which follow from their numbers."""
    of, report = seed(kind), Report(kind)
    os.chdir(folder)
    limited()
    with past_python(folder) as below:
        path = written(of, folder)
        whole = outcome(of, path, below)
        if whole != "read":
            report.failed.append(f"the file that is right: {whole}")
        for number in range(first, first + tries):
            measured(report, f"{kind} {number}", of, damaged(of.content, number), folder, below)
    return report


@dataclass(frozen=True)
class Work:
    """Files to try: so many damaged ones of a kind from a number on, or with no kind a part of `members`."""

    folder: Path
    first: int
    count: int  # of damaged files, or of the parts that the members are divided into
    kind: str | None = None


def report(work: Work) -> Report:
    """Of a process of its own, forked from one that has imported what the command imports."""
    (_, outcome), *_ = isolated.each(_work, [work], forked_counters.IMPORTS, MOST_CPU_S)
    if isinstance(outcome, isolated.Lost):  # a signal has a number below 0
        return Report(work.kind or "made for mischief", failed=[outcome.reason])
    return outcome


def _work(work: Work) -> Report:
    quick.remember_options()
    if work.kind is None:
        return of_members(work.folder, work.first, work.count)
    return of_kind(work.kind, work.folder, work.first, work.count)
