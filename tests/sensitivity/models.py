"""Ten small models in double precision, each with samples and labels of three classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CLASSES, SAMPLES = 3, 5


class Recurrent(nn.Module):
    """The output of the last step of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).mean(1))


class Tied(nn.Module):
    """Two layers with the same weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, CLASSES)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4))
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + self.inner(x))


class Returning(nn.Module):
    """Its logits are in a dict, behind another tensor; a weight of it is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(4, CLASSES), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"features": x, "logits": torch.sin(self.used(x))}


class Overwriting(nn.Module):
    """What it is fed is overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.mul_(2.0).tanh())


def _convolution() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Softplus(), nn.Flatten(), nn.Linear(48, CLASSES))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(4, CLASSES), (4,)),
    "perceptron": (lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, CLASSES)), (4,)),
    "normalised": (lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.SiLU(), nn.Linear(6, CLASSES)), (4,)),
    "convolution": (_convolution, (2, 6, 6)),
    "recurrent": (Recurrent, (3, 4)),
    "attending": (Attending, (3, 8)),
    "tied": (Tied, (4,)),
    "residual": (Residual, (4,)),
    "returning": (Returning, (4,)),
    "overwriting": (Overwriting, (4,)),
}


def model(name: str) -> tuple[nn.Module, Tensor, Tensor]:
    """A model, samples and labels; the same each time."""
    build, shape = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = build().double()
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
        samples = torch.randn(SAMPLES, *shape, dtype=torch.float64)
        return made, samples, torch.randint(0, CLASSES, (SAMPLES,))


def logits(made: nn.Module, samples: Tensor) -> Tensor:
    """What a model computes in inference."""
    output = made.eval()(samples.clone())
    return output["logits"] if isinstance(output, dict) else output
