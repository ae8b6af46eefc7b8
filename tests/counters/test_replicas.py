"""fvcore, thop, torch's FlopCounterMode, torchprofile and ptflops's aten backend: their rules and their bugs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from profiler import counters, profile
from profiler.counters import conventions
from tests.counters.rows import Attention, First, HalfUsed, Of, Row, Shared, Tied, counted, frozen, of, row, weighed

CONV = 2 * 8 * 8 * 4 * 3 * 3 * 3
TRANSPOSED = 8 * 8 * 4 * 6 * 2 * 2
PROJECTIONS, PRODUCTS = 4 * 2 * 5 * 8 * 8, 2 * 2 * 5 * 5 * 8


def _conv(**settings: Any) -> nn.Module:
    return nn.Conv2d(3, 4, 3, padding=1, **settings)


def _transposed() -> nn.Module:
    return nn.ConvTranspose2d(4, 6, 2, 2)


def _own(x: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(x, x, x)


def _layer() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


class Dropped(nn.Module):
    """A layer that the output does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner(x)
        return x + 1


class OwnLinear(nn.Linear):
    """A subclass that computes as its base does."""


class AcrossChannels(nn.Module):
    """A linear layer of a transposed tensor, which is not contiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(10, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.inner(x.transpose(1, 2))


class ComplexConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, dtype=torch.complex64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.view_as_real(self.conv(torch.view_as_complex(x)))


class OwnProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x @ weight


class OwnThenLinear(nn.Module):
    """A product with a gradient of its own, and a linear layer of it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 4))
        self.linear = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.linear(OwnProduct.apply(x, self.weight))  # type: ignore[no-untyped-call]


class LearnedMask(nn.Module):
    """Attention whose mask is made of a trainable table."""

    def __init__(self, mask: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(4, 4))
        self.mask = mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask(self.table))


def _with_mask(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)


class Packs(nn.Module):
    """A recurrent layer over sequences of these lengths, packed."""

    def __init__(self, kind: str, *lengths: int, **settings: Any) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(6, 8, **settings)
        self.lengths = torch.tensor(lengths)

    def forward(self, x: torch.Tensor) -> Any:
        return self.rnn(nn.utils.rnn.pack_padded_sequence(x, self.lengths))[0].data


LEARNED = 2 * 3 * 4 * 4 * (8 + 8)

