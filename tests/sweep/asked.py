"""Which sweeps do tests ask for? Of models in a file here, by the command in a process of its own, or from Python."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import profiler

ROOT = Path(__file__).parents[2]
ZOO = "tests/sweep/zoo.py"
FINE = [f"{ZOO}:linear(width={width})" for width in range(1, 8)]


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "profiler", "sweep", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        argv(*arguments), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=300
    )


def rows_of(specs: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    """The rows, from Python."""
    return [dict(row) for row in profiler.sweep(specs, **options).rows]
