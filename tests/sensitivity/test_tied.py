"""Weights that two layers hold: counted once, changed in both, kept by one where the other is left out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from profiler import ProfileError, sensitivity
from profiler.figures.profile import NoSuchLayer

WIDTH, SAMPLES = 6, 4


class Tied(nn.Module):
    """`second` has the weight of `first`, and next to nothing of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head = (nn.Linear(WIDTH, out) for out in (WIDTH, WIDTH, 3))
        self.second.weight = self.first.weight
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))


X = torch.rand(SAMPLES, WIDTH, generator=torch.Generator().manual_seed(1))


def test_a_layer_whose_weight_counts_elsewhere_is_not_marked() -> None:
    found = sensitivity(Tied(), X)
    assert found["second"].importance == 0  # of its bias alone
    assert not found["second"].costs_much
    assert "whether second matters little is not told" in str(found)

    class Apart(Tied):
        def __init__(self) -> None:
            super().__init__()
            self.second.weight = nn.Parameter(torch.zeros(WIDTH, WIDTH))

    assert sensitivity(Apart(), X)["second"].costs_much


def test_what_is_left_out_leaves_its_weight_to_the_other() -> None:
    trials = sensitivity(Tied(), X, by="remove")
    assert trials["first"].saved_bytes == trials["second"].saved_bytes == 4 * WIDTH  # a bias
    assert sensitivity(nn.Sequential(Tied(), nn.Linear(3, 3)), X, by="remove", each="0*")


def test_what_is_pruned_is_zero_in_both() -> None:
    trials = sensitivity(Tied(), X, by="prune=0.5")
    assert trials["first"].saved_macs == SAMPLES * 2 * WIDTH * WIDTH // 2
    assert trials["head"].saved_macs == SAMPLES * WIDTH * 3 // 2
    assert "A weight that several layers hold changes in all of them" in str(trials)
    with pytest.raises(KeyError, match=r"'second' is not among the rows: --by prune=0.5 does not change it by itself"):
        trials["second"]


def test_a_path_without_a_row() -> None:
    model = nn.Sequential(nn.Linear(WIDTH, 3), nn.ReLU())
    with pytest.raises(ProfileError, match=r"'1' is not among the rows: it has no floating-point weights; there are"):
        sensitivity(model, X)["1"]
    with pytest.raises(NoSuchLayer):
        sensitivity(model, X)["2"]
