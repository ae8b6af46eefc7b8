"""`python -m tests.benchmarks.readings`: what every counter really says of every model, kept as JSON.

One file a model, `{tool: reading}`, in a folder outside of the repository; what is there already is not read again, so
a run that was stopped goes on. Each counter has a process of its own for each model, forked from one that has imported
the libraries, and a time limit. Comparing with the readings then takes seconds and needs no counter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from profiler import counters
from profiler.counters.running.installed import missing
from profiler.counters.running.reading import Reading
from tests.benchmarks.convention_models import ARCHITECTURES
from tests.benchmarks.forked import read_forked
from tests.benchmarks.small_models import SMALL

DEFAULT_FOLDER = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "profile-model" / "readings"
MODELS = (*SMALL, *ARCHITECTURES)


def main(argv: Sequence[str] | None = None) -> int:
    """Read whatever is not there, and say which tools failed."""
    chosen = _parser().parse_args(argv)
    wanted = [model for model in MODELS if any(fnmatchcase(model, pattern) for pattern in chosen.models or "*")]
    tools = chosen.tools.split(",") if chosen.tools else counters.names()
    collect(wanted, tools, chosen.folder, chosen.time_limit, chosen.jobs, again=chosen.again)
    for model in wanted:
        for tool, reading in recorded(model, chosen.folder).items():
            if tool in tools and not reading.is_read:
                print(f"{tool} fails on {model}: {reading.error or reading.missing}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.readings", description=__doc__)
    parser.add_argument("models", nargs="*", help="patterns of models, like 'conv*' or 'timm:*'; default: all")
    parser.add_argument("--tools", help="like fvcore,thop; default: all that are installed")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help=f"default: {DEFAULT_FOLDER}")
    parser.add_argument("--time-limit", type=float, default=300.0, help="seconds a counter and model")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    return parser


# What is kept ---------------------------------------------------------------------------------------------------------


def recorded(model: str, folder: Path = DEFAULT_FOLDER) -> dict[str, Reading]:
    """The readings of a model that are kept, by tool."""
    file = _file(model, folder)
    saved = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {tool: Reading.from_dict(reading) for tool, reading in saved.items()}


def keep(model: str, readings: Mapping[str, Reading], folder: Path) -> None:
    """Write a model's readings, in place of those that are kept."""
    file = _file(model, folder)
    partial = file.with_suffix(".part")
    kept = {tool: reading.to_dict() for tool, reading in readings.items()}
    partial.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    partial.replace(file)


def _file(model: str, folder: Path) -> Path:
    return folder / f"{model.replace(':', '.')}.json"


# How it is read -------------------------------------------------------------------------------------------------------


def collect(
    models: Sequence[str], tools: Sequence[str], folder: Path, time_limit_s: float, jobs: int, again: bool = False
) -> None:
    """Read every model with every installed tool, unless it is kept already."""
    folder.mkdir(parents=True, exist_ok=True)
    installed = [tool for tool in tools if missing(counters.tool(tool)) is None]
    waiting = [(model, tool) for model in models for tool in installed if again or tool not in recorded(model, folder)]
    started = time.monotonic()
    for done, (model, reading) in enumerate(read_forked(waiting, folder, time_limit_s, jobs), 1):
        keep(model, {**recorded(model, folder), reading.tool: reading}, folder)
        print(f"\r{done}/{len(waiting)} {time.monotonic() - started:.0f} s {model:40}", end="", file=sys.stderr)
    print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
