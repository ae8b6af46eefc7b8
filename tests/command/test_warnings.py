"""What libraries and a model's own file warn of: not shown by the command unless that is asked for; kept in Python."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from profiler import profile
from tests.shell import run

NET = """
import warnings
from torch import nn
warnings.warn("at import")
class Net(nn.Module):
    def forward(self, x):
        with warnings.catch_warnings():
            warnings.simplefilter("always")  # as libraries do
            warnings.warn("in forward", FutureWarning)
        return x
def net():
    warnings.warn("in the builder", FutureWarning)
    return Net()
"""
ALL = {"at import", "in the builder", "in forward"}


def told(recwarn: pytest.WarningsRecorder) -> set[str]:
    return {str(warning.message) for warning in recwarn} & ALL


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "warnoptions", [])
    warnings.simplefilter("default")


@pytest.mark.parametrize(("argv", "options"), [((), []), (("--traceback",), []), ((), ["default"])])
def test_they_are_shown_where_it_is_asked_for(
    argv: tuple[str, ...],
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "warnoptions", options)
    before = warnings.showwarning
    status, _, err = run(capsys, "nets.py:net", "--input", "1x2", *argv)
    assert (status, err) == (0, "")  # what is recorded is not printed
    assert told(recwarn) == (ALL if argv or options else set())
    assert warnings.showwarning is before


def test_in_python_they_are_as_the_users_filters_say(recwarn: pytest.WarningsRecorder) -> None:
    profile("nets.py:net", (1, 2))
    assert told(recwarn) >= {"at import", "in the builder"}


@pytest.mark.parametrize("spec", ["hf:LlamaConfig(num_hidden_layers=1)", "quantized_resnet18"])
def test_those_of_libraries(spec: str, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    assert run(capsys, spec, "--depth", "0")[2] == ""
    assert list(recwarn) == []