FVCORE = [
    row("convolution", _conv, "2x3x8x8", is_=CONV),
    row("transposed", _transposed, "1x4x8x8", is_=TRANSPOSED),
    row("padding by name", lambda: nn.Conv2d(3, 4, 3, padding="same"), "1x3x8x8", is_=0),
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * 10 * 5),
    row("batch norm", lambda: nn.BatchNorm2d(6), "2x6x5x5", is_=2 * 2 * 6 * 5 * 5),
    row("plain batch norm", lambda: nn.BatchNorm2d(6, affine=False), "2x6x5x5", is_=2 * 6 * 5 * 5),
    row("layer norm", lambda: nn.LayerNorm(8), "2x5x8", is_=5 * 2 * 5 * 8),
    row("plain layer norm", lambda: nn.LayerNorm(8, elementwise_affine=False), "2x5x8", is_=4 * 2 * 5 * 8),
    row("RMS norm", lambda: nn.RMSNorm(8), "2x5x8", is_=0),
    row("adaptive pool", lambda: nn.AdaptiveAvgPool2d(1), "2x6x7x7", is_=2 * 6 * 7 * 7),
    row("one of another rank", lambda: nn.AdaptiveAvgPool1d(1), "2x6x7", is_=0),
    row("bilinear", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "1x4x8x8", is_=4 * 4 * 16 * 16),
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("left operand broadcast", lambda x, y: x @ y, "4x5", "7x5x6", is_=4 * 5 * 6),
    of("torch.linalg.matmul", torch.linalg.matmul, "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    row("a complex convolution is three", ComplexConv, "2x3x9x2", is_=3 * 2 * 7 * 4 * 3 * 3),
    of("baddbmm", torch.baddbmm, "2x3x5", "2x3x4", "2x4x5", is_=0),
    of(
        "einsum, a pattern it knows",
        lambda x, y: torch.einsum("abc,abd->acd", x, y),
        "2x3x4",
        "2x3x5",
        is_=2 * 3 * 4 * 5,
    ),
    of("as printed, with few digits", lambda x, y: torch.einsum("i,i->", x, y), "12597", "12597", is_=25_200 // 2),
    of("fused attention", _own, "1x2x5x8", is_=0),
    row("attention without products", lambda: Attention(need_weights=False), "2x5x8", is_=PROJECTIONS),
    row("attention's fast path", lambda: Attention().requires_grad_(False), "2x5x8", is_=0),
    row("a linear layer by a vector", lambda: Of(lambda x, y: F.linear(x, y)), "2x8", "8", is_=2 * 8 * 8),
    row("LSTM", lambda: First(nn.LSTM(6, 8)), "5x2x6", is_=0),
    row("its cell", lambda: First(nn.LSTMCell(6, 8)), "2x6", is_=2 * 32 * (6 + 8)),
    row("dropped by tracing", Dropped, "2x8", is_=0),
    row("inside of a torch.autograd.Function", OwnThenLinear, "2x8", is_=2 * 4 * 5),
]

THOP = [
    row("convolution", _conv, "2x3x8x8", is_=CONV),
    row("no batch: the height for the channels", lambda: nn.Conv2d(3, 4, 3), "3x8x8", is_=4 * 6 * 6 * 8 * 3 * 3),
    row("transposed, by its output", _transposed, "1x4x8x8", is_=16 * 16 * 6 * 4 * 2 * 2),
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * 10 * 5),
    row("batch norm", lambda: nn.BatchNorm2d(6), "2x6x5x5", is_=4 * 2 * 6 * 5 * 5),
    row("plain instance norm", lambda: nn.InstanceNorm2d(6), "2x6x5x5", is_=2 * 2 * 6 * 5 * 5),
    row("group norm", lambda: nn.GroupNorm(2, 6), "2x6x5x5", is_=0),
    row("softmax", lambda: nn.Softmax(-1), "2x6x5", is_=2 * 6 * (3 * 5 - 1)),
    row("average pool", lambda: nn.AvgPool2d(2), "2x6x8x8", is_=2 * 6 * 4 * 4),
    row("adaptive pool", lambda: nn.AdaptiveAvgPool2d(1), "2x6x7x7", is_=(7 * 7 + 1) * 2 * 6),
    row("a broken window", lambda: nn.AdaptiveAvgPool1d(3), "2x6x8", is_=(8 + 3) * 2 * 6),
    row("bilinear", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "1x4x8x8", is_=11 * 4 * 16 * 16),
    row("GRU", lambda: First(nn.GRU(6, 8)), "5x2x6", is_=5 * 2 * (3 * 8 * (6 + 8 + 3) + 4 * 8)),
    row("cell", lambda: nn.Sequential(nn.RNNCell(6, 8, bias=False)), "2x6", is_=2 * 8 * (6 + 8 + 1)),
    row("a subclass", lambda: nn.Sequential(OwnLinear(8, 4)), "2x8", is_=0),
    row("attention", Attention, "2x5x8", is_=0),
    of("functions", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=0),
    row("under two parents, hooked and counted twice", Shared, "2x8", is_=2 * 2 * (2 * 2 * 8 * 8)),
]

