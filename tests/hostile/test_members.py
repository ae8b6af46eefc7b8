"""Files made for mischief: each is read, or refused in a line, with time and memory bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.members import members
from tests.hostile.worker import MOST_MB, SLOW_S, Work, report

PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_files_made_for_mischief(part: int, tmp_path: Path) -> None:
    """In a process with limits: a signal that ends it, as memory that was overwritten has it, is a failure here."""
    found = report(Work(tmp_path, part, PARTS))
    assert found.failed == []
    assert found.tried == len(range(part, sum(1 for _ in members()), PARTS))
    assert found.worst_s < SLOW_S
    assert found.worst_mb < MOST_MB


def test_names_tell_them_apart() -> None:
    names = [name for name, _ in members()]
    assert len(names) > 120
    assert len(set(names)) == len(names)
