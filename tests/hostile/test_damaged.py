"""Damaged files of every format, in a process with limits: each of them is read, or refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.seeds import KINDS
from tests.hostile.worker import MOST_MB, SLOW_S, Work, report
from tests.laws import examples


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused_in_a_line(kind: str, tmp_path: Path) -> None:
    tries = examples()
    found = report(Work(tmp_path, 0, tries, kind))
    assert found.failed == []
    assert found.read + found.refused == found.tried == tries
    assert found.refused > 0
    assert found.worst_s < SLOW_S
    assert found.worst_mb < MOST_MB
