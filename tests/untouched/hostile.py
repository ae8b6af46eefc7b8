"""A model with a place for everything that a forward pass could change, and a table of what changes it."""

from __future__ import annotations

import collections
import random
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy
import torch
from torch import nn

Behaviour: TypeAlias = Callable[[Any, torch.Tensor], Any]

WIDTH = 4


class Plain:
    """An object of the user's own."""

    def __init__(self) -> None:
        self.table: Any = None
        self.count = 0
        self.inner: dict[str, Any] = {"seen": []}


class Slotted:
    __slots__ = ("table", "unset")

    def __init__(self) -> None:
        self.table: Any = None


class Hostile(nn.Module):
    """Two layers, with a behaviour before them, and an end. It may build a third in its first forward pass."""

    cached: Any = None
    calls = 0
    tables: dict[str, Any] = {}  # noqa: RUF012  shared by all instances, as caches are

    def __init__(self, behave: Behaviour, asks: bool, grows: bool = False) -> None:
        super().__init__()
        self.behave, self.asks, self.grows = behave, asks, grows
        self.end: Any = lambda place: None
        self.lin, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norm, self.rnn, self.bare = nn.BatchNorm1d(WIDTH), nn.LSTM(WIDTH, WIDTH), nn.ReLU()
        self.scale = nn.Parameter(torch.ones(WIDTH))
        self.scale.register_hook(lambda grad: grad)
        self.register_buffer("kept", torch.arange(4.0))
        self.register_buffer("passing", torch.ones(4), persistent=False)
        self.lin.register_forward_hook(lambda *_: None)
        self.norm.eval()
        self.constant = torch.arange(4.0)
        self.listed, self.mapped, self.nested = [1], {"a": 1}, {"seen": [], "by": {}}
        self.recent: Any = collections.deque([1], maxlen=3)
        self.ordered = collections.OrderedDict(a=1, b=2)
        self.names, self.array = {"a"}, numpy.zeros(3)
        self.plain, self.slotted = Plain(), Slotted()
        self.pair = ([], {})
        self.hidden = [nn.Linear(WIDTH, WIDTH)]
        self.draws, self.drawing, self.seeds = torch.Generator(), numpy.random.default_rng(0), random.Random(0)
        self.lin.weight.grad = torch.ones(WIDTH, WIDTH)
        self.lin.weight.note = "mine"
        tally, found = 0, {}

        def counting(tensor: torch.Tensor) -> None:
            nonlocal tally
            tally = tensor
            found["last"] = tensor

        self.counting = counting

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.behave(self, x)
        self.end("first")
        if self.grows and "late" not in self._modules:
            self.late = nn.Linear(WIDTH, WIDTH)
        y = self.lin(x)
        if self.asks and y.sum().item() > 1e9:
            return y
        y = self.head(y)
        self.end("middle")
        return y
