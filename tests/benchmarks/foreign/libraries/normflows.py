"""normflows: normalising flows; a forward pass is the Kullback-Leibler divergence of a batch, or `log_prob`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import normflows
import torch
from torch import nn

from tests.benchmarks.foreign.libraries import Builder


def _flow(layers: Callable[[], list[nn.Module]]) -> tuple[nn.Module, Any]:
    base = normflows.distributions.base.DiagGaussian(2)
    return normflows.NormalizingFlow(base, layers()), torch.rand(16, 2)


def _affine() -> list[nn.Module]:
    net = normflows.nets.MLP([1, 16, 16, 2], init_zeros=True)
    return [normflows.flows.AffineCouplingBlock(net), normflows.flows.Permute(2, mode="swap")]


_FLOWS: Mapping[str, Callable[[], list[nn.Module]]] = {
    "affine coupling": _affine,
    "planar": lambda: [normflows.flows.Planar((2,), act="leaky_relu") for _ in range(2)],
    "radial": lambda: [normflows.flows.Radial((2,)) for _ in range(2)],
    "masked affine": lambda: [
        normflows.flows.MaskedAffineFlow(
            torch.tensor([1.0, 0.0]), normflows.nets.MLP([2, 16, 2]), normflows.nets.MLP([2, 16, 2])
        )
    ],
    "autoregressive spline": lambda: [
        normflows.flows.AutoregressiveRationalQuadraticSpline(2, 1, 16),
        normflows.flows.LULinearPermute(2),
    ],
    "coupled spline": lambda: [normflows.flows.CoupledRationalQuadraticSpline(2, 1, 16)],
    "circular spline": lambda: [normflows.flows.CircularCoupledRationalQuadraticSpline(2, 1, 16, [1])],
    "residual": lambda: [normflows.flows.Residual(normflows.nets.LipschitzMLP([2, 16, 2]), reduce_memory=False)],
    "invertible 1x1": lambda: [normflows.flows.InvertibleAffine(2, use_lu=True)],
    "actnorm": lambda: [normflows.flows.ActNorm(2), *_affine()],
}
ARCHITECTURES: Mapping[str, Builder] = {name: partial(_flow, layers) for name, layers in _FLOWS.items()}