TORCH = [
    row("convolution", _conv, "2x3x8x8", is_=2 * CONV),
    row("transposed", _transposed, "1x4x8x8", is_=2 * TRANSPOSED),
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 2 * 7 * 10 * 5),
    row("a complex convolution is three", ComplexConv, "2x3x9x2", is_=2 * 3 * 2 * 7 * 4 * 3 * 3),
    of("a complex product is one", lambda x: torch.view_as_complex(x) @ torch.view_as_complex(x).T, "3x4x2", is_=72),
    row("norm and activation", lambda: nn.Sequential(nn.BatchNorm1d(8), nn.ReLU()), "2x8", is_=0),
    of("left operand broadcast", lambda x, y: x @ y, "4x5", "7x5x6", is_=2 * 7 * 4 * 5 * 6),
    of("by a vector", lambda x, y: x @ y, "6x7", "7", is_=0),
    of("inner", torch.inner, "3x4", "5x4", is_=2 * 3 * 4 * 5),
    of("of two vectors", torch.inner, "4", "4", is_=0),
    of(
        "three operands",
        lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z),
        "4x6",
        "6x8",
        "8x5",
        is_=2 * (192 + 160),
    ),
    of("fused attention", _own, "1x2x5x8", is_=0),
    of("one key head for all", F.scaled_dot_product_attention, "2x3x4x8", "2x1x6x8", "2x1x6x8", is_=0),
    of(
        "fewer heads of keys than of values, not fused",
        F.scaled_dot_product_attention,
        "2x3x4x8",
        "2x1x6x8",
        "2x3x6x8",
        is_=2 * 2 * 3 * 4 * 6 * (8 + 8),
    ),
    of("a mask of three dimensions", _with_mask, "3x4x8", "3x4x4", is_=0),
    of("one that does not fit", _with_mask, "1x3x4x8", "3x4x4", is_=2 * 3 * 4 * 4 * (8 + 8)),
    row("a learned mask, not fused", lambda: LearnedMask(lambda table: table), "2x3x4x8", is_=2 * LEARNED),
    row("a view of it", lambda: LearnedMask(lambda table: table[None, None]), "2x3x4x8", is_=2 * LEARNED),
    row("what is computed of it, fused", lambda: LearnedMask(lambda table: 2 * table), "2x3x4x8", is_=0),
    row("a frozen one, fused", lambda: LearnedMask(lambda table: table).requires_grad_(False), "2x3x4x8", is_=0),
    row("the fast path", Attention, "2x5x8", is_=0),
    row("no fast path, and fused", lambda: Attention(bias=False, need_weights=False), "2x5x8", is_=2 * PROJECTIONS),
    row("no fast path", lambda: Attention(bias=False), "2x5x8", is_=2 * (PROJECTIONS + PRODUCTS)),
    row("inside of a torch.autograd.Function", OwnThenLinear, "2x8", is_=2 * (2 * 8 * 4 + 2 * 4 * 5)),
    row("LSTM", lambda: First(nn.LSTM(6, 8)), "5x2x6", is_=0),
    row("a projected one", lambda: First(nn.LSTM(6, 8, proj_size=3)), "5x2x6", is_=2 * 5 * 2 * (32 * (6 + 3) + 3 * 8)),
    row("GRU", lambda: First(nn.GRU(6, 8)), "5x2x6", is_=2 * 5 * 2 * 24 * (6 + 8)),
    row("packed sequences of one length", lambda: Packs("LSTM", 5, 5), "5x2x6", is_=0),
    row("in both directions", lambda: Packs("LSTM", 5, 5, bidirectional=True), "5x2x6", is_=0),
    row("of one sequence", lambda: Packs("LSTM", 5), "5x1x6", is_=0),
    row("of several lengths", lambda: Packs("LSTM", 5, 3), "5x2x6", is_=2 * (5 + 3) * 32 * (6 + 8)),
    row("with projections", lambda: Packs("LSTM", 5, 5, proj_size=3), "5x2x6", is_=2 * 5 * 2 * (32 * (6 + 3) + 8 * 3)),
    row("another layer of one length", lambda: Packs("GRU", 5, 5), "5x2x6", is_=2 * 5 * 2 * 24 * (6 + 8)),
]

TORCHPROFILE = [
    row("convolution", _conv, "2x3x8x8", is_=CONV),
    row("transposed, by its output", _transposed, "1x4x8x8", is_=16 * 16 * 6 * 4 * 2 * 2),
    row("linear", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * 10 * 5),
    row("batch norm", lambda: nn.BatchNorm2d(6), "2x6x5x5", is_=2 * 6 * 5 * 5),
    row("plain batch norm", lambda: nn.BatchNorm2d(6, affine=False), "2x6x5x5", is_=0),
    row("average pool", lambda: nn.AvgPool2d(2), "2x6x8x8", is_=2 * 6 * 4 * 4),
    row("leaky ReLU", nn.LeakyReLU, "2x6x5", is_=2 * 6 * 5),
    row("bilinear", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "1x4x8x8", is_=4 * 4 * 16 * 16),
    of("torch.linalg.matmul", torch.linalg.matmul, "2x3x4", "2x4x5", is_=2 * 3 * 4 * 5),
    of("x * y", lambda x, y: x * y, "2x6x5", "2x6x5", is_=2 * 6 * 5),
    of("x + y", lambda x, y: x + y, "2x6x5", "2x6x5", is_=0),
    of("mean", lambda x: x.mean((2, 3)), "2x6x8x8", is_=2 * 6),
    of("left operand broadcast", lambda x, y: x @ y, "4x5", "7x5x6", is_=7 * 4 * 5 * 6),
    of("mm", torch.mm, "3x4", "4x5", is_=0),
    of(
        "three operands in one loop",
        lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z),
        "4x6",
        "6x8",
        "8x5",
        is_=960,
    ),
    of("ellipsis", lambda x, y: torch.einsum("...ij,jk->...ik", x, y), "2x3x4x5", "5x6", is_=0),
    of("fused attention", _own, "1x2x5x8", is_=2 * 2 * 5 * 5 * 8),
    row("LSTM", lambda: First(nn.LSTM(6, 8)), "5x2x6", is_=5 * 2 * 32 * (6 + 8)),
    row("GRU", lambda: First(nn.GRU(6, 8)), "5x2x6", is_=0),
    row("the fast path of a whole layer", lambda: _layer().requires_grad_(False), "2x5x8", is_=0),
    row("dropped by tracing", Dropped, "2x8", is_=0),
    row("inside of a torch.autograd.Function", OwnThenLinear, "2x8", is_=2 * 4 * 5),
]

