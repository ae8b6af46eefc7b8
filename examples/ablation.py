"""What does each idea of a small network cost? An ablation: the same network without or instead of one idea at a time.

Run it with `python examples/ablation.py`; with `--latex` it prints the table for a paper.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn

from profiler import Profile, compare, profile, replaced, without

IMAGE = (1, 3, 32, 32)


class SqueezeExcite(nn.Module):
    """Each channel is weighted by what all channels are on average (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


def net(widths: tuple[int, ...] = (16, 32, 64)) -> nn.Sequential:
    """An ordinary first convolution, then blocks that each halve the image."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [SqueezeExcite(outputs)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))


def separable(ordinary: nn.Conv2d) -> nn.Module:
    """3x3 for each channel by itself and then 1x1 over all of them (Howard et al. 2017, arXiv:1704.04861).

    The first convolution, which takes an image, stays as it is.
    """
    inputs, outputs, stride = ordinary.in_channels, ordinary.out_channels, ordinary.stride
    if inputs == 3:
        return ordinary
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1, bias=False))


def variants() -> Iterator[tuple[str, Profile]]:
    """Layers are left out, or replaced, of the one network; another width is another network."""
    model = net()
    yield "full", profile(model, IMAGE)
    with without(model, "SqueezeExcite"):
        yield "without SE blocks", profile(model, IMAGE)
    yield "uniform width", profile(net(widths=(32, 32, 32)), IMAGE)
    with replaced(model, "Conv2d", separable):
        yield "depthwise separable", profile(model, IMAGE)


def main() -> None:
    labels, profiles = zip(*variants(), strict=True)
    table = compare(
        profiles,
        ["model", "params", "rel_params", "macs", "rel_macs", "size"],
        labels=labels,
        relative_to="full",
        bold=["params", "macs"],
        caption="What each part of the network costs",
        tex_label="tab:ablation",
    )
    print(table.to_latex() if "--latex" in sys.argv[1:] else table)


if __name__ == "__main__":
    main()
