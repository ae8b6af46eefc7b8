"""calflops' and DeepSpeed's FLOPs: what they count beside 2 for each MAC, and where the two differ."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from profiler import profile
from profiler.answers.cross_check.accounts import account
from profiler.counters.running.reading import Reading
from tests.counters.rows import Attention, First, HalfUsed, Row, Shared, counted, frozen, of, row, weighed

PROJECTIONS, PRODUCTS, SOFTMAX = 4 * 2 * 5 * 8 * 8, 2 * 2 * 5 * 5 * 8, 2 * 2 * 5 * 5


def _transposed(groups: int) -> nn.Module:
    return nn.ConvTranspose2d(4, 6, 2, 2, groups=groups)


def _layer() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


BOTH = [
    row("linear, its bias for free", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * 2 * 7 * 10 * 5),
    row("convolution and bias", lambda: nn.Conv2d(3, 4, 3), "2x3x8x8", is_=2 * 6 * 6 * 4 * (2 * 3 * 3 * 3 + 1)),
    row("no bias", lambda: nn.Conv2d(3, 4, 3, bias=False), "2x3x8x8", is_=2 * 6 * 6 * 4 * 2 * 3 * 3 * 3),
    row("groups", lambda: nn.Conv1d(4, 6, 3, groups=2), "1x4x16", is_=14 * 6 * (2 * 2 * 3 + 1)),
    row("same, an even kernel", lambda: nn.Conv1d(3, 4, 4, padding="same"), "1x3x9", is_=8 * 4 * (2 * 3 * 4 + 1)),
    row("ReLU", nn.ReLU, "2x6x5", is_=2 * 6 * 5),
    row("PReLU", nn.PReLU, "2x6x5", is_=2 * 6 * 5),
    row("GELU", nn.GELU, "2x6x5", is_=2 * 6 * 5),
    row("SiLU", nn.SiLU, "2x6x5", is_=2 * 6 * 5),
    row("LeakyReLU", nn.LeakyReLU, "2x6x5", is_=2 * 6 * 5),
    row("the layer ReLU6 calls another function", nn.ReLU6, "2x6x5", is_=0),
    of("relu6", lambda x: F.relu6(x), "2x6x5", is_=2 * 6 * 5),
    of("a method", lambda x: x.relu(), "2x6x5", is_=0),
    row("Hardswish", nn.Hardswish, "2x6x5", is_=0),
    row("batch norm", lambda: nn.BatchNorm2d(6), "2x6x5x5", is_=2 * 2 * 6 * 5 * 5),
    row("plain batch norm", lambda: nn.BatchNorm2d(6, affine=False), "2x6x5x5", is_=2 * 6 * 5 * 5),
    row(
        "of the batch's statistics",
        lambda: nn.BatchNorm2d(6, track_running_stats=False),
        "2x6x5x5",
        is_=5 * 2 * 6 * 5 * 5,
    ),
    row("layer norm", lambda: nn.LayerNorm(8), "2x5x8", is_=5 * 2 * 5 * 8),
    row("plain layer norm", lambda: nn.LayerNorm(8, elementwise_affine=False), "2x5x8", is_=4 * 2 * 5 * 8),
    row("group norm", lambda: nn.GroupNorm(2, 6), "2x6x5x5", is_=5 * 2 * 6 * 5 * 5),
    row("instance norm", lambda: nn.InstanceNorm2d(6), "2x6x5x5", is_=4 * 2 * 6 * 5 * 5),
    row("RMS norm", lambda: nn.RMSNorm(8), "2x5x8", is_=0),
    row("max pool", lambda: nn.MaxPool2d(2), "2x6x8x8", is_=2 * 6 * 8 * 8),
    row("average pool", lambda: nn.AvgPool1d(2), "2x6x8", is_=2 * 6 * 8),
    row("adaptive max pool", lambda: nn.AdaptiveMaxPool2d(2), "2x6x8x8", is_=2 * 6 * 8 * 8),
    row("to a size", lambda: nn.Upsample(size=(8, 9)), "2x3x4x4", is_=8 * 9),
    row("to one number", lambda: nn.Upsample(size=8), "2x3x4x4", is_=8),
    of("by a function", lambda x: F.interpolate(x, (8, 9), mode="bilinear"), "2x3x4x4", is_=8 * 9),
    row("by area, a pool too", lambda: nn.Upsample(size=(2, 2), mode="area"), "2x3x4x4", is_=2 * 3 * 4 * 4 + 2 * 2),
    of("upsample calls interpolate", lambda x: F.upsample(x, (8, 9)), "2x3x4x4", is_=2 * 8 * 9),
    row("softmax", lambda: nn.Softmax(-1), "2x6x5", is_=2 * 6 * 5),
    of("a softmax method", lambda x: x.softmax(-1), "2x6x5", is_=0),
    of("torch.matmul", lambda x, y: torch.matmul(x, y), "2x3x4", "2x4x5", is_=2 * 2 * 3 * 4 * 5),
    of("left operand broadcast", lambda x, y: torch.matmul(x, y), "4x5", "7x5x6", is_=2 * 4 * 5 * 6),
    of("addmm, and what it adds", lambda x, y, z: torch.addmm(x, y, z), "5", "3x4", "4x5", is_=2 * 3 * 4 * 5 + 5),
    of(
        "baddbmm, and what it does not add",
        lambda x, y, z: torch.baddbmm(x, y, z, beta=0),
        "2x3x5",
        "2x3x4",
        "2x4x5",
        is_=2 * 2 * 3 * 4 * 5 + 2 * 3 * 5,
    ),
    of("einsum", lambda x, y: torch.einsum("ij,jk->ik", x, y), "3x4", "4x5", is_=2 * 3 * 4 * 5 + 1),
    of("einsum, an outer product", lambda x, y: torch.einsum("i,j->ij", x, y), "3", "5", is_=3 * 5 + 1),
    of("with few digits", lambda x, y: torch.einsum("i,i->", x, y), "12597", "12597", is_=25_200),
    of("x.mul", lambda x, y: x.mul(y), "2x6x5", "2x6x5", is_=2 * 6 * 5),
    of("by a number", lambda x: torch.add(x, 2), "2x6x5", is_=2 * 6 * 5),
    of("x + y", lambda x, y: x + y, "2x6x5", "2x6x5", is_=0),
    of("in place", lambda x, y: x.mul_(y), "2x6x5", "2x6x5", is_=0),
    row("an LPPool's", lambda: nn.LPPool1d(2, 2), "2x6x8", is_=2 * 6 * 8 + 2 * (2 * 6 * 4)),
    row("RNN", lambda: First(nn.RNN(6, 8)), "5x2x6", is_=5 * 2 * (2 * 8 * (6 + 8) - 2 * 8 + 8 + 2 * 8)),
    row(
        "GRU without biases",
        lambda: First(nn.GRU(6, 8, bias=False)),
        "5x2x6",
        is_=5 * 2 * (2 * 24 * (6 + 8) - 2 * 24 + 7 * 8),
    ),
    row(
        "LSTM in both directions",
        lambda: First(nn.LSTM(6, 8, bidirectional=True)),
        "5x2x6",
        is_=5 * 2 * 2 * (2 * 32 * (6 + 8) - 2 * 32 + 10 * 8 + 2 * 32),
    ),
    row(
        "two layers, no projections",
        lambda: First(nn.LSTM(6, 8, 2, proj_size=3)),
        "5x2x6",
        is_=5 * 2 * (2 * 32 * (6 + 3) + 2 * 32 * (3 + 3) + 2 * 10 * 8),
    ),
    row(
        "no batch",
        lambda: First(nn.GRU(6, 8)),
        "5x6",
        is_=5 * 6 * (2 * 24 * (6 + 8) - 2 * 24 + 7 * 8 + 2 * 24),
    ),
    row("cell", lambda: nn.LSTMCell(6, 8), "2x6", is_=2 * (2 * 32 * (6 + 8) - 2 * 32 + 10 * 8 + 2 * 32)),
    row("the fast path", lambda: Attention().requires_grad_(False), "2x5x8", is_=0),
]

CALFLOPS = [
    row("transposed, its bias", lambda: _transposed(1), "1x4x8x8", is_=2 * 8 * 8 * 4 * 6 * 2 * 2 + 6 * 4 * 4),
    row("its groups", lambda: _transposed(2), "1x4x8x8", is_=2 * 8 * 8 * 4 * (3 // 2) * 2 * 2 + 3 * 4 * 4),
    row("by a factor", lambda: nn.Upsample(scale_factor=2), "2x3x4x4", is_=2 * 3 * 4 * 4),
    of("shapes from the left", lambda x, y: torch.add(x, y), "2x6x5", "5", is_=5 * 6 * 5),
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=0),
    of("bmm", lambda x, y: torch.bmm(x, y), "2x3x4", "2x4x5", is_=0),
    row("attention", Attention, "2x5x8", is_=2 * PROJECTIONS + SOFTMAX),
    row("under two parents", Shared, "2x8", is_=2 * (2 * 2 * 2 * 8 * 8)),
]

DEEPSPEED = [
    row("transposed, its bias", lambda: _transposed(1), "1x4x8x8", is_=16 * 16 * 6 + 2 * 8 * 8 * 4 * 6 * 2 * 2),
    row("its groups", lambda: _transposed(2), "1x4x8x8", is_=16 * 16 * 6 + 2 * 8 * 8 * 4 * 3 * 2 * 2),
    row(
        "more at its end",
        lambda: nn.ConvTranspose1d(4, 6, 3, 2, padding=1, output_padding=1, dilation=2),
        "1x4x8",
        is_=2 * 8 * 4 * 6 * 3 + 6 * (7 * 2 - 2 + 2 * 2 + 1 + 1),
    ),
    row("by a factor", lambda: nn.Upsample(scale_factor=2), "2x3x4x4", is_=2 * 3 * 8 * 8),
    row("by two", lambda: nn.Upsample(scale_factor=(1.5, 2.0)), "2x3x4x4", is_=2 * 3 * 6 * 8),
    of("shapes as they are", lambda x, y: torch.add(x, y), "2x6x5", "5", is_=2 * 6 * 5),
    of("x @ y", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=2 * 2 * 3 * 4 * 5),
    of("bmm", lambda x, y: torch.bmm(x, y), "2x3x4", "2x4x5", is_=2 * 2 * 3 * 4 * 5),
    of("fused attention", lambda x: F.scaled_dot_product_attention(x, x, x), "1x2x5x8", is_=2 * 2 * 2 * 5 * 5 * 8),
    row("attention", Attention, "2x5x8", is_=2 * (PROJECTIONS + PRODUCTS) + SOFTMAX),
    row(
        "an encoder layer keeps its activation",
        _layer,
        "2x5x8",
        is_=2 * (PROJECTIONS + PRODUCTS) + 2 * 5 * (2 * 2 * 8 * 16 + 2 * 5 * 8),
    ),
    row("under two parents, counted once", Shared, "2x8", is_=2 * 2 * 2 * 8 * 8),
]

ROWS = {"calflops-flops": [*BOTH, *CALFLOPS], "deepspeed-flops": [*BOTH, *DEEPSPEED]}
CASES = [pytest.param(tool, case, id=f"{tool}: {case}") for tool, cases in ROWS.items() for case in cases]


@pytest.mark.parametrize(("tool", "case"), CASES)
def test_count(tool: str, case: Row) -> None:
    assert counted(tool, case) == case.expected


@pytest.mark.parametrize(("tool", "case"), CASES)
def test_its_account_closes(tool: str, case: Row) -> None:
    """What differs from 2 for each of our MACs has a reason."""
    assert account(case.trace(), Reading(tool, total=case.expected)).operations.closes


WEIGHTS = {
    "calflops-flops": [row("only what is trainable", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=5 * 3)],
    "deepspeed-flops": [row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3)],
}


@pytest.mark.parametrize(
    ("tool", "case"),
    [pytest.param(tool, case, id=f"{tool}: {case}") for tool, cases in WEIGHTS.items() for case in cases],
)
def test_parameters(tool: str, case: Row) -> None:
    assert weighed(tool, case) == case.expected


def test_terms_have_their_reasons() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    trace = profile(model, (2, 3, 8, 8)).trace
    elements = 2 * 4 * 6 * 6
    said = account(trace, Reading("deepspeed-flops", total=elements * (2 * 3 * 3 * 3 + 1 + 2 + 1 + 1))).operations
    assert said is not None
    assert said.ours == 2 * elements * 3 * 3 * 3
    assert {(term.family, term.why): term.amount for term in said.terms} == {
        ("bias", "1 per element of a convolution's output"): elements,
        ("batch norm", "2 per element"): 2 * elements,
        ("activation", "1 per element"): elements,
        ("pooling", "1 per element"): elements,
    }
    assert said.remainder == 0
