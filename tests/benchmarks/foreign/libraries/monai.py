"""MONAI: networks for medical images, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from monai.networks import nets
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_FLAT, _VOLUME = (1, 1, 64, 64), (1, 1, 32, 32, 32)
_ONE_TO_TWO = {"in_channels": 1, "out_channels": 2}
_STEPS = {"channels": (8, 16, 32), "strides": (2, 2)}
_RES = {"spatial_dims": 3, "n_input_channels": 1, "num_classes": 2}

# Class, the input's shape, arguments.
_NETS: Mapping[str, tuple[str, tuple[int, ...], Mapping[str, Any]]] = {
    "UNet": ("UNet", _FLAT, {"spatial_dims": 2, **_ONE_TO_TWO, **_STEPS, "num_res_units": 2}),
    "UNet volume": ("UNet", _VOLUME, {"spatial_dims": 3, **_ONE_TO_TWO, **_STEPS}),
    "AttentionUnet": ("AttentionUnet", _FLAT, {"spatial_dims": 2, **_ONE_TO_TWO, **_STEPS}),
    "AutoEncoder": ("AutoEncoder", _FLAT, {"spatial_dims": 2, **_ONE_TO_TWO, "channels": (8, 16), "strides": (2, 2)}),
    "VarAutoEncoder": (
        "VarAutoEncoder",
        (1, 1, 32, 32),
        {
            "spatial_dims": 2,
            "in_shape": (1, 32, 32),
            "out_channels": 1,
            "latent_size": 8,
            "channels": (8, 16),
            "strides": (2, 2),
        },
    ),
    "AutoencoderKL": (
        "AutoencoderKL",
        _FLAT,
        {
            "spatial_dims": 2,
            "in_channels": 1,
            "out_channels": 1,
            "channels": (8, 16, 16),
            "num_res_blocks": (1, 1, 1),
            "attention_levels": (False, False, True),
            "norm_num_groups": 4,
            "latent_channels": 3,
        },
    ),
    "VQVAE": (
        "VQVAE",
        _FLAT,
        {
            "spatial_dims": 2,
            "in_channels": 1,
            "out_channels": 1,
            "channels": (16, 16),
            "num_res_channels": (16, 16),
            "num_embeddings": 16,
            "embedding_dim": 8,
            "num_res_layers": 1,
            "downsample_parameters": ((2, 4, 1, 1), (2, 4, 1, 1)),
            "upsample_parameters": ((2, 4, 1, 1, 0), (2, 4, 1, 1, 0)),
        },
    ),
    "BasicUNet": ("BasicUNet", _VOLUME, {"features": (8, 8, 16, 16, 32, 8)}),
    "BasicUNetPlusPlus": ("BasicUNetPlusPlus", _FLAT, {"spatial_dims": 2, "features": (8, 8, 16, 16, 32, 8)}),
    "DenseNet": ("DenseNet", _VOLUME, {"spatial_dims": 3, **_ONE_TO_TWO, "init_features": 8, "block_config": (2, 2)}),
    "DynUNet": (
        "DynUNet",
        _FLAT,
        {
            "spatial_dims": 2,
            **_ONE_TO_TWO,
            "kernel_size": [3, 3, 3],
            "strides": [1, 2, 2],
            "upsample_kernel_size": [2, 2],
            "filters": [8, 16, 32],
        },
    ),
    "EfficientNetBN": (
        "EfficientNetBN",
        _FLAT,
        {"model_name": "efficientnet-b0", "pretrained": False, "in_channels": 1},
    ),
    "FlexibleUNet": ("FlexibleUNet", _FLAT, {**_ONE_TO_TWO, "backbone": "efficientnet-b0"}),
    "FullyConnectedNet": (
        "FullyConnectedNet",
        (4, 16),
        {"in_channels": 16, "out_channels": 4, "hidden_channels": [8, 8]},
    ),
    "LocalNet": (
        "LocalNet",
        _FLAT,
        {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "num_channel_initial": 8, "extract_levels": (0, 1, 2)},
    ),
    "GlobalNet": (
        "GlobalNet",
        _FLAT,
        {"image_size": [64, 64], "spatial_dims": 2, "in_channels": 1, "num_channel_initial": 8, "depth": 2},
    ),
    "RegUNet": ("RegUNet", _FLAT, {"spatial_dims": 2, "in_channels": 1, "num_channel_initial": 8, "depth": 2}),
    "Quicknat": ("Quicknat", _FLAT, {"num_classes": 3, "num_channels": 1, "num_filters": 16}),
    "ResNet": ("resnet10", _VOLUME, _RES),
    "SegResNet": ("SegResNet", _VOLUME, {"init_filters": 8, **_ONE_TO_TWO}),
    "SegResNetDS": ("SegResNetDS", _VOLUME, {"init_filters": 8, **_ONE_TO_TWO}),
    "SegResNetVAE": ("SegResNetVAE", _VOLUME, {"input_image_size": (32, 32, 32), "init_filters": 8, **_ONE_TO_TWO}),
    "SENet": ("SEResNet50", _FLAT, {"spatial_dims": 2, "in_channels": 1, "num_classes": 2}),
    "SwinUNETR flat": ("SwinUNETR", _FLAT, {**_ONE_TO_TWO, "feature_size": 12, "spatial_dims": 2, "use_v2": True}),
    "UNETR": (
        "UNETR",
        _VOLUME,
        {**_ONE_TO_TWO, "img_size": 32, "feature_size": 8, "hidden_size": 48, "mlp_dim": 96, "num_heads": 4},
    ),
    "ViT": (
        "ViT",
        _VOLUME,
        {
            "in_channels": 1,
            "img_size": 32,
            "patch_size": 8,
            "hidden_size": 48,
            "mlp_dim": 96,
            "num_layers": 2,
            "num_heads": 4,
            "classification": True,
        },
    ),
    "ViTAutoEnc": (
        "ViTAutoEnc",
        _FLAT,
        {
            "in_channels": 1,
            "img_size": (64, 64),
            "patch_size": (16, 16),
            "hidden_size": 48,
            "mlp_dim": 96,
            "num_layers": 2,
            "num_heads": 4,
            "spatial_dims": 2,
        },
    ),
    "TorchVisionFCModel": (
        "TorchVisionFCModel",
        (1, 3, 64, 64),
        {"model_name": "resnet18", "num_classes": 3, "use_conv": True, "pool": None},
    ),
    "Discriminator": ("Discriminator", (2, 1, 64, 64), {"in_shape": (1, 64, 64), **_STEPS}),
    "Generator": (
        "Generator",
        (2, 8),
        {"latent_shape": (8,), "start_shape": (8, 4, 4), "channels": (8, 4), "strides": (2, 2)},
    ),
    "Regressor": ("Regressor", _FLAT, {"in_shape": (1, 64, 64), "out_shape": (2,), **_STEPS}),
    "PatchDiscriminator": ("PatchDiscriminator", _FLAT, {"spatial_dims": 2, "channels": 8, "in_channels": 1}),
    "MILModel": (
        "MILModel",
        (1, 2, 3, 64, 64),
        {"num_classes": 2, "pretrained": False, "mil_mode": "att_trans", "backbone": "resnet18"},
    ),
}


def _made(name: str) -> tuple[nn.Module, Any]:
    kind, shape, arguments = _NETS[name]
    return getattr(nets, kind)(**arguments), torch.rand(shape)


def _diffusion() -> tuple[nn.Module, Any]:
    model = nets.DiffusionModelUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        channels=(16, 32),
        attention_levels=(False, True),
        num_res_blocks=1,
        num_head_channels=16,
        norm_num_groups=8,
    )
    return model, (torch.rand(1, 1, 32, 32), torch.tensor([7]))


def _language() -> tuple[nn.Module, Any]:
    model = nets.DecoderOnlyTransformer(
        num_tokens=64, max_seq_len=32, attn_layers_dim=32, attn_layers_depth=2, attn_layers_heads=4
    )
    return model, torch.randint(0, 64, (1, 32))


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_made, name) for name in _NETS},
    "DiffusionModelUNet": _diffusion,
    "DecoderOnlyTransformer": _language,
}
