"""Networks for tables: pytorch-tabnet, rtdl, tab-transformer-pytorch, entmax, pykan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import entmax
import rtdl_num_embeddings
import rtdl_revisiting_models as rtdl
import torch
from kan import KAN
from pytorch_tabnet.tab_network import TabNet, TabNetPretraining
from tab_transformer_pytorch import FTTransformer, TabTransformer
from torch import nn

from tests.benchmarks.foreign.libraries import Builder


def _tabnet(mask: str) -> tuple[nn.Module, Any]:
    groups = torch.eye(12)
    return TabNet(12, 3, n_steps=2, mask_type=mask, group_attention_matrix=groups), torch.rand(16, 12)


def _categories(rows: int = 8) -> torch.Tensor:
    return torch.stack([torch.randint(0, size, (rows,)) for size in (10, 5, 6)], 1)


def _tab_transformer() -> tuple[nn.Module, Any]:
    model = TabTransformer(
        categories=(10, 5, 6), num_continuous=4, dim=16, dim_out=1, depth=2, heads=4, mlp_act=nn.ReLU()
    )
    return model, (_categories(), torch.rand(8, 4))


def _ft_transformer() -> tuple[nn.Module, Any]:
    model = FTTransformer(categories=(10, 5, 6), num_continuous=4, dim=16, dim_out=1, depth=2, heads=4)
    return model, (_categories(), torch.rand(8, 4))


def _rtdl_transformer() -> tuple[nn.Module, Any]:
    model = rtdl.FTTransformer(
        n_cont_features=4,
        cat_cardinalities=[10, 5, 6],
        d_out=1,
        n_blocks=2,
        d_block=16,
        attention_n_heads=4,
        attention_dropout=0.1,
        ffn_d_hidden=None,
        ffn_d_hidden_multiplier=2.0,
        ffn_dropout=0.1,
        residual_dropout=0.0,
    )
    return model, (torch.rand(8, 4), _categories())


def _bins() -> list[torch.Tensor]:
    return [torch.linspace(0, 1, 6) for _ in range(4)]


class Sparse(nn.Module):
    """Attention whose weights are mostly zero."""

    def __init__(self, normalise: nn.Module) -> None:
        super().__init__()
        self.mix, self.normalise = nn.Linear(16, 48), normalise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.mix(x).chunk(3, -1)
        found: torch.Tensor = self.normalise(query @ key.transpose(-1, -2)) @ value
        return found


ARCHITECTURES: Mapping[str, Builder] = {
    "TabNet sparsemax": lambda: _tabnet("sparsemax"),
    "TabNet entmax": lambda: _tabnet("entmax"),
    "TabNet pretraining": lambda: (
        TabNetPretraining(12, n_steps=2, group_attention_matrix=torch.eye(12)),
        torch.rand(16, 12),
    ),
    "TabTransformer": _tab_transformer,
    "FTTransformer": _ft_transformer,
    "rtdl FTTransformer": _rtdl_transformer,
    "rtdl MLP": lambda: (rtdl.MLP(d_in=12, d_out=2, n_blocks=2, d_block=32, dropout=0.1), torch.rand(8, 12)),
    "rtdl ResNet": lambda: (
        rtdl.ResNet(
            d_in=12, d_out=2, n_blocks=2, d_block=32, d_hidden=None, d_hidden_multiplier=2.0, dropout1=0.1, dropout2=0.0
        ),
        torch.rand(8, 12),
    ),
    "linear embeddings": lambda: (rtdl_num_embeddings.LinearReLUEmbeddings(4, 8), torch.rand(8, 4)),
    "periodic embeddings": lambda: (rtdl_num_embeddings.PeriodicEmbeddings(4, 8, lite=False), torch.rand(8, 4)),
    "piecewise embeddings": lambda: (
        rtdl_num_embeddings.PiecewiseLinearEmbeddings(_bins(), 8, activation=True, version="B"),
        torch.rand(8, 4),
    ),
    "sparsemax attention": lambda: (Sparse(entmax.Sparsemax(dim=-1)), torch.rand(2, 8, 16)),
    "entmax attention": lambda: (Sparse(entmax.Entmax15(dim=-1)), torch.rand(2, 8, 16)),
    "entmax bisection": lambda: (Sparse(entmax.EntmaxBisect(alpha=1.3, dim=-1)), torch.rand(2, 8, 16)),
    "KAN": lambda: (KAN(width=[4, 3, 1], grid=3, k=3, auto_save=False, seed=0), torch.rand(8, 4)),
    "KAN fast": lambda: (KAN(width=[4, 3, 1], grid=3, k=3, auto_save=False, seed=0).speed(), torch.rand(8, 4)),
}
