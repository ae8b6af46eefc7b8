"""Files made for mischief: each is read, or refused in a line, with time and memory bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.members import members
from tests.hostile.worker import MOST_MB, SLOW_S

PARTS = 4
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", range(PARTS))
def test_files_made_for_mischief(part: int, tmp_path: Path) -> None:
    """In a process with limits: a signal that ends it, as memory that was overwritten has it, is a failure here."""
    command = [sys.executable, "-m", "tests.hostile.worker", "members", str(tmp_path), str(part), str(PARTS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["failed"] == []
    assert found["tried"] == len(range(part, sum(1 for _ in members()), PARTS))
    assert found["worst_s"] < SLOW_S
    assert found["worst_mb"] < MOST_MB


def test_names_tell_them_apart() -> None:
    names = [name for name, _ in members()]
    assert len(names) > 120
    assert len(set(names)) == len(names)
