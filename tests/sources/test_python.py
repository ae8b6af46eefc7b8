"""A model in a user's own file: it is the file as it is now that is run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from profiler import profile

NET = "from torch import nn\ndef net(): return nn.Linear(4, {width})\n"


def test_a_file_that_was_just_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same size and time as before, by which Python's own cache goes."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "nets.py"
    for width in (2, 3):
        file.write_text(NET.format(width=width))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert profile(f"{file}:net", (1, 4)).totals.params == (4 + 1) * width
    assert os.listdir(tmp_path) == ["nets.py"]
