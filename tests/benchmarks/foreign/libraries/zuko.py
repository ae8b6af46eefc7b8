"""Zuko: normalising flows, whose forward pass returns a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import zuko
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "NICE": {"transforms": 2},
    "RealNVP": {"transforms": 2},
    "MAF": {"transforms": 2},
    "NSF": {"transforms": 2, "bins": 4},
    "NCSF": {"transforms": 2, "bins": 4},
    "SOSPF": {"transforms": 2, "degree": 2, "polynomials": 2},
    "BPF": {"transforms": 2, "degree": 4},
    "NAF": {"transforms": 2, "signal": 4},
    "UNAF": {"transforms": 2, "signal": 4},
    "CNF": {},
    "GF": {"transforms": 2, "components": 4},
}


class Density(nn.Module):
    """How likely are these points, given a context? What a flow is trained on."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = -self.flow(context).log_prob(x)
        return found


class Sampler(nn.Module):
    """Draw points, given a context."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.flow(context).rsample()
        return found


def _flow(kind: str) -> nn.Module:
    made: nn.Module = getattr(zuko.flows, kind)(3, 5, hidden_features=(32, 32), **_KINDS[kind])
    return made


def _density(kind: str) -> tuple[nn.Module, Any]:
    return Density(_flow(kind)), (torch.rand(8, 3), torch.rand(8, 5))


def _sampler(kind: str) -> tuple[nn.Module, Any]:
    return Sampler(_flow(kind)), (torch.rand(8, 5),)


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"{kind}, density": partial(_density, kind) for kind in _KINDS},
    **{f"{kind}, samples": partial(_sampler, kind) for kind in ("NICE", "MAF", "NSF", "CNF")},
    **{f"{kind}, distribution": lambda kind=kind: (_flow(kind), (torch.rand(8, 5),)) for kind in ("NSF", "MAF")},
    "MLP": lambda: (zuko.nn.MLP(8, 4, hidden_features=[32, 32], normalize=True), torch.rand(4, 8)),
    "MaskedMLP": lambda: (zuko.nn.MaskedMLP(torch.ones(4, 8) > 0, [32]), torch.rand(4, 8)),
    "MonotonicMLP": lambda: (zuko.nn.MonotonicMLP(3, 4, [32]), torch.rand(4, 3)),
}
