"""vit-pytorch: vision transformers on small images, volumes and videos."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_IMAGE = {"image_size": 64, "patch_size": 16, "num_classes": 10}
_TRUNK = {"dim": 64, "depth": 2, "heads": 4, "mlp_dim": 128}
_COMMON = {**_IMAGE, **_TRUNK}
_VIDEO = {"image_size": 32, "image_patch_size": 16, "frames": 8, "frame_patch_size": 2, "num_classes": 10}
_LARGE = (1, 3, 224, 224)

# file.Class, with what it takes beside the common arguments.
_OF_IMAGES: Mapping[str, Mapping[str, Any]] = {
    "ats_vit.ViT": {"max_tokens_per_depth": (8, 4)},
    "attn_residual_with_dca_simple_vit.SimpleViT": {},
    "cait.CaiT": {"cls_depth": 1, "layer_dropout": 0.05},
    "deepvit.DeepViT": {},
    "distill.DistillableViT": {},
    "jet_vit.JetViT": {},
    "jumbo_vit.JumboViT": {"jumbo_cls_k": 2},
    "learnable_memory_vit.ViT": {},
    "local_vit.LocalViT": {},
    "mp3.ViT": {},
    "normalized_vit.nViT": {},
    "parallel_vit.ViT": {},
    "rvt.RvT": {},
    "simple_flash_attn_vit.SimpleViT": {},
    "simple_uvit.SimpleUViT": {},
    "simple_vit.SimpleViT": {},
    "simple_vit_attn_residual.SimpleViTAttnResidual": {},
    "simple_vit_orthog_residual_update.SimpleViT": {},
    "simple_vit_with_fft.SimpleViT": {"freq_patch_size": 8},
    "simple_vit_with_hyper_connections.SimpleViT": {"num_residual_streams": 2},
    "simple_vit_with_patch_dropout.SimpleViT": {},
    "simple_vit_with_qk_norm.SimpleViT": {},
    "simple_vit_with_register_tokens.SimpleViT": {},
    "simple_vit_with_relative_proj_pos_bias.SimpleViT": {},
    "simple_vit_with_sparse_gating.SimpleViTWithSparseGating": {},
    "simple_vit_with_specialized_cls.SimpleViT": {},
    "simple_vit_with_value_residual.SimpleViT": {},
    "vaat.ViT": {},
    "vat.ViT": {},
    "vit.ViT": {},
    "vit_5.ViT": {},
    "vit_detpool.ViTDetPool": {},
    "vit_for_small_dataset.ViT": {},
    "vit_with_decorr.ViT": {},
    "vit_with_keel_post_ln.ViT": {},
    "vit_with_patch_dropout.ViT": {},
    "vit_with_patch_merger.ViT": {"patch_merge_layer": 1},
    "xcit.XCiT": {"cls_depth": 1},
}
# With arguments of their own alone, and the shape of the input.
_OF_OTHERS: Mapping[str, tuple[tuple[int, ...], Mapping[str, Any]]] = {
    "cct.CCT": ((1, 3, 64, 64), {"img_size": 64, "embedding_dim": 64, "num_layers": 2, "num_heads": 2, "mlp_ratio": 2}),
    "cct_3d.CCT": (
        (1, 3, 8, 32, 32),
        {"img_size": 32, "num_frames": 8, "embedding_dim": 64, "num_layers": 2, "num_heads": 2, "mlp_ratio": 2},
    ),
    "cross_vit.CrossViT": (
        (1, 3, 96, 96),
        {"image_size": 96, "num_classes": 10, "sm_dim": 48, "lg_dim": 64, "lg_enc_depth": 2, "cross_attn_depth": 1},
    ),
    "crossformer.CrossFormer": (_LARGE, {"dim": (32, 64, 128, 256), "depth": (1, 1, 2, 1), "num_classes": 10}),
    "cvt.CvT": ((1, 3, 64, 64), {"num_classes": 10, "s3_depth": 2, "s3_emb_dim": 128, "s2_emb_dim": 96}),
    "levit.LeViT": (
        _LARGE,
        {"image_size": 224, "num_classes": 10, "dim": (64, 96, 128), "depth": 2, "heads": (2, 3, 4), "mlp_mult": 2},
    ),
    "max_vit.MaxViT": (_LARGE, {"num_classes": 10, "dim": 16, "depth": (1, 1), "dim_conv_stem": 16, "dim_head": 16}),
    "max_vit_with_registers.MaxViT": (
        _LARGE,
        {"num_classes": 10, "dim": 16, "depth": (1, 1), "dim_conv_stem": 16, "dim_head": 16},
    ),
    "mobile_vit.MobileViT": (
        (1, 3, 256, 256),
        {
            "image_size": (256, 256),
            "dims": [64, 80, 96],
            "channels": [16, 16, 24, 24, 48, 48, 64, 64, 80, 80, 160],
            "num_classes": 10,
        },
    ),
    "nest.NesT": (
        _LARGE,
        {
            "image_size": 224,
            "patch_size": 4,
            "dim": 24,
            "heads": 3,
            "num_hierarchies": 3,
            "block_repeats": (1, 1, 2),
            "num_classes": 10,
        },
    ),
    "pit.PiT": (
        (1, 3, 70, 70),
        {
            "image_size": 70,
            "patch_size": 14,
            "dim": 64,
            "num_classes": 10,
            "depth": (1, 1, 1),
            "heads": 4,
            "mlp_dim": 128,
        },
    ),
    "regionvit.RegionViT": (_LARGE, {"dim": (16, 32, 64, 128), "depth": (1, 1, 2, 1), "num_classes": 10}),
    "scalable_vit.ScalableViT": (
        (1, 3, 256, 256),
        {
            "num_classes": 10,
            "dim": 16,
            "heads": (2, 4, 4, 8),
            "depth": (1, 1, 2, 1),
            "reduction_factor": (8, 4, 2, 1),
            "window_size": (64, 32, None, None),
        },
    ),
    "sep_vit.SepViT": (_LARGE, {"num_classes": 10, "dim": 16, "depth": (1, 1, 2, 1), "heads": (1, 2, 4, 8)}),
    "simple_flash_attn_vit_3d.SimpleViT": ((1, 3, 8, 32, 32), {**_VIDEO, **_TRUNK, "use_flash_attn": False}),
    "simple_vit_1d.SimpleViT": ((1, 3, 64), {"seq_len": 64, "patch_size": 8, "num_classes": 10, **_TRUNK}),
    "simple_vit_3d.SimpleViT": ((1, 3, 8, 32, 32), {**_VIDEO, **_TRUNK}),
    "t2t.T2TViT": (
        (1, 3, 64, 64),
        {"image_size": 64, "num_classes": 10, "dim": 64, "depth": 2, "heads": 4, "mlp_dim": 128},
    ),
    "twins_svt.TwinsSVT": (_LARGE, {"num_classes": 10, "s3_depth": 2, "s4_depth": 1, "s3_emb_dim": 128}),
    "vit_1d.ViT": ((1, 3, 64), {"seq_len": 64, "patch_size": 8, "num_classes": 10, **_TRUNK}),
    "vit_3d.ViT": ((1, 3, 8, 32, 32), {**_VIDEO, **_TRUNK}),
    "vit_nd.ViTND": (
        (1, 3, 8, 16, 16),
        {"ndim": 3, "input_shape": (8, 16, 16), "patch_size": (2, 4, 4), "num_classes": 10, **_TRUNK},
    ),
    "vit_nd_pope.ViTND": (
        (1, 3, 8, 16, 16),
        {"ndim": 3, "input_shape": (8, 16, 16), "patch_size": (2, 4, 4), "num_classes": 10, **_TRUNK},
    ),
    "vit_nd_rotary.ViTND": (
        (1, 3, 8, 16, 16),
        {"ndim": 3, "input_shape": (8, 16, 16), "patch_size": (2, 4, 4), "num_classes": 10, **_TRUNK},
    ),
    "vivit.ViViT": (
        (1, 3, 8, 32, 32),
        {**_VIDEO, "dim": 64, "spatial_depth": 1, "temporal_depth": 1, "heads": 4, "mlp_dim": 64},
    ),
    "looped_vit.LoopedViT": (
        (1, 3, 64, 64),
        {
            "image_size": 64,
            "patch_size": 16,
            "num_classes": 10,
            "dim": 64,
            "heads": 4,
            "pre_loop_depth": 1,
            "num_looped_blocks": 1,
            "post_loop_depth": 1,
            "loop_depth": 2,
        },
    ),
    "look_vit.LookViT": (
        (1, 3, 64, 64),
        {
            "image_size": 64,
            "num_classes": 10,
            "dim": 64,
            "depth": 2,
            "heads": 4,
            "dim_head": 16,
            "patch_size": 32,
            "highres_patch_size": 16,
        },
    ),
}


def _class(path: str) -> Any:
    file, _, name = path.partition(".")
    return getattr(import_module(f"vit_pytorch.{file}"), name)


def _of_image(path: str) -> tuple[nn.Module, Any]:
    return _class(path)(**_COMMON, **_OF_IMAGES[path]), torch.rand(2, 3, 64, 64)


def _of_other(path: str) -> tuple[nn.Module, Any]:
    shape, arguments = _OF_OTHERS[path]
    return _class(path)(**arguments), torch.rand(shape)


def _vit(**changed: Any) -> nn.Module:
    model: nn.Module = _class("vit.ViT")(**{**_COMMON, **changed})
    return model


def _wrapped(path: str, **arguments: Any) -> tuple[nn.Module, Any]:
    """A model for training another: it takes images and returns a loss."""
    return _class(path)(**arguments), torch.rand(2, 3, 64, 64)


def _na_vit(path: str) -> tuple[nn.Module, Any]:
    images = [torch.rand(3, 32, 64), torch.rand(3, 64, 64), torch.rand(3, 64, 32)]
    arguments = {"image_size": 64, "patch_size": 16, "num_classes": 10, **_TRUNK}
    return _class(path)(**arguments), ([images[:2], images[2:]] if path == "na_vit.NaViT" else images,)


ARCHITECTURES: Mapping[str, Builder] = {
    **{path: partial(_of_image, path) for path in _OF_IMAGES},
    **{path: partial(_of_other, path) for path in _OF_OTHERS},
    "na_vit.NaViT": partial(_na_vit, "na_vit.NaViT"),
    "na_vit_nested_tensor.NaViT": partial(_na_vit, "na_vit_nested_tensor.NaViT"),
    "efficient.ViT": lambda: (
        _class("efficient.ViT")(
            **_IMAGE,
            dim=64,
            transformer=nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 64, batch_first=True), 2),
        ),
        torch.rand(2, 3, 64, 64),
    ),
    "learnable_memory_vit.Adapter": lambda: (
        _class("learnable_memory_vit.Adapter")(vit=_class("learnable_memory_vit.ViT")(**_COMMON)),
        torch.rand(2, 3, 64, 64),
    ),
    "distill.DistillWrapper": lambda: (
        _class("distill.DistillWrapper")(teacher=_vit(), student=_class("distill.DistillableViT")(**_COMMON)),
        (torch.rand(2, 3, 64, 64), torch.tensor([1, 2])),
    ),
    "mae.MAE": lambda: _wrapped("mae.MAE", encoder=_vit(), decoder_dim=32),
    "simmim.SimMIM": lambda: _wrapped("simmim.SimMIM", encoder=_vit()),
    "mpp.MPP": lambda: _wrapped("mpp.MPP", transformer=_vit(), patch_size=16, dim=64),
    "mp3.MP3": lambda: _wrapped("mp3.MP3", vit=_class("mp3.ViT")(**_COMMON), masking_ratio=0.75),
    "dino.Dino": lambda: _wrapped(
        "dino.Dino", net=_vit(), image_size=64, hidden_layer="to_latent", projection_hidden_size=32, num_classes_K=64
    ),
    "es_vit.EsViTTrainer": lambda: _wrapped(
        "es_vit.EsViTTrainer",
        net=_class("cvt.CvT")(num_classes=10, s3_depth=1),
        image_size=64,
        hidden_layer="layers",
        projection_hidden_size=32,
        num_classes_K=64,
        projection_layers=2,
    ),
    "extractor.Extractor": lambda: _wrapped("extractor.Extractor", vit=_vit()),
    "recorder.Recorder": lambda: _wrapped("recorder.Recorder", vit=_vit()),
}
