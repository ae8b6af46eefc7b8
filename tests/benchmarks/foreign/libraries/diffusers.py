"""diffusers: denoisers and autoencoders from configurations, at a small size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_LATENT = (1, 4, 8, 8)
_ATTENTION = {"num_attention_heads": 2, "attention_head_dim": 8}


def _time() -> torch.Tensor:
    return torch.tensor([7])


def _unet() -> tuple[nn.Module, Any]:
    model = diffusers.UNet2DModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    return model, (torch.rand(1, 3, 16, 16), _time())


def _conditional(**options: Any) -> tuple[nn.Module, Any]:
    model = diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        **options,
    )
    return model, (torch.rand(_LATENT), _time(), torch.rand(1, 6, 16))


def _video() -> tuple[nn.Module, Any]:
    model = diffusers.UNet3DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=16,
        attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
    )
    return model, (torch.rand(1, 4, 3, 8, 8), _time(), torch.rand(1, 6, 16))


def _audio() -> tuple[nn.Module, Any]:
    model = diffusers.UNet1DModel(
        sample_size=64,
        in_channels=2,
        out_channels=2,
        extra_in_channels=32,
        block_out_channels=(16, 32, 32),
    )
    return model, (torch.rand(1, 2, 64), _time())


def _control() -> tuple[nn.Module, Any]:
    model = diffusers.ControlNetModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        conditioning_embedding_out_channels=(8, 16),
    )
    return model, (torch.rand(_LATENT), _time(), torch.rand(1, 6, 16), torch.rand(1, 3, 16, 16))


def _vae() -> tuple[nn.Module, Any]:
    model = diffusers.AutoencoderKL(
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    return model, torch.rand(1, 3, 16, 16)


def _dit() -> tuple[nn.Module, Any]:
    model = diffusers.DiTTransformer2DModel(
        num_layers=2,
        sample_size=8,
        in_channels=4,
        out_channels=8,
        num_embeds_ada_norm=10,
        norm_num_groups=4,
        **_ATTENTION,
    )
    return model, {"hidden_states": torch.rand(_LATENT), "timestep": _time(), "class_labels": torch.tensor([3])}


def _pixart() -> tuple[nn.Module, Any]:
    model = diffusers.PixArtTransformer2DModel(
        num_layers=2,
        sample_size=8,
        cross_attention_dim=16,
        caption_channels=12,
        use_additional_conditions=False,
        **_ATTENTION,
    )
    return model, {
        "hidden_states": torch.rand(_LATENT),
        "encoder_hidden_states": torch.rand(1, 6, 12),
        "timestep": _time(),
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    }


def _sd3() -> tuple[nn.Module, Any]:
    model = diffusers.SD3Transformer2DModel(
        sample_size=8,
        num_layers=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pooled_projection_dim=12,
        pos_embed_max_size=8,
        out_channels=4,
        in_channels=4,
        **_ATTENTION,
    )
    return model, {
        "hidden_states": torch.rand(_LATENT),
        "encoder_hidden_states": torch.rand(1, 6, 16),
        "pooled_projections": torch.rand(1, 12),
        "timestep": _time(),
    }


def _flux() -> tuple[nn.Module, Any]:
    model = diffusers.FluxTransformer2DModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=2,
        joint_attention_dim=16,
        pooled_projection_dim=12,
        axes_dims_rope=(4, 4, 8),
        attention_head_dim=16,
        num_attention_heads=2,
    )
    return model, {
        "hidden_states": torch.rand(1, 16, 4),
        "encoder_hidden_states": torch.rand(1, 6, 16),
        "pooled_projections": torch.rand(1, 12),
        "timestep": torch.tensor([0.5]),
        "img_ids": torch.rand(16, 3).round(),
        "txt_ids": torch.zeros(6, 3),
    }


def _video_transformer() -> tuple[nn.Module, Any]:
    model = diffusers.CogVideoXTransformer3DModel(
        num_layers=2,
        text_embed_dim=16,
        time_embed_dim=8,
        sample_width=8,
        sample_height=8,
        sample_frames=5,
        max_text_seq_length=6,
        in_channels=4,
        out_channels=4,
        **_ATTENTION,
    )
    return model, {
        "hidden_states": torch.rand(1, 2, 4, 8, 8),
        "encoder_hidden_states": torch.rand(1, 6, 16),
        "timestep": _time(),
    }


def _wan() -> tuple[nn.Module, Any]:
    model = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=4,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    )
    return model, {
        "hidden_states": torch.rand(1, 4, 2, 8, 8),
        "encoder_hidden_states": torch.rand(1, 6, 16),
        "timestep": _time(),
    }


def _sana() -> tuple[nn.Module, Any]:
    model = diffusers.SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=12,
        sample_size=8,
        **_ATTENTION,
    )
    return model, {
        "hidden_states": torch.rand(_LATENT),
        "encoder_hidden_states": torch.rand(1, 6, 12),
        "timestep": _time(),
    }


def _ltx() -> tuple[nn.Module, Any]:
    model = diffusers.LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_layers=2, cross_attention_dim=16, caption_channels=12, **_ATTENTION
    )
    return model, {
        "hidden_states": torch.rand(1, 32, 8),
        "encoder_hidden_states": torch.rand(1, 6, 12),
        "timestep": _time(),
        "encoder_attention_mask": torch.ones(1, 6),
        "num_frames": 2,
        "height": 4,
        "width": 4,
    }


ARCHITECTURES: Mapping[str, Builder] = {
    "UNet2D": _unet,
    "UNet2DCondition": _conditional,
    "UNet2DCondition, linear projections": lambda: _conditional(use_linear_projection=True),
    "UNet2DCondition, scale and shift": lambda: _conditional(resnet_time_scale_shift="scale_shift"),
    "UNet3DCondition": _video,
    "UNet1D": _audio,
    "ControlNet": _control,
    "AutoencoderKL": _vae,
    "AutoencoderTiny": lambda: (
        diffusers.AutoencoderTiny(
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        ),
        torch.rand(1, 3, 16, 16),
    ),
    "VQModel": lambda: (
        diffusers.VQModel(block_out_channels=(16,), norm_num_groups=8, num_vq_embeddings=16),
        torch.rand(1, 3, 16, 16),
    ),
    "AutoencoderOobleck": lambda: (
        diffusers.AutoencoderOobleck(
            encoder_hidden_size=8,
            downsampling_ratios=[2, 4],
            channel_multiples=[1, 2],
            decoder_channels=8,
            decoder_input_channels=4,
        ),
        torch.rand(1, 2, 64),
    ),
    "DiT": _dit,
    "PixArt": _pixart,
    "SD3": _sd3,
    "Flux": _flux,
    "CogVideoX": _video_transformer,
    "Wan": _wan,
    "Sana": _sana,
    "LTX": _ltx,
}
