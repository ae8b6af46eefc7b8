"""Random module trees for Hypothesis: small models that take a batch of images, with sharing, residuals and reuse."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

Layers = list[nn.Module]


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class Reused(nn.Module):
    """The same module, held under two names, called `times` times, once by its forward method."""

    def __init__(self, inner: nn.Module, times: int) -> None:
        super().__init__()
        self.first = inner
        self.second = inner
        self.times = times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.times):
            x = self.first(x)
        return self.second.forward(x)


class Attention(nn.Module):
    """Self-attention over the pixels, through nn.MultiheadAttention or the function itself."""

    def __init__(self, channels: int, heads: int, functional: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.heads, self.functional = heads, functional

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        if self.functional:
            split = tokens.reshape(n, h * w, self.heads, c // self.heads).transpose(1, 2)
            out = F.scaled_dot_product_attention(split, split, split).transpose(1, 2).reshape(n, h * w, c)
        else:
            out = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return out.transpose(1, 2).reshape(n, c, h, w)


class PixelLinear(nn.Module):
    """A Linear on the channels of every pixel."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(channels, width), nn.Linear(width, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


class Products(nn.Module):
    """Matrix products outside of any layer: `@`, einsum, and a weight used from outside its module."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.randn(channels, channels))
        self.held = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        x = (self.mix @ x.flatten(2)).reshape(n, c, h, w)
        x = torch.einsum("nchw,cd->ndhw", x, self.mix)
        return F.linear(x.movedim(1, -1), self.held.weight).movedim(-1, 1)


@st.composite
def _convolution(draw: Any, channels: int) -> nn.Module:
    kernel = draw(st.sampled_from([1, 3, 5]))
    groups = draw(st.sampled_from([g for g in (1, 2, channels) if channels % g == 0]))
    dilation = draw(st.sampled_from([1, 2]))
    padding = dilation * (kernel // 2)
    bias = draw(st.booleans())
    if draw(st.booleans()):
        return nn.Conv2d(channels, channels, kernel, padding=padding, groups=groups, dilation=dilation, bias=bias)
    return nn.ConvTranspose2d(channels, channels, kernel, padding=padding, groups=groups, dilation=dilation, bias=bias)


def _norm(channels: int) -> st.SearchStrategy[nn.Module]:
    return st.sampled_from([nn.BatchNorm2d, nn.InstanceNorm2d]).map(lambda kind: kind(channels)) | st.just(
        channels
    ).map(lambda c: nn.GroupNorm(2, c))


def _activation() -> st.SearchStrategy[nn.Module]:
    kinds = [nn.ReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.PReLU, nn.Dropout, nn.Identity]
    return st.sampled_from(kinds).map(lambda kind: kind())


def _leaf(channels: int) -> st.SearchStrategy[nn.Module]:
    return st.one_of(
        _convolution(channels),
        _norm(channels),
        _activation(),
        st.sampled_from([4, 12]).map(lambda width: PixelLinear(channels, width)),
        st.builds(Attention, st.just(channels), st.sampled_from([1, 2]), st.booleans()),
        st.builds(Products, st.just(channels)),
    )


def _branch(inner: st.SearchStrategy[nn.Module]) -> st.SearchStrategy[nn.Module]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda layers: nn.Sequential(*layers)),
        inner.map(Residual),
        st.builds(Reused, inner, st.integers(1, 2)),
    )


@st.composite
def trees(draw: Any) -> tuple[nn.Module, tuple[int, ...]]:
    """A model and the shape it takes, such as (Sequential(Conv2d, Residual(GroupNorm)), (2, 4, 5, 5)).

    Parameters are random; modules are in training mode, some of them frozen, some in evaluation mode.
    """
    channels = draw(st.sampled_from([2, 4, 6]))
    model = draw(st.recursive(_leaf(channels), _branch, max_leaves=6))
    for module in model.modules():
        if draw(st.integers(0, 4)) == 0:
            module.training = False
    for parameter in model.parameters():
        parameter.requires_grad_(draw(st.integers(0, 3)) != 0)
    side = draw(st.integers(3, 6))
    return model, (draw(st.integers(1, 3)), channels, side, side)
