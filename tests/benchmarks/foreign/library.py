"""`python -m tests.benchmarks.foreign.library NAME`: all architectures of one library, a line of JSON for each.

A process of its own for each library, from which one is forked for each architecture: the library is imported once,
and what an architecture crashes, hangs or leaves behind concerns it alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tests.benchmarks import isolated
from tests.benchmarks.foreign import check, libraries
from tests.benchmarks.foreign.outcome import Result

TIME_LIMIT_S = 120.0


def main(argv: Sequence[str] | None = None) -> int:
    """Append a line to the file for each architecture, as they come."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.foreign.library", description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--filter", default="*")
    parser.add_argument("--only-every", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT_S)
    parser.add_argument("--json", type=Path, required=True)
    asked = parser.parse_args(argv)
    chosen = [name for name in libraries.architectures(asked.library) if fnmatchcase(name, asked.filter)]
    tasks = [check.Task(asked.library, name) for name in chosen[:: asked.only_every]]
    preload = [check.__name__, "tests.benchmarks.foreign.warm", f"{libraries.__name__}.{asked.library}"]
    with asked.json.open("a", encoding="utf-8") as file:
        for task, result in isolated.each(check.check_alone, tasks, preload, asked.time_limit):
            kept = Result(task.name, lost=result.reason) if isinstance(result, isolated.Lost) else result
            file.write(json.dumps(kept.as_dict()) + "\n")
            file.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
