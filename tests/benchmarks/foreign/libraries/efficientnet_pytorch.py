"""efficientnet-pytorch: with its own swish, whose gradient is a custom autograd function."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from efficientnet_pytorch import EfficientNet
from torch import nn

from tests.benchmarks.foreign.libraries import Builder


def _made(name: str) -> tuple[nn.Module, Any]:
    return EfficientNet.from_name(name), torch.rand(2, 3, 64, 64)


ARCHITECTURES: Mapping[str, Builder] = {
    f"efficientnet-{name}": partial(_made, f"efficientnet-{name}") for name in ("b0", "b2")
}
