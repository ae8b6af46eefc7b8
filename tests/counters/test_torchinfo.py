"""torchinfo's mult-adds and parameters: by the sizes of parameters and outputs, whatever is computed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from tests.counters.rows import Attention, First, HalfUsed, Row, Shared, Tied, counted, frozen, of, row, weighed


class OwnConvolution(nn.Module):
    """What its name says is enough; it is no convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight


class Named(nn.Module):
    """Parameters that are found by their names, and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_of_keys = nn.Parameter(torch.zeros(7))
        self.bias_of_keys = nn.Parameter(torch.zeros(3))
        self.gamma = nn.Parameter(torch.zeros(11))

    def forward(self, x: torch.Tensor) -> tuple[tuple[torch.Tensor], None]:
        return (x,), None


class EmptyInside(nn.Linear):
    """It has a module inside, which is an empty container."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.more = nn.Sequential()


class Wrapped(nn.Module):
    """A layer in a container that is never called."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layers[0](x)


def _old_weight_norm() -> nn.Module:
    with pytest.warns(FutureWarning):
        return nn.utils.weight_norm(nn.Linear(8, 4))  # type: ignore[no-untyped-call, no-any-return]


def _old_spectral_norm() -> nn.Module:
    return nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))


def _pruned() -> nn.Module:
    layer = nn.Linear(8, 4)
    prune.l1_unstructured(layer, "weight", 0.5)
    return layer


ROWS = [
    row("convolution", lambda: nn.Conv2d(3, 4, 3, padding=1), "2x3x8x8", is_=2 * 8 * 8 * 4 * (3 * 3 * 3 + 1)),
    row("groups", lambda: nn.Conv1d(4, 6, 3, groups=2), "1x4x16", is_=14 * 6 * (2 * 3 + 1)),
    row("transposed", lambda: nn.ConvTranspose2d(4, 6, 2, 2), "1x4x8x8", is_=16 * 16 * 6 * (4 * 2 * 2 + 1)),
    row("no batch", lambda: nn.Conv2d(3, 4, 3), "3x8x8", is_=4 * 6 * 4 * (3 * 3 * 3 + 1)),
    row("Conv in a name", OwnConvolution, "2x3x4x5", is_=5 * 2 * 4 * 5),
    row("linear", lambda: nn.Linear(10, 5), "2x10", is_=2 * (10 + 1) * 5),
    row("linear, middle dimensions left out", lambda: nn.Linear(10, 5), "2x7x10", is_=2 * (10 + 1) * 5),
    row("a vector", lambda: nn.Linear(10, 5), "10", is_=5 * (10 + 1) * 5),
    row("batch norm", lambda: nn.BatchNorm2d(6), "3x6x5x5", is_=3 * 2 * 6),
    row("layer norm", lambda: nn.LayerNorm((5, 8)), "3x5x8", is_=3 * 2 * 5 * 8),
    row("embedding", lambda: nn.Embedding(100, 10), "2x7:int64", is_=2 * 100 * 10),
    row("LSTM", lambda: First(nn.LSTM(6, 8)), "5x2x6", is_=5 * 2 * 32 * (6 + 8 + 2)),
    row("cell", lambda: First(nn.LSTMCell(6, 8)), "2x6", is_=2 * 8 * 32 * (6 + 8 + 2)),
    row("by names", lambda: First(Named()), "2x3x4", is_=2 * 3 * (7 + 3)),
    row("weight norm by a hook, names with weight in them", _old_weight_norm, "2x8", is_=2 * 4 * (8 * 4 + 4) + 2 * 4),
    row("spectral norm", _old_spectral_norm, "1x3x8x8", is_=1 * 4 * (4 * 3 * 3 * 3) + 6 * 6 * 4),
    row("a pruned weight, whose mask is not in the trace", _pruned, "2x8", is_=2 * 9 * 4),
    row("attention is no leaf", Attention, "2x5x8", is_=0),
    row("an empty container inside is none", lambda: nn.Sequential(EmptyInside(8, 4)), "2x8", is_=2 * 9 * 4),
    row("each call", Shared, "2x8", is_=2 * 2 * 9 * 8),
    row("ReLU", nn.ReLU, "2x8", is_=0),
    of("functions", lambda x, y: x @ y, "2x3x4", "2x4x5", is_=0),
    row("bare parameters", HalfUsed, "2x8", is_=2 * 9 * 4),
]  # fmt: skip


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_count(case: Row) -> None:
    assert counted("torchinfo", case) == case.expected


def _later() -> nn.Module:
    """What is called second was called before, elsewhere."""
    layer = nn.Sequential(nn.Linear(8, 8))
    return nn.Sequential(layer, nn.Sequential(layer, nn.Linear(8, 4)))


WEIGHTS = [
    row("all, also unused", HalfUsed, "2x8", is_=9 * 4 + 6 * 6 + 3),
    row("frozen ones too", lambda: frozen(nn.Linear(8, 4)), "2x8", is_=9 * 4 + 5 * 3),
    row("under two parents, three times", Shared, "2x8", is_=3 * 9 * 8),
    row("a container called again, twice", _later, "2x8", is_=2 * 9 * 8 + 9 * 4),
    row("a tied table twice", Tied, "2x5:int64", is_=2 * 20 * 8),
    row("attention, its last layer uncalled", Attention, "2x5x8", is_=4 * 9 * 8),
    row("a container that is not called", lambda: Wrapped(nn.Linear(8, 4), nn.Linear(5, 6)), "2x8", is_=9 * 4 + 6 * 6),
]


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_parameters(case: Row) -> None:
    assert weighed("torchinfo", case) == case.expected
