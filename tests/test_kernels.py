"""Layouts that a CPU's kernels return, where an input or a gradient is not row-major: on meta as on real tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from profiler.records.conditions import AS_IT_IS, Conditions, Training
from tests.test_meta_and_real import both, live, signatures

Function: TypeAlias = Callable[[Tensor], Tensor]
Arrangement: TypeAlias = Callable[[Function, Tensor], Tensor]

STEP = Conditions(training=Training())
ROWS, COLUMNS, DEPTH = 4, 6, 2


class Arranged(nn.Module):
    """A function or layer, given its input in one layout, and its gradient in one."""

    def __init__(self, arrangement: Arrangement, function: Function) -> None:
        super().__init__()
        self.arrangement = arrangement
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.arrangement(self.function, x * 2)


def _are_alike(arrangement: Arrangement, function: Function, shape: tuple[int, ...]) -> None:
    model = Arranged(arrangement, function)
    for under in (AS_IT_IS, STEP):
        x = torch.rand(shape, requires_grad=under is STEP)
        dry, wet = both(model, (x,), under)
        assert signatures(dry) == signatures(wet)
        assert live(dry) == live(wet)


def _turned(x: Tensor) -> Tensor:
    return x.transpose(-1, -2) if x.dim() > 1 else x


def _to_turned(x: Tensor) -> Tensor:
    """The same, of which the gradient is turned."""
    return _turned(x).contiguous().relu()


ARRANGED: dict[str, Arrangement] = {
    "row-major": lambda function, x: function(x),
    "turned": lambda function, x: function(_turned(x)),
    "turned gradient": lambda function, x: _to_turned(function(x)),
    "both": lambda function, x: _to_turned(function(_turned(x))),
    "first innermost": lambda function, x: function(x.permute(1, 2, 0).contiguous().permute(2, 0, 1)),
}
TARGET = torch.ones(DEPTH, ROWS, COLUMNS)
FUNCTIONS: dict[str, Function] = {
    **{function.__name__: function for function in (
        F.softplus, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh, F.elu, F.leaky_relu, F.logsigmoid,
        torch.sigmoid, torch.tanh, F.relu, F.softshrink, F.hardshrink, F.celu, F.selu, F.relu6, F.softsign,
        F.tanhshrink, F.rrelu, torch.abs, torch.sqrt, torch.exp,
    )},
    "gelu, tanh": lambda x: F.gelu(x, approximate="tanh"),
    "threshold": lambda x: F.threshold(x, 0.1, 0.0),
    "gated": lambda x: F.glu(x, 1),
    "logit": lambda x: torch.logit(x, 1e-3),
    "softmax": lambda x: x.softmax(-1),
    "softmax of rows": lambda x: x.softmax(1),
    "log of softmax": lambda x: x.log_softmax(-1),
    "running sum": lambda x: x.cumsum(1),
    "product": lambda x: x.prod(1, keepdim=True),
    "sort": lambda x: x.sort(1)[0],
    "largest": lambda x: x.topk(2, 1)[0],
    "maximum": lambda x: x.amax(1, keepdim=True),
    "average of two": lambda x: F.avg_pool1d(x, 2),
    "maximum of two": lambda x: F.max_pool1d(x, 2),
    "average of halves": lambda x: F.adaptive_avg_pool1d(x, 2),
    "twice as long": lambda x: F.interpolate(x, scale_factor=2.0),
    "mirrored": lambda x: F.pad(x, (1, 1), mode="reflect"),
    "repeated": lambda x: F.pad(x, (1, 1), mode="replicate"),
    "norm": lambda x: F.layer_norm(x, x.shape[-1:]),
    "norm of groups": lambda x: F.group_norm(x, 2),
    "squared error": lambda x: F.mse_loss(x, TARGET.new_ones(x.shape)),
    "smooth error": lambda x: F.smooth_l1_loss(x, TARGET.new_ones(x.shape)),
    "Huber's": lambda x: F.huber_loss(x, TARGET.new_ones(x.shape)),
    "cross entropy": lambda x: F.binary_cross_entropy(x.sigmoid(), TARGET.new_ones(x.shape)),
    "divergence": lambda x: F.kl_div(x.log_softmax(1), TARGET.new_ones(x.shape), reduction="batchmean"),
    "type of another": lambda x: x * torch.linspace(0, 1, x.shape[-1]).type_as(x),
    "place of another": lambda x: x * torch.linspace(0, 1, x.shape[-1]).to(x),
}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((1, 32, 8, 8), (32, 1, 256, 32)),
        ((2, 6, 1), (6, 1, 6)),
        ((2, 1, 6), (6, 1, 1)),
        ((1, 4, 5, 5), (25, 25, 5, 1)),
        ((2, 4, 1, 3), (12, 3, 7, 1)),
        ((3, 4), (1, 5)),
    ],
)
def test_a_number_leaves_the_order_of_dimensions(shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    model = Arranged(lambda f, x: f(torch.as_strided(x, shape, strides)), lambda x: (x + 1) / 2)
    dry, wet = both(model, (torch.rand(4096),))
    assert signatures(dry) == signatures(wet)


@pytest.mark.parametrize("function", [F.relu, F.hardshrink, lambda x: x.clamp_min(0), lambda x: F.threshold(x, 0.1, 0)])
def test_a_row_of_one(function: Function) -> None:
    """It is row-major, whatever the strides of the one are."""
    model = Arranged(lambda f, x: f(x[:, :1].transpose(1, 2).contiguous()), function)
    dry, wet = both(model, (torch.rand(DEPTH, ROWS, COLUMNS),))
    assert signatures(dry) == signatures(wet)


@pytest.mark.parametrize("arrangement", ARRANGED)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function: str, arrangement: str) -> None:
    _are_alike(ARRANGED[arrangement], FUNCTIONS[function], (DEPTH, ROWS, COLUMNS))


def _last(x: Tensor) -> Tensor:
    """Channels last."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return x.contiguous(memory_format=formats[x.dim()]) if x.dim() in formats else x


