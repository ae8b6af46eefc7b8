"""calflops' MACs: functions that are patched, and what it misses or counts twice."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.counters.rows import (
    Attention,
    BesideFrozen,
    First,
    HalfUsed,
    Row,
    Shared,
    counted,
    frozen,
    of,
    row,
    weighed,
)


class _Convolving(nn.Module):
    """A convolution by a function, with one number for every dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight, stride=2, padding=1, dilation=2)


ROWS = [
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * 10 * 5),
    row("convolution", lambda: nn.Conv2d(3, 4, 3, padding=1), "2x3x8x8", is_=2 * 8 * 8 * 4 * 3 * 3 * 3),
    row("strides and holes", _Convolving, "1x3x9x9", is_=4 * 4 * 4 * 3 * 3 * 3),
    row("groups", lambda: nn.Conv1d(4, 6, 3, groups=2), "1x4x16", is_=14 * 6 * 2 * 3),
    row("valid", lambda: nn.Conv2d(3, 4, 4, padding="valid"), "1x3x9x9", is_=6 * 6 * 4 * 3 * 4 * 4),
    row("same, and an even kernel", lambda: nn.Conv2d(3, 4, 4, padding="same"), "1x3x9x9", is_=8 * 8 * 4 * 3 * 4 * 4),
    row("transposed", lambda: nn.ConvTranspose2d(4, 6, 2, 2), "1x4x8x8", is_=8 * 8 * 4 * 6 * 2 * 2),
    row(
        "transposed groups", lambda: nn.ConvTranspose2d(4, 6, 2, 2, groups=2), "1x4x8x8", is_=64 * 4 * (3 // 2) * 2 * 2
    ),
    row("a group for each", lambda: nn.ConvTranspose2d(4, 4, 2, 2, groups=4), "1x4x8x8", is_=0),
    of("torch.matmul", lambda x, y: torch.matmul(x, y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("x.matmul", lambda x, y: x.matmul(y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("left operand broadcast", lambda x, y: torch.matmul(x, y), "4x5", "7x5x6", is_=4 * 5 * 6),
    of("by a vector", lambda x, y: torch.matmul(x, y), "6x7", "7", is_=6 * 7 * 7),
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=0),
    of("mm", lambda x, y: torch.mm(x, y), "3x4", "4x5", is_=0),
    of("bmm", lambda x, y: torch.bmm(x, y), "2x3x4", "2x4x5", is_=0),
    of("addmm", lambda x, y, z: torch.addmm(x, y, z), "5", "3x4", "4x5", is_=3 * 4 * 5),
    of("baddbmm", lambda x, y, z: torch.baddbmm(x, y, z), "2x3x5", "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("einsum", lambda x, y: torch.einsum("ij,jk->ik", x, y), "3x4", "4x5", is_=0),
    of("fused attention", lambda x: F.scaled_dot_product_attention(x, x, x), "1x2x5x8", is_=0),
    row("attention's projections", Attention, "2x5x8", is_=4 * 2 * 5 * 8 * 8),
    row("its fast path", lambda: Attention().requires_grad_(False), "2x5x8", is_=0),
    row("in a trainable model", lambda: BesideFrozen(True), "2x5x8", is_=2 * 5 * 8 * 8),
    row("not where a gradient is wanted", lambda: BesideFrozen(False), "2x5x8", is_=2 * 5 * 8 * 8 + 4 * 2 * 5 * 8 * 8),
    row("recurrent", lambda: First(nn.LSTM(6, 8)), "5x2x6", is_=0),
    row("norm and activation", lambda: nn.Sequential(nn.BatchNorm1d(8), nn.ReLU()), "2x8", is_=0),
    row("under two parents", Shared, "2x8", is_=2 * (2 * 2 * 8 * 8)),
]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_count(case: Row) -> None:
    assert counted("calflops", case) == case.expected


WEIGHTS = [
    row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3),
    row("only what is trainable", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=5 * 3),
]


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_parameters(case: Row) -> None:
    assert weighed("calflops", case) == case.expected
