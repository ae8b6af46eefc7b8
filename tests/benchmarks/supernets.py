"""Which models does a search for an architecture visit? Subnets that are drawn from two supernets.

`mobilenet` has the choices of once-for-all (Cai et al., ICLR 2020, arXiv:1908.09791) around MobileNetV3: of each stage
its depth, of each block its kernel and expansion, and the resolution; besides the width, and which stages squeeze and
excite. `vit` has those of AutoFormer (Chen et al., ICCV 2021, arXiv:2107.00651): depth and width, and of each layer its
heads and MLP ratio; besides the size of patches. Written for this benchmark; the weights are not trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Subnet:
    """A draw: how its model is built, and the resolution that it is fed with."""

    name: str
    build: Callable[[], nn.Module]
    resolution: int

    def __str__(self) -> str:
        return self.name

    def on(self, device: str) -> tuple[nn.Module, Tensor]:
        """Its model, in eval mode, and an image."""
        with torch.device(device):
            return self.build().eval(), torch.rand(1, 3, self.resolution, self.resolution)


def subnets(supernet: str, seed: int) -> Iterator[Subnet]:
    """Subnets without end, no two of them alike; equal seeds draw equal ones."""
    random, drawn, number = Random(f"{supernet} {seed}"), set[object](), 0
    while True:
        choice = _DRAWN[supernet](random)
        if choice not in drawn:
            drawn.add(choice)
            yield Subnet(f"{supernet} {number}", choice.model, choice.resolution)
            number += 1


# MobileNetV3 ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is drawn of a stage: kernel and expansion of each block, and whether they squeeze and excite."""

    blocks: tuple[tuple[int, float], ...]
    has_squeeze: bool


@dataclass(frozen=True, slots=True)
class _MobileNet:
    width: float
    resolution: int
    stages: tuple[_Stage, ...]

    def model(self) -> nn.Module:
        def channels(base: int) -> int:
            return max(8, 8 * round(base * self.width / 8))

        at = channels(16)
        layers: list[nn.Module] = [_convolution(3, at, 3, 2, nn.Hardswish), _Inverted(at, at, 3, 1, 1, False, nn.ReLU)]
        for stage, (base, stride, activation) in zip(self.stages, _STAGES, strict=True):
            for number, (kernel, expansion) in enumerate(stage.blocks):
                step, out = 1 if number else stride, channels(base)
                layers.append(_Inverted(at, out, kernel, step, expansion, stage.has_squeeze, activation))
                at = out
        last, hidden = channels(960), channels(1280)
        layers += [_convolution(at, last, 1, 1, nn.Hardswish), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(last, hidden), nn.Hardswish(), nn.Linear(hidden, 1000))


# Channels, stride and activation of MobileNetV3's stages.
_STAGES: tuple[tuple[int, int, type[nn.Module]], ...] = (
    (24, 2, nn.ReLU), (40, 2, nn.ReLU), (80, 2, nn.Hardswish), (112, 1, nn.Hardswish), (160, 2, nn.Hardswish),
)  # fmt: skip


def _drawn_mobilenet(random: Random) -> _MobileNet:
    def stage() -> _Stage:
        depth = random.choice((2, 3, 4))
        blocks = tuple((random.choice((3, 5, 7)), random.choice((3, 4, 6))) for _ in range(depth))
        return _Stage(blocks, random.random() < 0.5)

    width, resolution = random.choice((0.75, 1.0, 1.2)), random.randrange(128, 225, 4)
    return _MobileNet(width, resolution, tuple(stage() for _ in _STAGES))


def _convolution(
    channels: int, out: int, kernel: int, stride: int, activation: type[nn.Module] | None, groups: int = 1
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out),
    ]  # fmt: skip
    return nn.Sequential(*layers, *([activation()] if activation else []))


class _Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(8, 8 * round(channels / 32))
        self.pool, self.act, self.gate = nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Hardsigmoid()
        self.reduce, self.expand = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.gate(self.expand(self.act(self.reduce(self.pool(x)))))
        return gated


class _Inverted(nn.Module):
    """Expand, convolve each channel, squeeze, project; with a shortcut where it changes no shape."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        stride: int,
        expansion: float,
        has_squeeze: bool,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        wide = round(channels * expansion)
        self.expand = _convolution(channels, wide, 1, 1, activation) if expansion != 1 else nn.Identity()
        self.depthwise = _convolution(wide, wide, kernel, stride, activation, groups=wide)
        self.squeeze = _Squeeze(wide) if has_squeeze else nn.Identity()
        self.project = _convolution(wide, out, 1, 1, None)
        self.has_shortcut = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + out if self.has_shortcut else out


# Vision transformer ---------------------------------------------------------------------------------------------------

_CHANNELS_OF_HEAD = 64


@dataclass(frozen=True, slots=True)
class _ViT:
    width: int
    patch: int
    layers: tuple[tuple[int, float], ...]  # heads and MLP ratio
    resolution: int = 224

    def model(self) -> nn.Module:
        return _Transformer(self)


def _drawn_vit(random: Random) -> _ViT:
    depth, width, patch = random.choice((10, 12, 14)), random.choice((192, 256, 320)), random.choice((14, 16, 32))
    return _ViT(width, patch, tuple((random.choice((3, 4, 5)), random.choice((3.0, 3.5, 4.0))) for _ in range(depth)))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * heads * _CHANNELS_OF_HEAD)
        self.proj = nn.Linear(heads * _CHANNELS_OF_HEAD, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, _CHANNELS_OF_HEAD).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, length, self.heads * _CHANNELS_OF_HEAD))
        return out


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), _Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _Transformer(nn.Module):
    def __init__(self, drawn: _ViT) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, drawn.width, drawn.patch, drawn.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, drawn.width))
        self.positions = nn.Parameter(torch.zeros(1, (drawn.resolution // drawn.patch) ** 2 + 1, drawn.width))
        self.layers = nn.Sequential(*(_Layer(drawn.width, heads, ratio) for heads, ratio in drawn.layers))
        self.norm, self.head = nn.LayerNorm(drawn.width), nn.Linear(drawn.width, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), 1) + self.positions
        out: Tensor = self.head(self.norm(self.layers(x))[:, 0])
        return out


_DRAWN: Mapping[str, Callable[[Random], _MobileNet | _ViT]] = {"mobilenet": _drawn_mobilenet, "vit": _drawn_vit}
SUPERNETS = tuple(_DRAWN)
