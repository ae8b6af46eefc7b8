"""Whole outputs as they are kept in `tests/snapshots`. `pytest --refresh` accepts what is shown now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "snapshots"
_VERSIONS = re.compile(r"(Versions: )[^\n<]*|(?<=\"versions\": )\{[^}]*\}")


def check(text: str, name: str, request: pytest.FixtureRequest) -> None:
    """Whether a text is the one that is kept under a file's name, but for the versions that it names."""
    shown = _VERSIONS.sub(r"\1...", text) + "\n"
    path = FOLDER / name
    if request.config.getoption("--refresh"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