PTFLOPS_ATEN = [
    row("convolution and bias", _conv, "2x3x8x8", is_=CONV + 2 * 4 * 8 * 8),
    row("no bias", lambda: _conv(bias=False), "2x3x8x8", is_=CONV),
    row("complex: three, two with a bias", ComplexConv, "2x3x9x2", is_=3 * 2 * 7 * 4 * 3 * 3 + 2 * 2 * 4 * 7),
    row("linear and bias", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 7 * (10 + 1) * 5),
    row("a bias added apart", AcrossChannels, "2x10x7", is_=2 * 7 * 10 * 5),
    row("norm and activation", lambda: nn.Sequential(nn.BatchNorm1d(8), nn.ReLU()), "2x8", is_=0),
    of("left operand broadcast", lambda x, y: x @ y, "4x5", "7x5x6", is_=7 * 4 * 5 * 6),
    of("baddbmm", torch.baddbmm, "2x3x5", "2x3x4", "2x4x5", is_=0),
    of("fused attention", _own, "1x2x5x8", is_=0),
    of("one key head for all", F.scaled_dot_product_attention, "2x3x4x8", "2x1x6x8", "2x1x6x8", is_=0),
    row("what is computed of a learned mask", lambda: LearnedMask(lambda table: 2 * table), "2x3x4x8", is_=LEARNED),
    row("LSTM", lambda: First(nn.LSTM(6, 8)), "5x2x6", is_=0),
    row("GRU", lambda: First(nn.GRU(6, 8)), "5x2x6", is_=5 * 2 * 24 * (6 + 8 + 2)),
    row("fast path", lambda: nn.TransformerEncoder(_layer(), 2).requires_grad_(False), "2x5x8", is_=0),
    row(
        "but for a layer that stands in the model, and is hooked",
        lambda: nn.Sequential(_layer().requires_grad_(False)),
        "2x5x8",
        is_=2 * 5 * (9 * 16 + 17 * 8),
    ),
]


ROWS = {
    "fvcore": FVCORE,
    "thop": THOP,
    "torch": TORCH,
    "torchprofile": TORCHPROFILE,
    "ptflops-aten": PTFLOPS_ATEN,
}
COUNTS = [pytest.param(tool, case, id=f"{tool}: {case}") for tool, cases in ROWS.items() for case in cases]


@pytest.mark.parametrize(("tool", "case"), COUNTS)
def test_count(tool: str, case: Row) -> None:
    assert counted(tool, case) == case.expected


WEIGHTS = {
    "fvcore": [
        row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3),
        row("tied once", Tied, "2x5:int64", is_=20 * 8),
    ],
    "thop": [
        row("of layers with a rule that are called", HalfUsed, "2x8", is_=9 * 4),
        row("shared for each parent", Shared, "2x8", is_=2 * 9 * 8),
        row("an embedding has no rule", Tied, "2x5:int64", is_=20 * 8),
        row("attention has none", lambda: nn.Sequential(Attention()), "2x5x8", is_=0),
    ],
    "ptflops-aten": [row("only what is trainable", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=5 * 3)],
}


@pytest.mark.parametrize(
    ("tool", "case"),
    [pytest.param(tool, case, id=f"{tool}: {case}") for tool, cases in WEIGHTS.items() for case in cases],
)
def test_parameters(tool: str, case: Row) -> None:
    assert weighed(tool, case) == case.expected


# Laws -----------------------------------------------------------------------------------------------------------------


def _plain() -> nn.Module:
    """What every tool counts alike, but for biases and what is no product."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(4 * 6 * 6, 5, bias=False))


@pytest.mark.parametrize("tool", counters.names())
def test_products_alone_are_the_same_everywhere(tool: str) -> None:
    """Each tool counts the MACs, in its unit."""
    found = profile(_plain(), (1, 3, 8, 8))
    replica = conventions.named(tool)
    assert isinstance(replica, conventions.Replica)
    assert found.under(tool).totals.flops == replica.per_mac * (6 * 6 * 4 * 3 * 3 * 3 + 4 * 6 * 6 * 5)


@pytest.mark.parametrize("tool", sorted(set(counters.names()) - {"ptflops"}))
def test_linear_in_the_batch(tool: str) -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))

    one, three = (profile(model(), (batch, 3, 8, 8)).under(tool).totals.flops for batch in (1, 3))
    assert three == 3 * one
