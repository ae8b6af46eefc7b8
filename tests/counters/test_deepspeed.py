"""DeepSpeed's MACs: functions that are patched, and what it misses."""

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


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(query, key, value)


ROWS = [
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * 10 * 5),
    row("convolution", lambda: nn.Conv2d(3, 4, 3, padding=1), "2x3x8x8", is_=2 * 8 * 8 * 4 * 3 * 3 * 3),
    row("same, and an even kernel", lambda: nn.Conv2d(3, 4, 4, padding="same"), "1x3x9x9", is_=8 * 8 * 4 * 3 * 4 * 4),
    row("same, an odd kernel", lambda: nn.Conv2d(3, 4, 3, padding="same"), "1x3x9x9", is_=9 * 9 * 4 * 3 * 3 * 3),
    row("transposed groups", lambda: nn.ConvTranspose2d(4, 6, 2, 2, groups=2), "1x4x8x8", is_=64 * 4 * 3 * 2 * 2),
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("torch.matmul counts once", lambda x, y: torch.matmul(x, y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("left operand broadcast", lambda x, y: x @ y, "4x5", "7x5x6", is_=4 * 5 * 6),
    of("right operand broadcast", lambda x, y: x @ y, "7x4x5", "5x6", is_=7 * 4 * 5 * 6),
    of("by a vector", lambda x, y: x @ y, "6x7", "7", is_=6 * 7 * 7),
    of("mm", lambda x, y: torch.mm(x, y), "3x4", "4x5", is_=3 * 4 * 5),
    of("bmm", lambda x, y: x.bmm(y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("addmm", lambda x, y, z: torch.addmm(x, y, z), "5", "3x4", "4x5", is_=3 * 4 * 5),
    of("baddbmm", lambda x, y, z: torch.baddbmm(x, y, z), "2x3x5", "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("mv", lambda x, y: torch.mv(x, y), "3x4", "4", is_=0),
    of("einsum", lambda x, y: torch.einsum("ij,jk->ik", x, y), "3x4", "4x5", is_=0),
    of("fused attention", _attend, "2x3x4x8", "2x3x6x8", "2x3x6x10", is_=2 * 3 * 4 * 6 * (8 + 10)),
    row("attention", Attention, "2x5x8", is_=2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8)),
    row("its fast path", lambda: Attention().requires_grad_(False), "2x5x8", is_=0),
    row("in a trainable model", lambda: BesideFrozen(True), "2x5x8", is_=2 * 5 * 8 * 8),
    row(
        "not where a gradient is wanted",
        lambda: BesideFrozen(False),
        "2x5x8",
        is_=2 * 5 * 8 * 8 + 2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8),
    ),
    row("recurrent", lambda: First(nn.GRU(6, 8)), "5x2x6", is_=0),
    row("under two parents, counted once", Shared, "2x8", is_=2 * 2 * 8 * 8),
]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_count(case: Row) -> None:
    assert counted("deepspeed", case) == case.expected


WEIGHTS = [
    row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3),
    row("frozen ones too", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=9 * 4 + 5 * 3),
]


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_parameters(case: Row) -> None:
    assert weighed("deepspeed", case) == case.expected
