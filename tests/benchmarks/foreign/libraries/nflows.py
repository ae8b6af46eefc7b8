"""nflows: normalising flows; a forward pass is `log_prob`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from nflows import distributions, flows, transforms
from nflows.nn.nets import ResidualNet
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_WIDTH = 4


class Density(nn.Module):
    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.flow.log_prob(x)
        return found


def _net(inputs: int, outputs: int) -> nn.Module:
    return ResidualNet(inputs, outputs, hidden_features=16, num_blocks=1)


def _mask() -> torch.Tensor:
    return torch.tensor([1, 0, 1, 0])


_TRANSFORMS: Mapping[str, Callable[[], nn.Module]] = {
    "masked affine": lambda: transforms.MaskedAffineAutoregressiveTransform(_WIDTH, 16),
    "masked quadratic": lambda: transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        _WIDTH, 16, num_bins=4, tails="linear", tail_bound=3.0
    ),
    "affine coupling": lambda: transforms.AffineCouplingTransform(_mask(), _net),
    "additive coupling": lambda: transforms.AdditiveCouplingTransform(_mask(), _net),
    "quadratic coupling": lambda: transforms.PiecewiseRationalQuadraticCouplingTransform(
        _mask(), _net, num_bins=4, tails="linear", tail_bound=3.0
    ),
    "LU linear": lambda: transforms.LULinear(_WIDTH),
    "SVD linear": lambda: transforms.SVDLinear(_WIDTH, 2),
    "QR linear": lambda: transforms.QRLinear(_WIDTH, 2),
    "naive linear": lambda: transforms.NaiveLinear(_WIDTH),
    "batch norm": lambda: transforms.BatchNorm(_WIDTH),
    "actnorm": lambda: transforms.ActNorm(_WIDTH),
    "random permutation": lambda: transforms.RandomPermutation(_WIDTH),
}


def _made(name: str) -> tuple[nn.Module, Any]:
    both = transforms.CompositeTransform(
        [_TRANSFORMS[name](), transforms.ReversePermutation(_WIDTH), _TRANSFORMS[name]()]
    )
    return Density(flows.Flow(both, distributions.StandardNormal([_WIDTH]))), torch.rand(8, _WIDTH)


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_made, name) for name in _TRANSFORMS},
    "SimpleRealNVP": lambda: (Density(flows.SimpleRealNVP(_WIDTH, 16, 2, 1)), torch.rand(8, _WIDTH)),
    "MAF": lambda: (Density(flows.MaskedAutoregressiveFlow(_WIDTH, 16, 2, 1)), torch.rand(8, _WIDTH)),
}
