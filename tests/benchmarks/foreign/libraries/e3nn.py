"""e3nn: networks of irreducible representations, whose code is generated and compiled when they are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from e3nn import nn as equivariant
from e3nn import o3
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_IRREPS = "8x0e + 4x1o + 2x2e"


class Convolution(nn.Module):
    """A tensor product of node features with spherical harmonics, weighted by a net of the distance."""

    def __init__(self) -> None:
        super().__init__()
        self.harmonics = o3.SphericalHarmonics([0, 1, 2], normalize=True, normalization="component")
        self.product = o3.FullyConnectedTensorProduct(
            _IRREPS, "0e + 1o + 2e", _IRREPS, shared_weights=False, internal_weights=False
        )
        self.weights = equivariant.FullyConnectedNet([4, 16, self.product.weight_numel], torch.relu)

    def forward(
        self, x: torch.Tensor, edges: torch.Tensor, vectors: torch.Tensor, radial: torch.Tensor
    ) -> torch.Tensor:
        messages = self.product(x[edges[0]], self.harmonics(vectors), self.weights(radial))
        return x.new_zeros(x.shape).index_add(0, edges[1], messages)


def _features(rows: int = 10) -> torch.Tensor:
    return o3.Irreps(_IRREPS).randn(rows, -1)


def _convolution() -> tuple[nn.Module, Any]:
    return Convolution(), (_features(), torch.randint(0, 10, (2, 30)), torch.randn(30, 3), torch.rand(30, 4))


def _gate() -> tuple[nn.Module, Any]:
    gate = equivariant.Gate("8x0e", [torch.relu], "6x0e", [torch.sigmoid], "4x1o + 2x2e")
    return nn.Sequential(o3.Linear(_IRREPS, gate.irreps_in), gate), _features()


ARCHITECTURES: Mapping[str, Builder] = {
    "Linear": lambda: (o3.Linear(_IRREPS, _IRREPS), _features()),
    "FullyConnectedTensorProduct": lambda: (
        o3.FullyConnectedTensorProduct(_IRREPS, _IRREPS, _IRREPS),
        (_features(), _features()),
    ),
    "ElementwiseTensorProduct": lambda: (o3.ElementwiseTensorProduct(_IRREPS, _IRREPS), (_features(), _features())),
    "FullTensorProduct": lambda: (
        o3.FullTensorProduct("2x0e + 1x1o", "1x1o + 1x2e"),
        (torch.rand(4, 5), torch.rand(4, 8)),
    ),
    "TensorSquare": lambda: (o3.TensorSquare("4x0e + 2x1o", "4x0e + 1x1e"), torch.rand(4, 10)),
    "Norm": lambda: (o3.Norm(_IRREPS), _features()),
    "SphericalHarmonics": lambda: (o3.SphericalHarmonics([0, 1, 2, 3], normalize=True), torch.randn(20, 3)),
    "Gate": _gate,
    "NormActivation": lambda: (equivariant.NormActivation(_IRREPS, torch.sigmoid), _features()),
    "BatchNorm": lambda: (equivariant.BatchNorm(_IRREPS), _features()),
    "Dropout": lambda: (equivariant.Dropout(_IRREPS, 0.5), _features()),
    "FullyConnectedNet": lambda: (equivariant.FullyConnectedNet([8, 16, 4], torch.tanh), torch.rand(5, 8)),
    "convolution": _convolution,
    "ReducedTensorProducts": lambda: (o3.ReducedTensorProducts("ij=-ji", i="1o"), (torch.rand(4, 3), torch.rand(4, 3))),
}
