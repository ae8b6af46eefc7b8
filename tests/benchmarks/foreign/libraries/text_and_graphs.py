"""Texts and knowledge graphs: sentence-transformers' modules and pykeen's models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from pykeen import models
from pykeen.triples import TriplesFactory
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    Dense,
    LayerNorm,
    Normalize,
    Pooling,
    WeightedLayerPooling,
)
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_KINDS = (
    "TransE",
    "TransH",
    "TransR",
    "TransD",
    "TransF",
    "DistMult",
    "ComplEx",
    "RotatE",
    "HolE",
    "RESCAL",
    "TuckER",
    "ERMLP",
    "ERMLPE",
    "NTN",
    "ConvE",
    "ConvKB",
    "ProjE",
    "SimplE",
    "PairRE",
    "QuatE",
    "BoxE",
    "MuRE",
    "CP",
    "CrossE",
    "KG2E",
    "AutoSF",
    "DistMA",
    "SE",
    "UM",
    "TorusE",
)
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "ConvE": {"embedding_dim": 16, "embedding_height": 4, "embedding_width": 4, "output_channels": 4},
}


def _triples() -> TriplesFactory:
    facts = torch.stack([torch.randint(0, 20, (60,)), torch.randint(0, 4, (60,)), torch.randint(0, 20, (60,))], 1)
    facts[:20, 0] = torch.arange(20)
    facts[:4, 1] = torch.arange(4)
    names = {str(place): place for place in range(20)}, {f"r{place}": place for place in range(4)}
    return TriplesFactory(facts, entity_to_id=names[0], relation_to_id=names[1], create_inverse_triples=False)


class Scores(nn.Module):
    """How true are these facts? What a model of a knowledge graph is trained on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, facts: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model.score_hrt(facts)
        return found


class Ranking(nn.Module):
    """Scores of all entities as the third of a fact."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model.score_t(pairs)
        return found


def _knowledge(kind: str, ranks: bool = False) -> tuple[nn.Module, Any]:
    model = getattr(models, kind)(triples_factory=_triples(), random_seed=0, **_OPTIONS.get(kind, {}))
    ids = torch.stack([torch.randint(0, 20, (8,)), torch.randint(0, 4, (8,)), torch.randint(0, 20, (8,))], 1)
    return (Ranking(model), ids[:, :2]) if ranks else (Scores(model), ids)


def _text() -> dict[str, torch.Tensor]:
    return {
        "token_embeddings": torch.rand(2, 6, 16),
        "attention_mask": torch.tensor([[1] * 6, [1] * 4 + [0] * 2]),
        "sentence_lengths": torch.tensor([6, 4]),
        "all_layer_embeddings": tuple(torch.rand(2, 6, 16) for _ in range(5)),
    }  # type: ignore[dict-item]


def _layers(*layers: nn.Module) -> tuple[nn.Module, Any]:
    """Modules that hand on one dictionary, which they write into."""
    return nn.Sequential(*layers), (_text(),)


ARCHITECTURES: Mapping[str, Builder] = {
    **{kind: partial(_knowledge, kind) for kind in _KINDS},
    **{f"{kind}, ranking": partial(_knowledge, kind, True) for kind in ("TransE", "DistMult", "RotatE", "ConvE")},
    "pooling and dense": lambda: _layers(Pooling(16), Dense(16, 8), Normalize()),
    "pooling by maximum": lambda: _layers(Pooling(16, pooling_mode="max"), LayerNorm(16)),
    "pooling by weights": lambda: _layers(Pooling(16, pooling_mode="weightedmean")),
    "CNN": lambda: _layers(CNN(16, 8), Pooling(24)),
    "LSTM": lambda: _layers(LSTM(16, 8), Pooling(16)),
    "layer pooling": lambda: _layers(WeightedLayerPooling(16, num_hidden_layers=4, layer_start=2), Pooling(16)),
}
