"""Models that nothing is fed to: what they hold is known, and no figure of a run is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile
from profiler.cli.main import main

PARAMS = (6 + 1) * 4 + (4 + 1) * 2

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.b(self.a(x))

class Nothing(Net):
    def forward(self):
        return self.b(self.a(torch.ones(5, 6)))

class Optional(Net):
    def forward(self, rows=5):
        return self.b(self.a(torch.ones(rows, 6)))
"""


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.b(self.a(x))
        return out


class Nothing(Net):
    def forward(self) -> torch.Tensor:  # type: ignore[override]
        return super().forward(torch.ones(5, 6))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "nets.py"
    path.write_text(CODE)
    return str(path)


def test_a_live_model_without_an_input() -> None:
    model = Net()
    found = profile(model)
    assert found.trace.engine == "none"
    assert (found.totals.params, found.totals.param_bytes) == (PARAMS, 4 * PARAMS)
    assert (found.totals.macs, found.totals.flops, found.totals.peak_activation_bytes) == (None, None, None)
    assert [layer.path for layer in found.layers] == ["", "a", "b"]
    assert found["a"].params == 28
    assert "for want of an input" in found.to_markdown()


@pytest.mark.parametrize("inputs", [None, ()])
def test_a_model_that_takes_nothing_is_run(inputs: object) -> None:
    assert profile(Nothing(), inputs).totals.macs == 5 * (6 * 4 + 4 * 2)


@pytest.mark.parametrize("name", ["Nothing", "Optional"])
def test_a_spec_that_takes_nothing_is_run(file: str, name: str) -> None:
    assert profile(f"{file}:{name}").totals.macs == 5 * (6 * 4 + 4 * 2)


def test_conditions_of_a_run_need_one() -> None:
    with pytest.raises(ProfileError, match="does not say what it takes"):
        profile(Net(), train=True)


def test_lazy_layers_have_no_parameters_before_an_input() -> None:
    with pytest.raises(ProfileError, match="does not say what it takes"):
        profile(nn.Sequential(nn.Linear(6, 4), nn.LazyLinear(3)))


def test_the_command_shows_what_is_known_and_how_to_feed_it(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{file}:Net", "--format", "json"]) == 2
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["totals"]["params"], told["totals"]["macs"]) == (PARAMS, None)
    assert "--input" in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(("limit", "status"), [("100", 0), ("30", 1)])
def test_a_gate_on_parameters_needs_no_input(
    file: str, limit: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"{file}:Net", "--no-input", "--max-params", limit]) == status
    assert "Parameters" in capsys.readouterr().out


def test_a_gate_on_macs_does(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{file}:Net", "--no-input", "--max-macs", "1G"]) == 2
    assert "cannot be held to" in capsys.readouterr().err


def test_a_model_with_an_input_of_its_own_need_not_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resnet18", "--no-input", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["totals"]["params"], told["totals"]["macs"], told["engine"]) == (11_689_512, None, "none")
