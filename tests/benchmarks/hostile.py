"""`python -m tests.benchmarks.hostile`: damaged files and files made for mischief, as docs/validation.md has them.

Each kind of file in a process with limits of its own. The exit status is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from typing import Any

from tests.hostile.seeds import KINDS


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hostile")
    parser.add_argument("--tries", type=int, default=500, help="damaged files of each kind")
    parser.add_argument("--first", type=int, default=0, help="the number of the first, from which its damage follows")
    chosen = parser.parse_args(argv)
    print("| kind of file | tried | refused | read | failed | worst seconds | worst MB |")
    print("|---|---|---|---|---|---|---|")
    found = [_report(kind, str(chosen.tries), None, str(chosen.first)) for kind in KINDS]
    found.append(_report("members", None, "0", "1"))
    for report in found:
        for line in report["failed"]:
            print(f"\n{line}")
    return int(any(report["failed"] for report in found))


def _report(kind: str, tries: str | None, *rest: str | None) -> Any:
    """One row, printed as soon as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [argument for argument in (kind, tries, folder, *rest) if argument is not None]
        command = [sys.executable, "-m", "tests.hostile.worker", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"| {kind} | the process ended with {done.returncode} |||||", flush=True)
        return {"failed": [done.stderr[-2000:]]}
    found = json.loads(done.stdout)
    figures = (found[name] for name in ("tried", "refused", "read"))
    row = (found["kind"], *figures, len(found["failed"]), f"{found['worst_s']:.2f}", f"{found['worst_mb']:.0f}")
    print("| " + " | ".join(map(str, row)) + " |", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
