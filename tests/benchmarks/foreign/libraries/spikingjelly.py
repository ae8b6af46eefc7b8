"""SpikingJelly: spiking networks, step by step and with all steps at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from spikingjelly.activation_based.model import spiking_resnet, spiking_vgg
from torch import nn

from tests.benchmarks.foreign.libraries import Builder


class Classifier(nn.Module):
    """Convolutions with a kind of neuron, for several steps; the state is reset before each forward pass."""

    def __init__(self, kind: type[nn.Module], mode: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            layer.Conv2d(1, 8, 3, padding=1, bias=False),
            layer.BatchNorm2d(8),
            kind(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Flatten(),
            layer.Linear(8 * 8 * 8, 10),
            kind(surrogate_function=surrogate.Sigmoid()),
        )
        functional.set_step_mode(self, mode)
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self.body)
        if self.mode == "m":
            return self.body(x.expand(4, *x.shape)).mean(0)
        return torch.stack([self.body(x) for _ in range(4)]).mean(0)


class Whole(nn.Module):
    """One of the library's own architectures, reset before each pass."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        functional.set_step_mode(self.model, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self.model)
        found: torch.Tensor = self.model(x)
        return found


_NEURONS = ("IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode", "KLIFNode", "IzhikevichNode")


def _net(kind: str, mode: str) -> tuple[nn.Module, Any]:
    return Classifier(getattr(neuron, kind), mode), torch.rand(2, 1, 16, 16)


def _own(build: Any, **options: Any) -> tuple[nn.Module, Any]:
    return Whole(build(spiking_neuron=neuron.IFNode, num_classes=10, **options)), torch.rand(2, 1, 3, 32, 32)


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"{kind}, {mode}": partial(_net, kind, mode) for kind in _NEURONS for mode in ("s", "m")},
    "spiking ResNet-18": partial(_own, spiking_resnet.spiking_resnet18, pretrained=False),
    "spiking VGG-11": partial(_own, spiking_vgg.spiking_vgg11_bn, pretrained=False),
}
