"""The command, as tests run it: in this process, with what it prints caught."""

from __future__ import annotations

import csv
import io

import pytest

from profiler.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr."""
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err


def rows(capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, str]]:
    """What a command that succeeds prints as CSV, by column."""
    status, out, err = run(capsys, *argv, "--format", "csv")
    assert (status, err) == (0, "")
    return list(csv.DictReader(io.StringIO(out)))
