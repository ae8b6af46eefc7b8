"""The worked numbers: what a textbook, a paper or another tool prints, to the last digit."""

from __future__ import annotations

from math import prod

import pytest
import torch
from torch import nn

from profiler import profile
from profiler.render import numbers
from profiler.render.tables import Unit


def test_resnet34() -> None:
    totals = profile("resnet34").totals
    assert totals.params == 21_797_672
    assert totals.macs == 3_663_761_408
    assert numbers.text(totals.param_bytes, Unit.MB) == "83.15"


def test_fully_connected_layer_with_its_biases() -> None:
    found = profile(nn.Linear(78400, 4096, device="meta"), (1, 78400)).totals
    assert found.params == (78400 + 1) * 4096 == 321_130_496
    assert found.macs == 78400 * 4096


def test_first_convolution_of_alexnet() -> None:
    found = profile(nn.Conv2d(3, 96, 11, stride=4), (1, 3, 227, 227)).totals
    assert found.params == (3 * 11 * 11 + 1) * 96 == 34_944
    assert found.macs == 96 * 55 * 55 * 3 * 11 * 11


def test_batch_norm_has_two_parameters_a_channel_and_keeps_statistics_in_buffers() -> None:
    found = profile(nn.BatchNorm2d(64), (1, 64, 8, 8)).totals
    assert found.params == 2 * 64
    assert found.buffers == 2 * 64 + 1


@pytest.mark.parametrize(
    "layer", [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Dropout()], ids=repr
)
def test_layers_without_parameters(layer: nn.Module) -> None:
    found = profile(layer, (1, 4, 8, 8)).totals
    assert (found.params, found.macs) == (0, 0)


def test_sixty_million_float32_parameters_in_megabytes() -> None:
    found = profile(nn.Linear(6000, 10000, bias=False, device="meta"), (1, 6000)).totals
    assert found.param_bytes == 60_000_000 * 4
    assert numbers.text(found.param_bytes, Unit.MB) == "228.88"
    assert found.param_bytes / numbers.BYTES[Unit.MB] == pytest.approx(60e6 * 4 / 1024 / 1024)


@pytest.mark.parametrize("widths", [(1, 1), (16, 32), (300, 7)])
def test_pointwise_convolution_on_one_pixel_is_a_fully_connected_layer(widths: tuple[int, int]) -> None:
    into, out = widths
    convolution, linear = nn.Conv2d(into, out, 1), nn.Linear(into, out)
    by_convolution, by_linear = profile(convolution, (2, into, 1, 1)), profile(linear, (2, into))
    assert by_convolution.totals.params == by_linear.totals.params == (into + 1) * out
    assert by_convolution.totals.macs == by_linear.totals.macs == 2 * into * out
    assert by_convolution.totals.flops == by_linear.totals.flops
    with torch.no_grad():
        linear.weight.copy_(convolution.weight.flatten(1))
        linear.bias.copy_(convolution.bias)
        x = torch.rand(2, into)
        assert torch.allclose(convolution(x[:, :, None, None]).flatten(1), linear(x), atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4, 5), (8, 7, 7)])
def test_fully_connected_layer_is_a_convolution_as_large_as_its_input(shape: tuple[int, int, int]) -> None:
    channels, *size = shape
    linear = profile(nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), 10)), (1, *shape)).totals
    convolution = profile(nn.Conv2d(channels, 10, tuple(size)), (1, *shape)).totals
    assert (
        (linear.params, linear.macs)
        == (convolution.params, convolution.macs)
        == ((prod(shape) + 1) * 10, prod(shape) * 10)
    )


def test_pointwise_convolution_takes_any_size_and_its_macs_follow_it() -> None:
    layer = nn.Conv2d(16, 32, 1)
    for height, width in ((1, 1), (7, 5), (56, 56)):
        found = profile(layer, (1, 16, height, width))
        assert found.totals.macs == height * width * 16 * 32
        assert found.totals.params == (16 + 1) * 32
        assert found.layers[0].output.shape == (1, 32, height, width)
