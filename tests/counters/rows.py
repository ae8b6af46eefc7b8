"""What a replica must count on a small model: rows of a model, what it is fed, and the count as a product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from profiler import profile
from profiler.counters import conventions
from profiler.counters.conventions import Replica
from profiler.records.inputs import parse
from profiler.records.trace import Trace


@dataclass(frozen=True, slots=True)
class Row:
    """inputs: shapes as the command line writes them."""

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[str, ...]
    expected: int
    named: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def trace(self) -> Trace:
        return profile(self.build(), self.inputs, kwargs={name: parse(text) for name, text in self.named.items()}).trace


def row(name: str, build: Callable[[], nn.Module], *inputs: str, is_: int, **named: str) -> Row:
    return Row(name, build, inputs, is_, named)


class Of(nn.Module):
    """A function of tensors. It has a parameter, since some tools fail on models without."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None, z: torch.Tensor | None = None) -> Any:
        return self.function(*(given for given in (x, y, z) if given is not None))


def of(name: str, function: Callable[..., Any], *inputs: str, is_: int) -> Row:
    return Row(name, lambda: Of(function), inputs, is_)


class First(nn.Module):
    """The first output of a module, and what it is fed passed on."""

    def __init__(self, inner: nn.Module, **settings: Any) -> None:
        super().__init__()
        self.inner = inner
        self.settings = settings

    def forward(self, *given: torch.Tensor) -> Any:
        return self.inner(*given, **self.settings)[0]


class Image(nn.Module):
    """A module whose argument has a name."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: torch.Tensor) -> Any:
        return self.inner(image)


class Attention(nn.Module):
    """Self-attention by nn.MultiheadAttention."""

    def __init__(self, need_weights: bool = True, **settings: Any) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True, **settings)
        self.need_weights = need_weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.inner(x, x, x, need_weights=self.need_weights)[0]
        return out


class BesideFrozen(nn.Module):
    """Attention with nothing trainable, of what a trainable layer gives, or before one."""

    def __init__(self, is_first: bool) -> None:
        super().__init__()
        self.attention = Attention().requires_grad_(False)
        self.layer = nn.Linear(8, 8, bias=False)
        self.is_first = is_first

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(self.attention(x)) if self.is_first else self.attention(self.layer(x))


class Shared(nn.Module):
    """One linear layer under two parents, called by both."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(8, 8)
        self.left = nn.Sequential(layer)
        self.right = nn.Sequential(layer)

    def forward(self, x: torch.Tensor) -> Any:
        return self.right(self.left(x))


class Tied(nn.Module):
    """An embedding whose table is the last layer's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> Any:
        return self.head(self.embed(ids))


class HalfUsed(nn.Module):
    """A layer that is called, one that is not, and a parameter of the model's own."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(8, 4)
        self.unused = nn.Linear(5, 6)
        self.token = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> Any:
        return self.used(x)


def frozen(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer.requires_grad_(False), nn.Linear(4, 3))


def counted(tool: str, row: Row) -> int:
    """What the replica counts: the model's, and the sum of the modules' is the same."""
    replica, trace = _replica(tool), row.trace()
    total: int = replica.total(trace, None)  # type: ignore[arg-type]
    assert total == int(sum(charge.amount for charge in replica.charges(trace)))
    return total


def weighed(tool: str, row: Row) -> int:
    replica = _replica(tool)
    assert replica.weighings is not None
    return sum(weighing.amount for weighing in replica.weighings(row.trace()))


def _replica(tool: str) -> Replica:
    found = conventions.named(tool)
    assert isinstance(found, Replica)
    return found
