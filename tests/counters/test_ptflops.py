"""ptflops with its pytorch backend: layers, the functions that they call, and its bugs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from profiler import profile
from profiler.records.inputs import parse
from tests.counters.rows import Attention, First, HalfUsed, Image, Row, Shared, counted, frozen, of, row, weighed

QKV, OUT = 3 * 5 * 8 * 8, 5 * 8 * 8
PRODUCTS = 2 * 5 * 5 * 8


class _Norm(nn.Module):
    """A norm that calls functions of torch which call methods."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.local_response_norm(x, 3)


LAYERS = [
    row("convolution", lambda: nn.Conv2d(3, 4, 3, padding=1), "1x3x8x8", is_=8 * 8 * 4 * (3 * 3 * 3 + 1)),
    row("groups", lambda: nn.Conv2d(4, 6, 3, groups=2), "1x4x8x8", is_=6 * 6 * 6 * (2 * 3 * 3 + 1)),
    row(
        "transposed convolution", lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), "1x4x8x8",
        is_=8 * 8 * 4 * 6 * 2 * 2 + 16 * 16 * 6,
    ),
    row("linear", lambda: nn.Linear(10, 5), "1x7x10", is_=7 * (10 + 1) * 5),
    row("no bias", lambda: nn.Linear(10, 5, bias=False), "1x7x10", is_=7 * 10 * 5),
    row("batch norm", lambda: nn.BatchNorm2d(6), "1x6x5x5", is_=2 * 6 * 5 * 5),
    row("plain batch norm", lambda: nn.BatchNorm2d(6, affine=False), "1x6x5x5", is_=6 * 5 * 5),
    row("group norm", lambda: nn.GroupNorm(2, 6), "1x6x5x5", is_=2 * 6 * 5 * 5),
    row("instance norm", lambda: nn.InstanceNorm2d(6), "1x6x5x5", is_=6 * 5 * 5),
    row("RNN", lambda: First(nn.RNN(6, 8)), "1x5x6", is_=5 * (8 * 6 + 8 * 8 + 8 + 2 * 8)),
    row("GRU", lambda: First(nn.GRU(6, 8)), "1x5x6", is_=5 * (24 * 6 + 24 * 8 + 7 * 8 + 2 * 24)),
    row("LSTM", lambda: First(nn.LSTM(6, 8, bias=False)), "1x5x6", is_=5 * (32 * 6 + 32 * 8 + 10 * 8)),
    row(
        "deep LSTM in two directions", lambda: First(nn.LSTM(6, 8, num_layers=2, bidirectional=True)), "1x5x6",
        is_=2 * 5 * (32 * (6 + 8) + 32 * (16 + 8) + 2 * (10 * 8 + 2 * 32)),
    ),
    row("cell", lambda: First(nn.LSTMCell(6, 8)), "1x6", is_=32 * 6 + 32 * 8 + 10 * 8 + 2 * 32),
]  # fmt: skip

