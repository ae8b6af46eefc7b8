"""Models that cannot be copied, and make their first forward pass, and exceptions that cannot say what they are."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from profiler import errors, profile


class Waits(nn.Module):
    def __init__(self, held: Any) -> None:
        super().__init__()
        self.conv, self.held = nn.LazyConv1d(4, 1), held

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


@pytest.mark.parametrize("make", [threading.RLock, threading.Event, lambda: (n for n in ())])
def test_a_lazy_model_that_cannot_be_copied(make: Any) -> None:
    model = Waits(make())
    waiting = model.conv.weight
    for _ in range(2):
        assert profile(model, (2, 3, 5)).totals.macs == 2 * 5 * 3 * 4
    assert profile(model, (2, 3, 5), train=True).totals.params == 3 * 4 + 4
    assert model.conv.weight is waiting
    assert is_lazy(waiting)
    assert type(model.conv) is nn.LazyConv1d
    model(torch.ones(2, 3, 5))
    assert profile(model, (2, 3, 5)).totals.macs == 2 * 5 * 3 * 4


class Mute(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("nothing to say")


class Fails(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise Mute


@pytest.mark.parametrize("train", [False, True])
def test_an_exception_without_a_text(train: bool) -> None:
    with pytest.raises(errors.ModelFailed, match="Mute"):
        profile(Fails(), (2, 3), train=train)
