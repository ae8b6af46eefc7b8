"""Models that are exported to files, once for all tests, and their profiles beside the live ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torchvision
from torch import nn

from profiler import Profile, profile


class Attention(nn.Module):
    """By hand, with a causal mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        mask = torch.tril(torch.ones(length, length))
        mixed = scores.masked_fill(mask == 0, float("-inf")).softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Decoder(nn.Module):
    """Like GPT: two embeddings, blocks, a head."""

    def __init__(self, words: int = 50, width: int = 16, heads: int = 2, length: int = 12) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(2)])
        self.ln = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(32, 8, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(self.lstm(x)[0])[0])


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def vit() -> nn.Module:
    """As vit_b_16 in small: 3 layers of 4 heads, and 4·4 patches with a class token before them."""
    return torchvision.models.VisionTransformer(64, 16, 3, 4, 32, 64, num_classes=10)


IMAGE = (1, 3, 224, 224)


def build(name: str) -> tuple[nn.Module, tuple[Any, ...]]:
    own: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
        "decoder": (Decoder, (torch.zeros(1, 12, dtype=torch.int64),)),
        "encoder": (encoder, (torch.rand(1, 10, 32),)),
        "recurrent": (Recurrent, (torch.rand(1, 5, 8),)),
        "vit": (vit, (torch.rand(1, 3, 64, 64),)),
    }
    builder, args = own.get(name) or (getattr(torchvision.models, name), (torch.rand(IMAGE),))
    return as_if_trained(builder().eval()), args


def as_if_trained(model: nn.Module) -> nn.Module:
    """Weights that differ: exporters store equal ones once, and leave out biases of zeros."""
    torch.manual_seed(0)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.1, 1)
    return model


def to_pt2(model: nn.Module, args: tuple[Any, ...], path: Path, **how: Any) -> Path:
    torch.export.save(torch.export.export(model, args, **how), path)
    return path


def to_onnx(model: nn.Module, args: tuple[Any, ...], path: Path, dynamo: bool, **how: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, args, str(path), dynamo=dynamo, **({"verbose": False} if dynamo else {}), **how)
    return path


@cache
def live(name: str) -> Profile:
    return profile(*build(name))


@cache
def exported(name: str) -> Profile:
    """Of the file that `torch.export.save` writes; it is deleted when it was read, for it holds all weights."""
    with TemporaryDirectory() as folder:
        return profile(str(to_pt2(*build(name), Path(folder) / "model.pt2")))


@cache
def onnx(name: str, dynamo: bool) -> Profile:
    with TemporaryDirectory() as folder:
        return profile(str(to_onnx(*build(name), Path(folder) / "model.onnx", dynamo)))
