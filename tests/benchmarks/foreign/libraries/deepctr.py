"""DeepCTR-Torch: recommenders over sparse, dense and sequence features in one matrix."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from deepctr_torch import models
from deepctr_torch.inputs import DenseFeat, SparseFeat, VarLenSparseFeat
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_SPARSE = [SparseFeat(f"s{place}", 20, embedding_dim=4) for place in range(4)]
_DENSE = [DenseFeat(f"d{place}", 1) for place in range(3)]
_MODELS = (
    "DeepFM",
    "xDeepFM",
    "WDL",
    "PNN",
    "NFM",
    "AFM",
    "DCN",
    "DCNMix",
    "AutoInt",
    "FiBiNET",
    "IFM",
    "DIFM",
    "ONN",
    "MLR",
    "CCPM",
    "AFN",
)


def _row(*widths: int) -> torch.Tensor:
    ids = torch.randint(0, 20, (8, widths[0])).float()
    return torch.cat([ids, torch.rand(8, widths[1])], 1)


def _made(name: str) -> tuple[nn.Module, Any]:
    kind = getattr(models, name)
    columns = _SPARSE if name in ("CCPM", "AFM") else [*_SPARSE, *_DENSE]
    return kind(columns) if name in ("MLR", "PNN") else kind(columns, columns), _row(4, len(columns) - 4)


def _sequence() -> tuple[nn.Module, Any]:
    columns = [
        *_SPARSE[:1],
        VarLenSparseFeat(SparseFeat("hist_s0", 20, embedding_dim=4, embedding_name="s0"), 5, length_name="length"),
    ]
    model = models.DIN([*columns, DenseFeat("d", 1)], ["s0"], att_weight_normalization=True)
    history, length = torch.randint(1, 20, (8, 5)).float(), torch.randint(1, 6, (8, 1)).float()
    return model, torch.cat([torch.randint(1, 20, (8, 1)).float(), history, length, torch.rand(8, 1)], 1)


def _several_tasks(name: str) -> tuple[nn.Module, Any]:
    columns = [*_SPARSE, *_DENSE]
    return getattr(models, name)(columns, task_types=["binary", "binary"], task_names=["a", "b"]), _row(4, 3)


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_made, name) for name in _MODELS},
    "DIN": _sequence,
    **{name: partial(_several_tasks, name) for name in ("MMOE", "SharedBottom", "PLE", "ESMM")},
}
