"""The models whose training step is predicted and measured, each with all of it trained and in variants.

A name says what is done to a model: "resnet18, first half frozen".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True, slots=True)
class Training:
    """`inputs` are written as on the command line."""

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[str, ...]


# Models of our own ----------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """The last step of an LSTM or GRU, read by a linear layer."""

    def __init__(self, layers: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.layers = layers
        self.head = nn.Linear(layers.hidden_size * (2 if layers.bidirectional else 1), 10)

    def forward(self, x):
        return self.head(self.layers(x)[0][:, -1])


class Block(nn.Module):
    """Causal attention and an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        n, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.norm2(x))


class Causal(nn.Module):
    """A small GPT, whose head shares the weights of its embedding."""

    def __init__(self, words: int = 1000, length: int = 128, width: int = 96, depth: int = 4) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.Sequential(*(Block(width, 4) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.words(ids) + self.places)))


def _torchvision(name: str, **kwargs: Any) -> nn.Module:
    from torchvision import models

    model: nn.Module = models.get_model(name, weights=None, **kwargs)
    return model


def _timm(name: str) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(name)
    return model


def _encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(96, 4, 384, batch_first=True)
    return nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)


# What is done to them -------------------------------------------------------------------------------------------------


def first_half_frozen(model: nn.Module) -> None:
    """The parameters that hold the first half, counting tensors."""
    parameters = list(model.parameters())
    for parameter in parameters[: len(parameters) // 2]:
        parameter.requires_grad_(False)


def head_only(model: nn.Module) -> None:
    """All but the parameters of the last layer that has some are frozen."""
    last = [module for module in model.modules() if any(True for _ in module.parameters(recurse=False))][-1]
    model.requires_grad_(False)
    last.requires_grad_(True)


class Checkpointed(nn.Module):
    """Runs a module again in the backward pass. What it is asked for and has not got, the module has."""

    def __init__(self, inner: nn.Module, use_reentrant: bool) -> None:
        super().__init__()
        self.inner = inner
        self.use_reentrant = use_reentrant

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def forward(self, *args, **kwargs):
        return checkpoint(self.inner, *args, use_reentrant=self.use_reentrant, **kwargs)


def checkpointed(model: nn.Module, pattern: str, use_reentrant: bool = False) -> None:
    """Every layer whose path matches; a pattern's `*` must not reach into layers that match themselves."""
    for path in [path for path, _ in model.named_modules() if path and fnmatchcase(path, pattern)]:
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, Checkpointed(model.get_submodule(path), use_reentrant))


def by_timm(model: nn.Module) -> None:
    """As timm does it."""
    model.set_grad_checkpointing()  # type: ignore[operator]


def _changed(build: Callable[[], nn.Module], change: Callable[[nn.Module], None]) -> nn.Module:
    model = build()
    change(model)
    return model


# The list -------------------------------------------------------------------------------------------------------------

_IMAGES = ("2x3x224x224",)
_CNNS = (
    *("resnet18", "resnet50", "mobilenet_v2", "densenet121", "vgg11", "squeezenet1_1", "shufflenet_v2_x1_0"),
    *("googlenet", "efficientnet_b0", "convnext_tiny", "vit_b_16", "swin_t"),
)

_PLAIN = (
    *(Training(name, partial(_torchvision, name), _IMAGES) for name in _CNNS),
    Training("timm:deit_tiny_patch16_224", partial(_timm, "deit_tiny_patch16_224"), _IMAGES),
    Training("timm:mixer_s16_224", partial(_timm, "mixer_s16_224"), _IMAGES),
    Training("encoder", _encoder, ("2x64x96",)),
    Training("gpt", Causal, ("2x128:int64",)),
    Training("lstm", lambda: Recurrent(nn.LSTM(32, 64, 2, batch_first=True)), ("4x20x32",)),
    Training("lstm-both-ways", lambda: Recurrent(nn.LSTM(32, 64, batch_first=True, bidirectional=True)), ("4x20x32",)),
    Training("gru", lambda: Recurrent(nn.GRU(32, 64, 2, batch_first=True)), ("4x20x32",)),
)

# name of a model: what is done to it, by what it is called
_VARIANTS: dict[str, dict[str, Callable[[nn.Module], None]]] = {
    "resnet18": {
        "first half frozen": first_half_frozen,
        "head only": head_only,
        "checkpointed": partial(checkpointed, pattern="layer?"),
        "checkpointed, reentrant": partial(checkpointed, pattern="layer?", use_reentrant=True),
    },
    "mobilenet_v2": {"first half frozen": first_half_frozen},
    "densenet121": {"first half frozen": first_half_frozen},
    "vgg11": {"head only": head_only},
    "convnext_tiny": {"head only": head_only},
    "vit_b_16": {
        "head only": head_only,
        "checkpointed": partial(checkpointed, pattern="encoder.layers.encoder_layer_?"),
    },
    "swin_t": {"first half frozen": first_half_frozen},
    "timm:deit_tiny_patch16_224": {"checkpointed by timm": by_timm},
    "timm:mixer_s16_224": {"checkpointed by timm": by_timm},
    "encoder": {
        "first half frozen": first_half_frozen,
        "checkpointed": partial(checkpointed, pattern="layers.?"),
    },
    "gpt": {
        "first half frozen": first_half_frozen,
        "head only": head_only,
        "checkpointed": partial(checkpointed, pattern="blocks.?"),
        "checkpointed, reentrant": partial(checkpointed, pattern="blocks.?", use_reentrant=True),
    },
    "lstm": {"first half frozen": first_half_frozen, "head only": head_only},
    "gru": {"head only": head_only},
}


def _all() -> Iterator[Training]:
    for plain in _PLAIN:
        yield plain
        for what, change in _VARIANTS.get(plain.name, {}).items():
            yield Training(f"{plain.name}, {what}", partial(_changed, plain.build, change), plain.inputs)
    efficient = partial(_torchvision, "densenet121", memory_efficient=True)
    yield Training("densenet121, memory efficient", efficient, _IMAGES)


TRAINING = {one.name: one for one in _all()}