FUNCTIONS = [
    row("ReLU counts twice", nn.ReLU, "1x6x5", is_=2 * 6 * 5),
    row("GELU counts twice", nn.GELU, "1x6x5", is_=2 * 6 * 5),
    row("ReLU6 is hardtanh, and counts once", nn.ReLU6, "1x6x5", is_=6 * 5),
    row("LeakyReLU counts once", nn.LeakyReLU, "1x6x5", is_=6 * 5),
    row("SiLU counts as a function alone", nn.SiLU, "1x6x5", is_=6 * 5),
    row("Softmax too", lambda: nn.Softmax(-1), "1x6x5", is_=6 * 5),
    row("Sigmoid is not known", nn.Sigmoid, "1x6x5", is_=0),
    row("pools count their input twice", lambda: nn.MaxPool2d(2), "1x6x8x8", is_=2 * 6 * 8 * 8),
    row("indices too", lambda: First(nn.AdaptiveMaxPool2d(2, True)), "1x6x8x8", is_=2 * 6 * 8 * 8),
    row("Upsample counts its output twice", lambda: nn.Upsample(scale_factor=2), "1x4x8x8", is_=2 * 4 * 16 * 16),
    of("x.relu() is not patched", lambda x: x.relu(), "1x6x5", is_=0),
    of("F.relu", lambda x: F.relu(x), "1x6x5", is_=6 * 5),
    of("size", lambda x: F.interpolate(x, (12, 16)), "2x4x8x8", is_=2 * 4 * 12 * 16),
    of("broken scale", lambda x: F.interpolate(x, scale_factor=1.5), "1x4x8x8", is_=4 * 12 * 12),
    of("scales lose their fractions", lambda x: F.interpolate(x, scale_factor=(2.0, 1.5)), "1x4x8x8", is_=4 * 64 * 2),
    of("area is a pool as well", lambda x: F.interpolate(x, (4, 4), mode="area"), "1x4x8x8", is_=4 * 16 + 4 * 64),
    of("torch.matmul", lambda x, y: torch.matmul(x, y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=0),
    of("left operand broadcast", lambda x, y: torch.matmul(x, y), "4x5", "2x3x5x6", is_=4 * 5 * 6),
    of("by a vector", lambda x, y: torch.matmul(x, y), "6x7", "7", is_=6 * 7 * 7),
    of("bmm", lambda x, y: torch.bmm(x, y), "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("addmm", lambda x, y, z: torch.addmm(x, y, z), "5", "3x4", "4x5", is_=3 * 4 * 5 + 5),
    of("addmm without", lambda x, y, z: torch.addmm(x, y, z, beta=0), "5", "3x4", "4x5", is_=3 * 4 * 5),
    of("lined up from the left", lambda x, y: torch.add(x, y), "2x6x5", "5", is_=5 * 6 * 5),
    of("x * y", lambda x, y: x * y, "2x6x5", "2x6x5", is_=0),
    of("x.mul(2)", lambda x: x.mul(2), "2x6x5", is_=2 * 6 * 5),
    of("in place", lambda x: x.mul_(2), "2x6x5", is_=0),
    of("einsum", lambda x, y: torch.einsum("ij,jk->ik", x, y), "3x4", "4x5", is_=0),
    of("fused attention", lambda x: F.scaled_dot_product_attention(x, x, x), "1x2x5x8", is_=0),
    row("calls of methods inside", _Norm, "1x4x6x6", is_=3 * 4 * 36 + (4 + 2) * 36),  # mul, mul, add; a padded pool
    row("signs inside", lambda: nn.LPPool2d(2, 3), "1x4x9x9", is_=4 * 81 + 2 * 4 * 9),
]

COMPOSITION = [
    row(
        "attention: the layer, then bmm and softmax again", Attention, "1x5x8",
        is_=(QKV + OUT + PRODUCTS + 5 * 8 + 2 * 5 * 5 + 3 * 5 * 8 + 5 * 8) + PRODUCTS + 2 * 5 * 5,
    ),
    row(
        "attention without weights", lambda: Attention(need_weights=False, bias=False), "1x5x8",
        is_=QKV + OUT + PRODUCTS + 5 * 8 + 2 * 5 * 5 + 5 * 8,
    ),
    row("layers divided by the batch", lambda: nn.Linear(10, 5), "3x10", is_=(10 + 1) * 5),
    row("functions not", nn.SiLU, "3x6x5", is_=3 * 6 * 5),
    row("half divided", nn.ReLU, "3x6x5", is_=6 * 5 + 3 * 6 * 5),
    row("Upsample divided twice", lambda: nn.Upsample(scale_factor=2), "4x4x8x8", is_=16 * 16 + 4 * 4 * 16 * 16),
    row("keywords have no batch", lambda: Image(nn.Linear(10, 5)), is_=3 * (10 + 1) * 5, image="3x10"),
    row("under two parents", Shared, "1x8", is_=2 * 2 * (8 + 1) * 8),
    row(
        "a Transformer's layer keeps its own activation",
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), "1x5x8",
        is_=(QKV + OUT + PRODUCTS + 5 * 8 + 2 * 5 * 5 + 3 * 5 * 8 + 5 * 8) + 5 * (9 * 16 + 17 * 8) + 2 * 5 * 8,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", [*LAYERS, *FUNCTIONS, *COMPOSITION], ids=str)
def test_count(case: Row) -> None:
    assert counted("ptflops", case) == case.expected


WEIGHTS = [
    row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3),
    row("only what is trainable", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=5 * 3),
    row("shared once", Shared, "2x8", is_=9 * 8),
]


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_parameters(case: Row) -> None:
    assert weighed("ptflops", case) == case.expected


class _Batch(nn.Module):
    """Its only argument is a dict or a list of two tensors."""

    def __init__(self, *keys: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(10, 5)
        self.keys = keys

    def forward(self, batch: Any) -> Any:
        return self.linear(batch[self.keys[0]] + batch[self.keys[1]])


@pytest.mark.parametrize(
    ("keys", "batch", "expected"),
    [
        (("x", "y"), {"x": parse("3x10"), "y": parse("3x10")}, 3 * (10 + 1) * 5),  # passed by its name: no batch
        ((0, 1), [parse("3x10"), parse("3x10")], 3 * (10 + 1) * 5 // 2),  # its length is taken for the batch
    ],
    ids=["dict", "list"],
)
def test_only_argument(keys: tuple[Any, ...], batch: Any, expected: int) -> None:
    assert profile(_Batch(*keys), (batch,)).under("ptflops").totals.flops == expected


def test_published_figure() -> None:
    """resnet34: MACs, the last layer's bias, 2 for each element of norms, activations and pools."""
    macs, norms, activations, pools = 3_663_761_408, 7_476_224, 2 * 3_562_496, 2 * 827_904
    case = row("resnet34", _resnet34, "1x3x224x224", is_=macs + 1000 + norms + activations + pools)
    assert counted("ptflops", case) == case.expected == 3_680_019_432


def _resnet34() -> nn.Module:
    from torchvision.models import resnet34

    with torch.device("meta"):
        return resnet34()
