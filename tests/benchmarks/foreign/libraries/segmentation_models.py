"""segmentation-models-pytorch: each decoder on several encoders, on small images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import segmentation_models_pytorch as segmentation
import torch
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_DECODERS = (
    "Unet",
    "UnetPlusPlus",
    "MAnet",
    "Linknet",
    "FPN",
    "PSPNet",
    "DeepLabV3",
    "DeepLabV3Plus",
    "PAN",
    "UPerNet",
    "Segformer",
)
_ON_ALL = ("resnet18", "mobilenet_v2")
# Other encoders, on the decoder that takes any.
_ENCODERS = (
    "efficientnet-b0",
    "densenet121",
    "vgg11_bn",
    "mit_b0",
    "mobileone_s0",
    "resnext50_32x4d",
    "dpn68",
    "xception",
    "timm-efficientnet-b0",
    "timm-regnetx_002",
    "timm-mobilenetv3_small_100",
    "timm-res2net50_26w_4s",
    "inceptionv4",
    "timm-resnest14d",
)
_MULTI = {"activation": "softmax", "classes": 5, "aux_params": {"classes": 4, "dropout": 0.5}}


def _made(decoder: str, encoder: str, **options: Any) -> tuple[nn.Module, Any]:
    model = getattr(segmentation, decoder)(encoder, encoder_weights=None, **options)
    return model, torch.rand(2, 3, 128 if decoder == "PAN" else 64, 128 if decoder == "PAN" else 64)


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"{decoder} {encoder}": partial(_made, decoder, encoder) for decoder in _DECODERS for encoder in _ON_ALL},
    **{f"Unet {encoder}": partial(_made, "Unet", encoder) for encoder in _ENCODERS},
    "Unet attention": partial(_made, "Unet", "resnet18", decoder_attention_type="scse"),
    "Unet two heads": partial(_made, "Unet", "resnet18", **_MULTI),
}
