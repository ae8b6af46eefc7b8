"""Networks over time: torchdiffeq, torchcde, ncps, pytorch-tcn, mambapy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torchcde
from mambapy.mamba import Mamba, MambaConfig
from ncps.torch import LTC, CfC
from ncps.wirings import AutoNCP, FullyConnected
from pytorch_tcn import TCN
from torch import nn
from torchdiffeq import odeint, odeint_adjoint

from tests.benchmarks.foreign.libraries import Builder


class Field(nn.Module):
    """The right-hand side of a differential equation."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))

    def forward(self, time: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.net(state) * time
        return found


class Ode(nn.Module):
    """Layers of continuous depth; `adjoint` solves backwards in time for the gradients."""

    def __init__(self, method: str, adjoint: bool = False) -> None:
        super().__init__()
        self.field, self.head, self.method = Field(), nn.Linear(4, 2), method
        self.solve = odeint_adjoint if adjoint else odeint
        self.register_buffer("times", torch.linspace(0, 1, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.solve(self.field, x, self.times, method=self.method)[-1])
        return found


class Controlled(nn.Module):
    """A differential equation driven by a spline through the data."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.first, self.head, self.method = nn.Linear(3, 8), nn.Linear(8, 2), method
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8 * 3))

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        path = torchcde.CubicSpline(torchcde.hermite_cubic_coefficients_with_backward_differences(series))
        state = torchcde.cdeint(
            X=path,
            func=lambda _, hidden: self.net(hidden).tanh().view(-1, 8, 3),
            z0=self.first(path.evaluate(path.interval[0])),
            t=path.interval,
            method=self.method,
            adjoint=False,
            options={"step_size": 0.5} if self.method == "rk4" else {},
        )
        found: torch.Tensor = self.head(state[:, -1])
        return found


def _series(width: int = 8) -> torch.Tensor:
    return torch.rand(2, 12, width)


ARCHITECTURES: Mapping[str, Builder] = {
    **{
        f"ODE {method}": lambda method=method: (Ode(method), torch.rand(2, 4))
        for method in ("euler", "midpoint", "rk4", "dopri5", "implicit_adams")
    },
    "ODE adjoint": lambda: (Ode("rk4", adjoint=True), torch.rand(2, 4)),
    "ODE adjoint adaptive": lambda: (Ode("dopri5", adjoint=True), torch.rand(2, 4)),
    "CDE": lambda: (Controlled("rk4"), _series(3)),
    "CDE adaptive": lambda: (Controlled("dopri5"), _series(3)),
    "CfC": lambda: (CfC(8, AutoNCP(16, 4)), _series()),
    "CfC dense": lambda: (CfC(8, 16, mixed_memory=True), _series()),
    "LTC": lambda: (LTC(8, AutoNCP(16, 4)), _series()),
    "LTC dense": lambda: (LTC(8, FullyConnected(8, 2)), _series()),
    "TCN": lambda: (TCN(8, [16, 16]), torch.rand(2, 8, 32)),
    "TCN gated": lambda: (
        TCN(8, [16, 16], use_gate=True, use_skip_connections=True, causal=False),
        torch.rand(2, 8, 32),
    ),
    "TCN weight norm": lambda: (TCN(8, [16, 16], use_norm="weight_norm"), torch.rand(2, 8, 32)),
    "Mamba": lambda: (Mamba(MambaConfig(d_model=16, n_layers=2)), torch.rand(2, 32, 16)),
    "Mamba sequential": lambda: (Mamba(MambaConfig(d_model=16, n_layers=2, pscan=False)), torch.rand(2, 16, 16)),
}
