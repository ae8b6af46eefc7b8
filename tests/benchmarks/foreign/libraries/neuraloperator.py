"""neuraloperator: Fourier neural operators and their relatives, with complex weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from neuralop import models
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_SMALL = {"in_channels": 1, "out_channels": 1, "hidden_channels": 16, "n_layers": 2}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "FNO 1d": {"n_modes": (8,)},
    "FNO 2d": {"n_modes": (8, 8)},
    "FNO 3d": {"n_modes": (4, 4, 4)},
    "FNO Tucker": {"n_modes": (8, 8), "factorization": "Tucker", "rank": 0.4, "implementation": "factorized"},
    "FNO CP": {"n_modes": (8, 8), "factorization": "CP", "rank": 0.4, "implementation": "reconstructed"},
    "FNO TT": {"n_modes": (8, 8), "factorization": "TT", "rank": 0.4, "implementation": "factorized"},
    "FNO separable": {"n_modes": (8, 8), "separable": True},
    "FNO norm": {"n_modes": (8, 8), "norm": "group_norm"},
    "FNO preactivated": {"n_modes": (8, 8), "preactivation": True},
    "FNO padded": {"n_modes": (8, 8), "domain_padding": 0.25},
    "FNO stabilised": {"n_modes": (8, 8), "stabilizer": "tanh"},
}


def _fno(name: str) -> tuple[nn.Module, Any]:
    modes = _OPTIONS[name]["n_modes"]
    return models.FNO(**_SMALL, **_OPTIONS[name]), torch.rand(2, 1, *(16,) * len(modes))


def _uno() -> tuple[nn.Module, Any]:
    model = models.UNO(
        1,
        1,
        16,
        channel_mlp_skip="linear",
        uno_out_channels=[16, 16, 16],
        uno_n_modes=[[4, 4]] * 3,
        uno_scalings=[[1, 1], [0.5, 0.5], [2, 2]],
        n_layers=3,
    )
    return model, torch.rand(2, 1, 16, 16)


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_fno, name) for name in _OPTIONS},
    "TFNO": lambda: (models.TFNO(n_modes=(8, 8), **_SMALL), torch.rand(2, 1, 16, 16)),
    "UNO": _uno,
}
