"""The benchmark of a profile's parts: they are all there, they are parts, and the floor runs the model's own code."""

from __future__ import annotations

import re

import pytest
import torch
import torchvision
from torch import nn

from profiler import profile
from tests.benchmarks import parts


def test_its_rows_are_the_parts_of_a_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MODELS", ("squeezenet1_1",))
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    assert parts.main(["--times", "1"]) == 0
    printed = capsys.readouterr().out
    shares = [int(share) for share in re.findall(r"(-?\d+)%", printed)]
    assert len(shares) == len(parts._PARTS) + 1
    assert abs(sum(shares) - 100) <= len(shares)  # each is rounded
    assert all(share > 0 for share in shares)
    assert "floor" in printed.splitlines()[-1]


def test_what_is_watched_is_as_it_was_afterwards() -> None:
    """Also a property, whose function is replaced inside of it."""
    model, image = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), torch.rand(1, 3)
    before = [vars(owner)[name] for part in parts._PARTS.values() for owner, name in part]
    own = [getattr(each, "func", each) for each in before]
    whole, spent = parts._timed(model, image, 2)
    assert 0 < sum(spent.values()) < whole
    after = [vars(owner)[name] for part in parts._PARTS.values() for owner, name in part]
    assert after == before
    assert [getattr(each, "func", each) for each in after] == own
    assert profile(model, image).totals.macs == 3 * 4


def test_the_floor_runs_the_models_own_code_and_no_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            called.append("model")
            doubled: torch.Tensor = self.layer(x) + self.layer(x)
            return doubled

    def layer(_: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        called.append("layer")
        return x * 2

    monkeypatch.setattr(torchvision.models, "get_model", lambda *_, **__: Adds())
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.empty(1, 3))
    monkeypatch.setattr(nn.Linear, "forward", layer)
    assert len(list(parts._floor("adds", 4))) == 4
    assert called.count("model") == 1 + 1 + 4  # for what layers return, for what operators return, and timed
    assert called.count("layer") == 2
