"""ultralytics-thop: layers by their nearest class that has a rule, and products by functions outside of them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from tests.counters.rows import Attention, First, HalfUsed, Image, Row, Shared, counted, frozen, of, row, weighed


class OwnLinear(nn.Linear):
    """A subclass, with a second product of its own."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) @ self.weight


class ByFunction(nn.Module):
    """Attention by the function that nn.MultiheadAttention calls."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Parameter(torch.zeros(3 * width, width))
        self.out = nn.Parameter(torch.zeros(width, width))
        self.sizes = width, heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.project, None, None, None, False, 0.0, self.out, None
        return F.multi_head_attention_forward(x, x, x, *self.sizes, *weights, training=False)[0]


class Called(nn.Module):
    """A layer that is run without being called."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.inner.forward(x)
        return out


def _softmax(rows: int, length: int) -> int:
    return rows * (3 * length - 1)


LAYERS = [
    row("convolution", lambda: nn.Conv2d(3, 4, 3, padding=1), "2x3x8x8", is_=2 * 8 * 8 * 4 * 3 * 3 * 3),
    row("no batch", lambda: nn.Conv2d(3, 4, 3), "3x8x8", is_=6 * 6 * 4 * 3 * 3 * 3),
    row("transposed groups", lambda: nn.ConvTranspose2d(4, 6, 2, 2, groups=2), "1x4x8x8", is_=64 * 4 * 3 * 2 * 2),
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * 10 * 5),
    row("bilinear", lambda: nn.Bilinear(4, 5, 6), "3x4", "3x5", is_=3 * 6 * (4 + 1) * 5),
    row("batch norm", lambda: nn.BatchNorm2d(6), "2x6x5x5", is_=4 * 2 * 6 * 5 * 5),
    row("RMS norm", lambda: nn.RMSNorm(8), "2x5x8", is_=4 * 2 * 5 * 8),
    row("plain group norm", lambda: nn.GroupNorm(2, 6, affine=False), "2x6x5", is_=2 * 2 * 6 * 5),
    row("PReLU", nn.PReLU, "2x6x5", is_=2 * 6 * 5),
    row("softmax", lambda: nn.Softmax(-1), "2x6x5", is_=_softmax(2 * 6, 5)),
    row("softmax2d", nn.Softmax2d, "2x6x5x4", is_=_softmax(2 * 5 * 4, 6)),
    row("log softmax", lambda: nn.LogSoftmax(1), "2x6x5", is_=_softmax(2 * 5, 6) + 2 * 5),
    row("softmin", lambda: nn.Softmin(-1), "2x6x5", is_=_softmax(2 * 6, 5) + 2 * 6 * 5),
    row("average pool", lambda: nn.AvgPool2d(2), "2x6x8x8", is_=2 * 6 * (4 * 2) ** 2 + 2 * 6 * 4 * 4),
    row("over the edge", lambda: nn.AvgPool1d(3, 2, 1), "2x6x9", is_=2 * 6 * 5 * 3 + 2 * 6 * 5),
    row(
        "not over the edge", lambda: nn.AvgPool1d(3, 2, 1, count_include_pad=False), "2x6x9",
        is_=2 * 6 * (2 + 3 + 3 + 3 + 2) + 2 * 6 * 5,
    ),
    row("adaptive pool", lambda: nn.AdaptiveAvgPool2d(1), "2x6x7x7", is_=2 * 6 * 7 * 7 + 2 * 6),
    row("uneven", lambda: nn.AdaptiveAvgPool1d(3), "2x6x8", is_=2 * 6 * (3 + 4 + 3) + 2 * 6 * 3),
    row("nearest", lambda: nn.Upsample(scale_factor=2), "1x4x8x8", is_=0),
    row("trilinear", lambda: nn.Upsample(scale_factor=2, mode="trilinear"), "1x4x4x4x4", is_=31 * 4 * 8**3),
    row("RNN", lambda: First(nn.RNN(6, 8)), "5x2x6", is_=5 * 2 * 8 * (6 + 8 + 1 + 2)),
    row("GRU", lambda: First(nn.GRU(6, 8, bias=False)), "5x6", is_=5 * (3 * 8 * (6 + 8 + 1) + 4 * 8)),
    row(
        "deep LSTM in two directions, projected",
        lambda: First(nn.LSTM(6, 8, num_layers=2, bidirectional=True, proj_size=3)), "5x2x6",
        is_=2 * 5 * 2 * sum(4 * 8 * (size + 3 + 1 + 2) + 4 * 8 + 8 * 3 for size in (6, 2 * 3)),
    ),
    row("cell", lambda: First(nn.LSTMCell(6, 8)), "2x6", is_=2 * (4 * 8 * (6 + 8 + 1 + 2) + 4 * 8)),
    row(
        "attention", Attention, "3x5x8",
        is_=3 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8) + _softmax(3 * 2 * 5, 5),
    ),
    row(
        "keys that it adds", lambda: Attention(need_weights=False, add_zero_attn=True), "3x5x8",
        is_=3 * (4 * 5 * 8 * 8 + 2 * 5 * 6 * 8) + _softmax(3 * 2 * 5, 6),
    ),
    row(
        "a weight that is made of others", lambda: weight_norm(nn.Conv2d(3, 4, 3)), "1x3x8x8",
        is_=6 * 6 * 4 * 3 * 3 * 3,
    ),
    row("ReLU", nn.ReLU, "2x8", is_=0),
    row("named arguments", lambda: Image(nn.Linear(10, 5)), is_=3 * 10 * 5, image="3x10"),
    row("a subclass, by its ancestor's rule alone", lambda: OwnLinear(8, 8), "2x8", is_=2 * 8 * 8),
    row("run without a call, by the function", lambda: Called(nn.Linear(8, 4)), "2x8", is_=2 * 8 * 4),
    row("a convolution has none", lambda: Called(nn.Conv2d(3, 4, 3)), "1x3x8x8", is_=0),
    row("under two parents, counted once", Shared, "2x8", is_=2 * 2 * 8 * 8),
]  # fmt: skip

