"""pretrainedmodels: image classifiers of 2017 to 2018, without their weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pretrainedmodels
import torch
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_SIZES: Mapping[str, int] = {
    "bninception": 224,
    "cafferesnet101": 224,
    "dpn68": 224,
    "inceptionresnetv2": 299,
    "nasnetamobile": 224,
    "resnext101_32x4d": 224,
    "se_resnet50": 224,
    "xception": 128,
    "squeezenet1_0": 64,
}


def _made(name: str) -> tuple[nn.Module, Any]:
    return getattr(pretrainedmodels, name)(num_classes=1000, pretrained=None), torch.rand(1, 3, *(_SIZES[name],) * 2)


ARCHITECTURES: Mapping[str, Builder] = {name: partial(_made, name) for name in _SIZES}
