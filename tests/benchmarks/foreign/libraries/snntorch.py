"""snnTorch: spiking networks, unrolled over the time steps in the model's own loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import snntorch
import torch
from snntorch import surrogate
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_STEPS, _WIDTH = 5, 16
_SPIKE = surrogate.fast_sigmoid(slope=25)


class Net(nn.Module):
    """Two layers with a neuron of one kind behind each; the neurons' states are handed on from step to step."""

    def __init__(self, neuron: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(10, _WIDTH), nn.Linear(_WIDTH, _WIDTH)
        self.neurons = nn.ModuleList([neuron(), neuron()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states: list[tuple[Any, ...]] = [(), ()]
        spikes = []
        for step in range(_STEPS):
            hidden = x[step]
            for place, (layer, neuron) in enumerate(zip((self.first, self.second), self.neurons, strict=True)):
                hidden, *rest = neuron(layer(hidden), *states[place])
                states[place] = tuple(rest)
            spikes.append(hidden)
        return torch.stack(spikes)


_NEURONS: Mapping[str, Callable[[], nn.Module]] = {
    "Leaky": lambda: snntorch.Leaky(beta=0.9, spike_grad=_SPIKE),
    "Leaky learned": lambda: snntorch.Leaky(beta=torch.rand(_WIDTH), learn_beta=True, learn_threshold=True),
    "Leaky, zero reset": lambda: snntorch.Leaky(beta=0.9, reset_mechanism="zero"),
    "Synaptic": lambda: snntorch.Synaptic(alpha=0.9, beta=0.8),
    "RLeaky": lambda: snntorch.RLeaky(beta=0.9, linear_features=_WIDTH),
    "RSynaptic": lambda: snntorch.RSynaptic(alpha=0.9, beta=0.8, linear_features=_WIDTH),
    "Lapicque": lambda: snntorch.Lapicque(beta=0.5),
    "Alpha": lambda: snntorch.Alpha(alpha=0.9, beta=0.8),
}


class Stateful(nn.Module):
    """Neurons that keep their state in themselves, and forget it when the forward pass begins."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            snntorch.Leaky(beta=0.9, init_hidden=True),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * 7 * 7, 10),
            snntorch.Leaky(beta=0.9, init_hidden=True, output=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.body:
            if isinstance(layer, snntorch.Leaky):
                layer.reset_mem()
        return torch.stack([self.body(x)[0] for _ in range(_STEPS)])


class SpikingLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = snntorch.SLSTM(10, _WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        synapse, membrane = self.cell.reset_mem()
        for step in range(_STEPS):
            spikes, synapse, membrane = self.cell(x[step], synapse, membrane)
        return spikes


def _net(name: str) -> tuple[nn.Module, Any]:
    return Net(_NEURONS[name]), torch.rand(_STEPS, 2, 10)


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_net, name) for name in _NEURONS},
    "convolutional, stateful": lambda: (Stateful(), torch.rand(2, 1, 16, 16)),
    "SLSTM": lambda: (SpikingLSTM(), torch.rand(_STEPS, 2, 10)),
}
