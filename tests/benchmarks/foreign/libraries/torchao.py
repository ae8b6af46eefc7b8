"""torchao: models whose weights are tensors of its own classes, quantised after they were built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torchao import quantization

from tests.benchmarks.foreign.libraries import Builder

_CONFIGS: Mapping[str, Callable[[], Any]] = {
    "int8 weights": quantization.Int8WeightOnlyConfig,
    "int8 weights and activations": quantization.Int8DynamicActivationInt8WeightConfig,
    "int8 activations, int4 weights": lambda: quantization.Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4, weight_granularity=quantization.PerGroup(32)
    ),
    "int4 weights": lambda: quantization.IntxWeightOnlyConfig(
        weight_dtype=torch.int4, granularity=quantization.PerGroup(32)
    ),
    "int2 weights": lambda: quantization.IntxWeightOnlyConfig(
        weight_dtype=torch.int2, granularity=quantization.PerGroup(32)
    ),
    "float8 weights": quantization.Float8WeightOnlyConfig,
}


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 32)).to(torch.bfloat16).eval()


class Block(nn.Module):
    """Attention and a feed-forward net, with residuals."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(64), nn.Linear(64, 192)
        self.out, self.up, self.down = nn.Linear(64, 64), nn.Linear(64, 128), nn.Linear(128, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part.unflatten(-1, (4, 16)).transpose(1, 2) for part in self.mix(self.norm(x)).chunk(3, -1)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2)
        x = x + self.out(mixed)
        found: torch.Tensor = x + self.down(self.up(x).relu())
        return found


def _quantised(base: Callable[[], nn.Module], config: str, *shape: int) -> tuple[nn.Module, Any]:
    model = base()
    quantization.quantize_(model, _CONFIGS[config]())
    return model, torch.rand(*shape, dtype=torch.bfloat16)


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"MLP, {name}": partial(_quantised, _mlp, name, 8, 64) for name in _CONFIGS},
    **{f"block, {name}": partial(_quantised, lambda: Block().bfloat16().eval(), name, 2, 16, 64) for name in _CONFIGS},
}
