"""Damaged files of every format: 500 each, in a process with limits, and each of them is read, or refused in a line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.seeds import KINDS
from tests.hostile.worker import MOST_MB, SLOW_S

TRIES = 500
ROOT = Path(__file__).parents[2]


def reported(kind: str, tries: int, folder: Path) -> Any:
    command = [sys.executable, "-m", "tests.hostile.worker", kind, str(tries), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]  # a signal has a number below 0
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused_in_a_line(kind: str, tmp_path: Path) -> None:
    found = reported(kind, TRIES, tmp_path)
    assert found["failed"] == []
    assert found["read"] + found["refused"] == found["tried"] == TRIES
    assert found["refused"] > 0
    assert found["worst_s"] < SLOW_S
    assert found["worst_mb"] < MOST_MB