OF_IMAGES: dict[str, Arrangement] = {
    "row-major": lambda function, x: function(x),
    "channels last": lambda function, x: function(_last(x)),
    "gradient channels last": lambda function, x: _last(function(x)).relu(),
    "channels moved": lambda function, x: function(x.movedim(1, -1).contiguous().movedim(-1, 1)),
}
IMAGES: dict[str, Callable[[], Function]] = {
    "convolution": lambda: nn.Conv2d(4, 6, 3),
    "strided": lambda: nn.Conv2d(4, 6, 3, stride=2, bias=False),
    "depthwise": lambda: nn.Conv2d(4, 4, 3, groups=4),
    "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "dilated": lambda: nn.Conv2d(4, 6, 3, dilation=2),
    "to one channel": lambda: nn.Conv2d(4, 1, 3),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "instance norm": lambda: nn.InstanceNorm2d(4, affine=True),
    "group norm": lambda: nn.GroupNorm(2, 4),
    "average": lambda: nn.AvgPool2d(2),
    "maximum": lambda: nn.MaxPool2d(2),
    "adaptive average": lambda: nn.AdaptiveAvgPool2d(2),
    "adaptive maximum": lambda: nn.AdaptiveMaxPool2d(2),
    "nearest": lambda: nn.Upsample(scale_factor=2),
    "bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "mirrored": lambda: nn.ReflectionPad2d(1),
    "repeated": lambda: nn.ReplicationPad2d(1),
    "pixels shuffled": lambda: nn.PixelShuffle(2),
    "pixels unshuffled": lambda: nn.PixelUnshuffle(2),
    "channels shuffled": lambda: nn.ChannelShuffle(2),
    "unfolded": lambda: nn.Unfold(3),
    "unfolded, apart": lambda: nn.Unfold(1, stride=2),
    "halved": lambda: lambda x: 1 - (x / 2 + 1) * 3,
    "folded": lambda: nn.Sequential(nn.Unfold(3), nn.Fold((8, 8), 3)),
}


@pytest.mark.parametrize("arrangement", OF_IMAGES)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("layer", IMAGES)
def test_images(layer: str, batch: int, arrangement: str) -> None:
    _are_alike(OF_IMAGES[arrangement], IMAGES[layer](), (batch, 4, 8, 8))


@pytest.mark.parametrize("arrangement", ["row-major", "channels last"])
@pytest.mark.parametrize("layer", [lambda: nn.Conv3d(4, 6, 3), lambda: nn.Conv3d(4, 4, 3, groups=4)])
def test_volumes(layer: Callable[[], Function], arrangement: str) -> None:
    _are_alike(OF_IMAGES[arrangement], layer(), (2, 4, 5, 5, 5))


@pytest.mark.parametrize("layer", [nn.LayerNorm(COLUMNS), nn.GroupNorm(2, ROWS)])
@pytest.mark.parametrize("is_mixed", [False, True])
def test_statistics_of_half_precision(layer: nn.Module, is_mixed: bool) -> None:
    """They are kept in it unless the weights are of another dtype."""
    layer = layer.float() if is_mixed else layer.bfloat16()
    _are_alike(lambda function, x: function(x.bfloat16()), layer, (DEPTH, ROWS, COLUMNS))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.linalg.eig(x)[1].abs(),
        lambda x: torch.linalg.eigvals(x).abs(),
        lambda x: torch.linalg.svd(x)[0],
        lambda x: torch.nonzero_static(x.detach(), size=3) * x.sum(),
    ],
)
def test_linear_algebra(function: Function) -> None:
    _are_alike(ARRANGED["row-major"], function, (2, 3, 3))


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("norm", [nn.BatchNorm1d(ROWS), nn.LayerNorm(ROWS), nn.GroupNorm(2, ROWS)])
def test_gradients_that_nobody_wants_are_not_made(norm: nn.Module, trains: bool) -> None:
    """Of an input, where the layers before are frozen, and of weights that are."""
    before = nn.Linear(ROWS, ROWS).requires_grad_(not trains)
    dry, wet = both(nn.Sequential(before, norm.requires_grad_(trains)), (torch.rand(3, ROWS),), STEP)
    assert signatures(dry) == signatures(wet)
    assert live(dry) == live(wet)
