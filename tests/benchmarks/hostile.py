"""`python -m tests.benchmarks.hostile`: damaged files and files made for mischief, as docs/validation.md has them.

Each kind of file in a process with limits of its own. The exit status is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.hostile import worker
from tests.hostile.seeds import KINDS
from tests.hostile.worker import Report


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hostile")
    parser.add_argument("--tries", type=int, default=500, help="damaged files of each kind")
    parser.add_argument("--first", type=int, default=0, help="the number of the first, from which its damage follows")
    chosen = parser.parse_args(argv)
    print("| kind of file | tried | refused | read | failed | worst seconds | worst MB |")
    print("|---|---|---|---|---|---|---|")
    damaged = [_row(kind, chosen.first, chosen.tries) for kind in KINDS]
    reports = [*damaged, _row(None, 0, 1)]
    for report in reports:
        for line in report.failed:
            print(f"\n{line}")
    return int(any(report.failed for report in reports))


def _row(kind: str | None, first: int, count: int) -> Report:
    """Printed as soon as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        report = worker.report(worker.Work(Path(folder), first, count, kind))
    cells = (
        report.kind,
        report.tried,
        report.refused,
        report.read,
        len(report.failed),
        f"{report.worst_s:.2f}",
        f"{report.worst_mb:.0f}",
    )
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return report


if __name__ == "__main__":
    sys.exit(main())
