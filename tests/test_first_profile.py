"""What the first profile of a process imports of torch: neither its compiler nor sympy, for what most models are of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import torch

from profiler.engine.meta.checks import plain_checks

HEAVY = ("torch._dynamo", "sympy")
_CLASSES = """
import torch, torch.nn.functional as F
from torch import nn


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.PReLU(), nn.MaxPool2d(2))
        self.norm, self.up = nn.InstanceNorm2d(8, affine=True), nn.Upsample(scale_factor=2, mode="bilinear")
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        x = self.norm(self.stem(x))
        x = x * torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None] / 2
        return torch.cat([self.up(x).clamp(0, 1), F.interpolate(x, scale_factor=2)], 1).std(1)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(50, 16), nn.LayerNorm(16), nn.Linear(16, 50)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True) for _ in range(2))

    def forward(self, ids):
        x = self.embedding(ids) * 16**0.5
        angles = torch.arange(x.shape[1], device=x.device)[:, None] / 10000 ** (torch.arange(8, device=x.device) / 8)
        x = torch.stack((x[..., ::2] * angles.cos(), x[..., 1::2] * angles.sin()), -1).flatten(-2)
        for layer in self.layers:
            x = layer(x)
        x = x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
        return torch.log_softmax(self.head(self.norm(x)), -1)


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(50, 16), nn.LSTM(16, 8, 2, batch_first=True, bidirectional=True)
        self.gru, self.head = nn.GRU(16, 8), nn.Linear(8, 5)

    def forward(self, ids):
        return torch.log_softmax(self.head(self.gru(self.lstm(self.embedding(ids))[0])[0]), -1)
"""
_PROFILE = "import sys; from profiler import profile; profile({}(), {!r}); print(*(n for n in {} if n in sys.modules))"


def _imported(cls: str, shape: str, folder: Path, more: str = "") -> list[str]:
    (folder / "models.py").write_text(_CLASSES)
    code = f"from models import *\n{more}\n{_PROFILE.format(cls, shape, HEAVY)}"
    paths = [str(folder), str(Path(__file__).parent.parent)]
    program = f"import sys; sys.path[:0] = {paths}\n{code}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(("cls", "shape"), [("Images", "1x3x16x16"), ("Words", "2x8:int64"), ("Steps", "2x8:int64")])
def test_neither_is_imported(cls: str, shape: str, tmp_path: Path) -> None:
    assert _imported(cls, shape, tmp_path) == []


def test_this_can_fail(tmp_path: Path) -> None:
    without = "from profiler.engine.meta import rules; rules.SHAPES.clear(); import profiler.engine.record.insides"
    assert _imported("Words", "2x8:int64", tmp_path, f"{without}; rules.SHAPES.clear()") == list(HEAVY)


@pytest.fixture(params=[plain_checks, nullcontext], ids=["ours", "torch's"])
def checking(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.param():
        yield


def test_a_check_that_fails_says_what_it_says(checking: None) -> None:
    torch._check(True, lambda: "never")
    with pytest.raises(RuntimeError, match=r"^too many$"):
        torch._check(False, lambda: "too many")
    with pytest.raises(ValueError, match=r"^odd$"):
        torch._check_value(False, lambda: "odd")
    with pytest.raises(TypeError, match="cond must be a bool"):
        torch._check(1)  # type: ignore[arg-type]


def test_torchs_own_is_put_back() -> None:
    own = torch._check_with
    with suppress(ZeroDivisionError), plain_checks():
        assert torch._check_with is not own
        raise ZeroDivisionError
    assert torch._check_with is own
