"""GPyTorch: Gaussian processes, whose forward pass returns a distribution with a lazy covariance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gpytorch
import torch
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_KERNELS: Mapping[str, Callable[[], nn.Module]] = {
    "RBF": lambda: gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel()),
    "RBF by dimension": lambda: gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=3)),
    "Matern": lambda: gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=1.5)),
    "periodic": gpytorch.kernels.PeriodicKernel,
    "linear": gpytorch.kernels.LinearKernel,
    "polynomial": lambda: gpytorch.kernels.PolynomialKernel(power=2),
    "rational quadratic": gpytorch.kernels.RQKernel,
    "spectral mixture": lambda: gpytorch.kernels.SpectralMixtureKernel(num_mixtures=3, ard_num_dims=3),
    "sum": lambda: gpytorch.kernels.RBFKernel() + gpytorch.kernels.LinearKernel(),
    "product": lambda: gpytorch.kernels.RBFKernel() * gpytorch.kernels.CosineKernel(),
    "random features": lambda: gpytorch.kernels.RFFKernel(num_samples=8, num_dims=3),
}


class Exact(gpytorch.models.ExactGP):
    """A process that keeps its training data in the model."""

    def __init__(self, kernel: nn.Module) -> None:
        super().__init__(torch.rand(20, 3), torch.rand(20), gpytorch.likelihoods.GaussianLikelihood())
        self.mean, self.kernel = gpytorch.means.ConstantMean(), kernel

    def forward(self, x: torch.Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))


class Predicting(nn.Module):
    """The mean and the variance of the posterior, which solves a linear system in the training data."""

    def __init__(self, process: nn.Module) -> None:
        super().__init__()
        self.process = process
        self.process.eval()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.process.eval()
        found = self.process(x)
        return found.mean, found.variance


class Variational(gpytorch.models.ApproximateGP):
    """A sparse process with inducing points."""

    def __init__(self, kernel: nn.Module) -> None:
        points = torch.rand(8, 3)
        distribution = gpytorch.variational.CholeskyVariationalDistribution(8)
        super().__init__(gpytorch.variational.VariationalStrategy(self, points, distribution))
        self.mean, self.kernel = gpytorch.means.LinearMean(3), kernel

    def forward(self, x: torch.Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))


class Covariance(nn.Module):
    """A kernel's matrix, multiplied with something."""

    def __init__(self, kernel: nn.Module) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.kernel(x).to_dense() @ x
        return found


class Deep(nn.Module):
    """A network, and a process on the features that it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
        self.process = Variational(_KERNELS["RBF"]())

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.process(self.features(x))
        return found.mean, found.variance


def _points() -> torch.Tensor:
    return torch.rand(10, 3)


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"covariance, {name}": lambda name=name: (Covariance(_KERNELS[name]()), _points()) for name in _KERNELS},
    **{
        f"posterior, {name}": lambda name=name: (Predicting(Exact(_KERNELS[name]())), _points())
        for name in ("RBF", "Matern", "linear")
    },
    **{
        f"variational, {name}": lambda name=name: (Variational(_KERNELS[name]()), _points())
        for name in ("RBF", "Matern", "periodic")
    },
    "deep kernel": lambda: (Deep(), torch.rand(10, 10)),
    "likelihood": lambda: (gpytorch.likelihoods.GaussianLikelihood(), torch.rand(10)),
}
