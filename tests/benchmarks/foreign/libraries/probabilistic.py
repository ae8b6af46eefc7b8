"""Random models and weights: pyro, botorch, bayesian-torch, blitz, complexPyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import pyro
import torch
from bayesian_torch.layers import Conv2dFlipout, Conv2dReparameterization, LinearFlipout, LinearReparameterization
from blitz.modules import BayesianConv2d, BayesianGRU, BayesianLinear, BayesianLSTM
from botorch.models import SingleTaskGP
from complexPyTorch.complexLayers import ComplexBatchNorm2d, ComplexConv2d, ComplexLinear, ComplexReLU
from pyro.distributions import Delta, Normal
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, DenseNN, PyroModule, PyroSample
from torch import nn

from tests.benchmarks.foreign.libraries import Builder


class Kept(nn.Module):
    """The first thing that each Bayesian layer returns; the second is its divergence."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        divergence = x.new_zeros(())
        for layer in self.layers:
            if isinstance(layer, (nn.ReLU, nn.Flatten)):
                x = layer(x)
            else:
                x, more = layer(x)
                divergence = divergence + more
        return x, divergence


class Random(PyroModule):  # type: ignore[misc]
    """A linear layer whose weights are drawn anew in each forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = PyroModule[nn.Linear](8, 4)
        self.linear.weight = PyroSample(Normal(0.0, 1.0).expand([4, 8]).to_event(2))
        self.scale = pyro.nn.PyroParam(torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = pyro.sample("y", Delta(self.linear(x) * self.scale))
        return found


class Complex(nn.Module):
    """Convolutions of complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = ComplexConv2d(1, 4, 3), ComplexBatchNorm2d(4)
        self.activation, self.head = ComplexReLU(), ComplexLinear(4 * 6 * 6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.activation(self.norm(self.convolution(x)))
        found: torch.Tensor = self.head(hidden.flatten(1)).abs()
        return found


class Posterior(nn.Module):
    """The mean and variance that a process predicts."""

    def __init__(self) -> None:
        super().__init__()
        points = torch.rand(12, 3, dtype=torch.double)
        self.process = SingleTaskGP(points, points.sum(-1, keepdim=True))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.process.posterior(x)
        return found.mean, found.variance


ARCHITECTURES: Mapping[str, Builder] = {
    "reparameterised": lambda: (
        Kept(LinearReparameterization(16, 32), nn.ReLU(), LinearReparameterization(32, 4)),
        torch.rand(8, 16),
    ),
    "flipout": lambda: (Kept(LinearFlipout(16, 32), nn.ReLU(), LinearFlipout(32, 4)), torch.rand(8, 16)),
    "convolutional, reparameterised": lambda: (
        Kept(Conv2dReparameterization(1, 4, 3), nn.ReLU(), nn.Flatten(), LinearReparameterization(4 * 36, 4)),
        torch.rand(2, 1, 8, 8),
    ),
    "convolutional, flipout": lambda: (
        Kept(Conv2dFlipout(1, 4, 3), nn.ReLU(), nn.Flatten(), LinearFlipout(4 * 36, 4)),
        torch.rand(2, 1, 8, 8),
    ),
    "blitz linear": lambda: (
        nn.Sequential(BayesianLinear(16, 32), nn.ReLU(), BayesianLinear(32, 4)),
        torch.rand(8, 16),
    ),
    "blitz convolution": lambda: (BayesianConv2d(1, 4, (3, 3)), torch.rand(2, 1, 8, 8)),
    "blitz LSTM": lambda: (BayesianLSTM(4, 8), torch.rand(2, 6, 4)),
    "blitz GRU": lambda: (BayesianGRU(4, 8), torch.rand(2, 6, 4)),
    "random weights": lambda: (Random(), torch.rand(8, 8)),
    "autoregressive": lambda: (AutoRegressiveNN(6, [16, 16], param_dims=(1, 1)), torch.rand(8, 6)),
    "conditional autoregressive": lambda: (
        ConditionalAutoRegressiveNN(6, 3, [16]),
        (torch.rand(8, 6), torch.rand(8, 3)),
    ),
    "dense": lambda: (DenseNN(6, [16], param_dims=(2, 2)), torch.rand(8, 6)),
    "complex": lambda: (Complex(), torch.rand(2, 1, 8, 8, dtype=torch.complex64)),
    "complex linear": lambda: (ComplexLinear(8, 4), torch.rand(2, 8, dtype=torch.complex64)),
    "Bayesian optimisation": lambda: (Posterior(), torch.rand(5, 3, dtype=torch.double)),
}