FUNCTIONS = [
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("broadcast", lambda x, y: torch.matmul(x, y), "4x5", "7x5x6", is_=7 * 4 * 5 * 6),
    of("by a vector", lambda x, y: torch.matmul(x, y), "6x7", "7", is_=6 * 7),
    of("bmm", lambda x, y: x.bmm(y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("mm", lambda x, y: torch.mm(x, y), "3x4", "4x5", is_=0),
    of("baddbmm", lambda x, y, z: torch.baddbmm(x, y, z), "2x3x5", "2x3x4", "2x4x5", is_=0),
    of("F.linear", lambda x, y: F.linear(x, y), "2x3x4", "5x4", is_=2 * 3 * 4 * 5),
    of("fused attention", lambda x: F.scaled_dot_product_attention(x, x, x), "1x2x5x8", is_=2 * 2 * 5 * 5 * 8),
    of("attention by hand", lambda x: torch.softmax(x @ x.transpose(-2, -1), -1) @ x, "2x5x8", is_=2 * 2 * 5 * 5 * 8),
    of("einsum", lambda x, y: torch.einsum("bij,bjk->bik", x, y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("einsum of a list", lambda x, y: torch.einsum("ij,jk->ik", [x, y]), "3x4", "4x5", is_=3 * 4 * 5),
    row(
        "attention by its function", lambda: ByFunction(8, 2), "5x3x8",
        is_=3 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8) + _softmax(3 * 2 * 5, 5),
    ),
    of("ellipsis", lambda x, y: torch.einsum("...ij,jk->...ik", x, y), "2x3x4x5", "5x6", is_=2 * 3 * 4 * 5 * 6),
    of("implicit output", lambda x, y: torch.einsum("ij,jk", x, y), "3x4", "4x5", is_=3 * 4 * 5),
    of("summed away before", lambda x, y: torch.einsum("ij,jk->j", x, y), "3x4", "4x5", is_=4),
    of("of size 1", lambda x, y: torch.einsum("ij,jk->ik", x, y), "3x1", "1x5", is_=3 * 5),
    of("three operands", lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z), "4x6", "6x8", "8x5", is_=0),
]  # fmt: skip


@pytest.mark.parametrize("case", [*LAYERS, *FUNCTIONS], ids=str)
def test_count(case: Row) -> None:
    assert counted("ultralytics-thop", case) == case.expected


WEIGHTS = [
    row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3),
    row("frozen ones too", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=9 * 4 + 5 * 3),
    row("shared once", Shared, "2x8", is_=9 * 8),
]


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_parameters(case: Row) -> None:
    assert weighed("ultralytics-thop", case) == case.expected
