"""Code of a file finds the modules next to it: as it is loaded, built and run, from whatever folder the command is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from profiler import profile
from tests.shell import run

MODELS = """
from torch import nn

def built():
    from beside_builder import width
    return nn.Linear(8, width)

class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x):
        from beside_forward import factor
        return self.layer(x) * factor
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "models.py").write_text(MODELS)
    (tmp_path / "code" / "beside_builder.py").write_text("width = 4\n")
    (tmp_path / "code" / "beside_forward.py").write_text("factor = 2\n")
    monkeypatch.chdir(tmp_path)
    for name in ("beside_builder", "beside_forward"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["built", "Late"])
def test_a_profile(name: str) -> None:
    before = list(sys.path)
    assert profile(f"code/models.py:{name}", (1, 8)).totals.params == (8 + 1) * 4
    assert sys.path == before


@pytest.mark.parametrize("name", ["built", "Late"])
@pytest.mark.parametrize(
    "verb",
    [(), ("sensitivity",), ("time", "--device", "cpu"), ("cross-check", "--with", "fvcore"), ("train",)],
    ids=lambda verb: verb[0] if verb else "layers",
)
def test_a_verb(capsys: pytest.CaptureFixture[str], name: str, verb: tuple[str, ...]) -> None:
    status, out, err = run(capsys, *verb[:1], f"code/models.py:{name}", "--input", "1x8", *verb[1:])
    assert (status, "ModuleNotFoundError" in out + err) == (0, False), err
