"""`python -m tests.benchmarks.foreign`: models of libraries that the profiler has never seen; see the package."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.benchmarks.foreign import libraries, table
from tests.benchmarks.foreign.outcome import Result


def main(argv: Sequence[str] | None = None) -> int:
    """Run them, print the tables; 1 where something is wrong."""
    asked = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        lines = asked.json or Path(folder) / "results.jsonl"
        if not asked.show:
            for library in asked.library or libraries.names():
                _run(library, asked, lines)
        results = latest(lines.read_text(encoding="utf-8").splitlines())
    return shown(results)


def shown(results: Sequence[Result]) -> int:
    """Print the tables and what is wrong."""
    print(*table.tables(results), sep="\n")
    wrong = list(table.remaining(results))
    print(*(f"- {line}" for line in wrong), sep="\n")
    return int(bool(wrong))


def latest(lines: Iterable[str]) -> list[Result]:
    """The results of a file of lines; of an architecture that was run twice, the later one."""
    found = (Result.from_dict(json.loads(line)) for line in lines)
    return list({result.name: result for result in found}.values())


def _run(library: str, asked: argparse.Namespace, lines: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.foreign.library", library, "--json", str(lines)]
    command += ["--filter", asked.filter, "--only-every", str(asked.only_every)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        with lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(Result(f"{library}/all", lost=" ".join(last)).as_dict()) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.foreign", description=__doc__)
    parser.add_argument("library", nargs="*", help="only these; by default all")
    parser.add_argument("--filter", default="*", metavar="PATTERN", help="only these architectures")
    parser.add_argument("--only-every", type=int, default=1, metavar="N", help="a quick look: every Nth architecture")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append each result to a file, as they come")
    parser.add_argument("--show", action="store_true", help="run nothing; show what the file holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
