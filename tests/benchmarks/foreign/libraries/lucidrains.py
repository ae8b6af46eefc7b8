"""Attention in many forms: performer-, reformer-, linformer-, perceiver-, local-attention- and such packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from colt5_attention import ConditionalRoutedFeedForward
from egnn_pytorch import EGNN, EGNN_Network
from g_mlp_pytorch import gMLP, gMLPVision
from linformer import Linformer, LinformerLM
from local_attention import LocalAttention, LocalTransformer
from mlp_mixer_pytorch import MLPMixer
from nystrom_attention import Nystromformer
from perceiver_pytorch import Perceiver, PerceiverIO, PerceiverLM
from performer_pytorch import Performer, PerformerLM, SelfAttention
from product_key_memory import PKM
from reformer_pytorch import LSHSelfAttention, Reformer, ReformerLM
from rotary_embedding_torch import RotaryEmbedding
from soft_moe_pytorch import DynamicSlotsSoftMoE, SoftMoE
from torch import nn
from vector_quantize_pytorch import FSQ, LFQ, RandomProjectionQuantizer, ResidualFSQ, ResidualVQ, VectorQuantize

from axial_positional_embedding import AxialPositionalEmbedding  # isort: skip
from conformer import Conformer, ConformerBlock  # isort: skip
from tests.benchmarks.foreign.libraries import Builder

_WIDTH = 32


def _tokens(length: int = 64) -> torch.Tensor:
    return torch.randint(0, 100, (1, length))


def _sequence(length: int = 64) -> torch.Tensor:
    return torch.rand(1, length, _WIDTH)


class Rotated(nn.Module):
    """Attention with rotary embeddings of queries and keys."""

    def __init__(self) -> None:
        super().__init__()
        self.rotary, self.mix = RotaryEmbedding(dim=8), nn.Linear(_WIDTH, 3 * _WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (part.unflatten(-1, (4, 8)).transpose(1, 2) for part in self.mix(x).chunk(3, -1))
        query, key = self.rotary.rotate_queries_or_keys(query), self.rotary.rotate_queries_or_keys(key)
        return nn.functional.scaled_dot_product_attention(query, key, value)


def _perceiver(**options: Any) -> tuple[nn.Module, Any]:
    model = Perceiver(
        input_channels=3,
        num_freq_bands=4,
        max_freq=8.0,
        depth=2,
        num_latents=16,
        latent_dim=_WIDTH,
        cross_dim_head=8,
        latent_heads=4,
        latent_dim_head=8,
        num_classes=10,
        **options,
    )
    return model, torch.rand(1, 16, 16, 3)


_SIZE = {"dim": _WIDTH, "depth": 2, "heads": 4}
ARCHITECTURES: Mapping[str, Builder] = {
    "Performer": lambda: (Performer(dim_head=8, **_SIZE), _sequence()),
    "Performer causal": lambda: (
        SelfAttention(_WIDTH, heads=4, dim_head=8, causal=False, local_heads=2, local_window_size=16),
        _sequence(),
    ),
    "PerformerLM": lambda: (PerformerLM(num_tokens=100, max_seq_len=64, dim_head=8, **_SIZE), _tokens()),
    "PerformerLM generalised": lambda: (
        PerformerLM(num_tokens=100, max_seq_len=64, dim_head=8, generalized_attention=True, reversible=True, **_SIZE),
        _tokens(),
    ),
    "Reformer": lambda: (Reformer(bucket_size=16, **_SIZE), _sequence()),
    "ReformerLM": lambda: (ReformerLM(num_tokens=100, max_seq_len=64, bucket_size=16, **_SIZE), _tokens()),
    "ReformerLM causal": lambda: (
        ReformerLM(num_tokens=100, max_seq_len=64, bucket_size=16, causal=True, ff_chunks=2, **_SIZE),
        _tokens(),
    ),
    "LSHSelfAttention": lambda: (LSHSelfAttention(dim=_WIDTH, heads=4, bucket_size=16, n_hashes=2), _sequence()),
    "Linformer": lambda: (Linformer(dim=_WIDTH, seq_len=64, depth=2, heads=4, k=16), _sequence()),
    "LinformerLM": lambda: (
        LinformerLM(num_tokens=100, dim=_WIDTH, seq_len=64, depth=2, heads=4, k=16, one_kv_head=True),
        _tokens(),
    ),
    "Perceiver": _perceiver,
    "Perceiver tied": lambda: _perceiver(weight_tie_layers=True, self_per_cross_attn=2),
    "PerceiverIO": lambda: (
        PerceiverIO(
            depth=2,
            dim=_WIDTH,
            queries_dim=_WIDTH,
            logits_dim=10,
            num_latents=16,
            latent_dim=_WIDTH,
            latent_heads=4,
            latent_dim_head=8,
            cross_dim_head=8,
        ),
        {"data": _sequence(), "queries": torch.rand(8, _WIDTH)},
    ),
    "PerceiverLM": lambda: (
        PerceiverLM(
            num_tokens=100,
            dim=_WIDTH,
            depth=2,
            max_seq_len=64,
            num_latents=16,
            latent_dim=_WIDTH,
            latent_heads=4,
            latent_dim_head=8,
            cross_dim_head=8,
        ),
        _tokens(),
    ),
    "LocalAttention": lambda: (
        LocalAttention(window_size=16, causal=True, dim=8),
        tuple(torch.rand(2, 64, 8) for _ in range(3)),
    ),
    "LocalTransformer": lambda: (
        LocalTransformer(num_tokens=100, max_seq_len=64, local_attn_window_size=16, dim_head=8, **_SIZE),
        _tokens(),
    ),
    "LocalTransformer xpos": lambda: (
        LocalTransformer(
            num_tokens=100, max_seq_len=64, local_attn_window_size=16, dim_head=8, use_xpos=True, causal=True, **_SIZE
        ),
        _tokens(),
    ),
    "gMLP": lambda: (gMLP(num_tokens=100, dim=_WIDTH, depth=2, seq_len=64), _tokens()),
    "gMLP circulant": lambda: (
        gMLP(num_tokens=100, dim=_WIDTH, depth=2, seq_len=64, causal=True, circulant_matrix=True, heads=2),
        _tokens(),
    ),
    "gMLP vision": lambda: (
        gMLPVision(image_size=32, patch_size=8, num_classes=10, dim=_WIDTH, depth=2),
        torch.rand(1, 3, 32, 32),
    ),
    "MLPMixer": lambda: (
        MLPMixer(image_size=32, channels=3, patch_size=8, dim=_WIDTH, depth=2, num_classes=10),
        torch.rand(1, 3, 32, 32),
    ),
    "Nystromformer": lambda: (Nystromformer(dim=_WIDTH, depth=2, heads=4, dim_head=8, num_landmarks=16), _sequence()),
    "EGNN": lambda: (EGNN(dim=_WIDTH), (torch.rand(1, 10, _WIDTH), torch.rand(1, 10, 3))),
    "EGNN neighbours": lambda: (
        EGNN(dim=_WIDTH, num_nearest_neighbors=4, norm_coors=True),
        (torch.rand(1, 10, _WIDTH), torch.rand(1, 10, 3)),
    ),
    "EGNN network": lambda: (
        EGNN_Network(num_tokens=21, num_positions=32, dim=_WIDTH, depth=2, num_nearest_neighbors=4),
        (torch.randint(0, 21, (1, 32)), torch.rand(1, 32, 3)),
    ),
    "SoftMoE": lambda: (SoftMoE(dim=_WIDTH, seq_len=64, num_experts=4), _sequence()),
    "DynamicSlotsSoftMoE": lambda: (DynamicSlotsSoftMoE(dim=_WIDTH, num_experts=4, geglu=True), _sequence()),
    "VectorQuantize": lambda: (VectorQuantize(dim=_WIDTH, codebook_size=16), _sequence()),
    "VectorQuantize learned": lambda: (
        VectorQuantize(dim=_WIDTH, codebook_size=16, learnable_codebook=True, ema_update=False),
        _sequence(),
    ),
    "VectorQuantize cosine": lambda: (
        VectorQuantize(dim=_WIDTH, codebook_size=16, use_cosine_sim=True, codebook_dim=8),
        _sequence(),
    ),
    "ResidualVQ": lambda: (ResidualVQ(dim=_WIDTH, num_quantizers=3, codebook_size=16), _sequence()),
    "FSQ": lambda: (FSQ([8, 5, 5]), torch.rand(1, 64, 3)),
    "ResidualFSQ": lambda: (ResidualFSQ(dim=_WIDTH, levels=[8, 5, 5], num_quantizers=2), _sequence()),
    "LFQ": lambda: (LFQ(codebook_size=64, dim=6), torch.rand(1, 64, 6)),
    "RandomProjectionQuantizer": lambda: (
        RandomProjectionQuantizer(dim=_WIDTH, num_codebooks=2, codebook_dim=8, codebook_size=16),
        _sequence(),
    ),
    "PKM": lambda: (PKM(dim=_WIDTH, num_keys=16, topk=4, dim_head=16, heads=2), _sequence()),
    "AxialPositionalEmbedding": lambda: (AxialPositionalEmbedding(dim=_WIDTH, axial_shape=(8, 8)), _sequence()),
    "Conformer": lambda: (Conformer(dim=_WIDTH, depth=2, dim_head=8, heads=4), _sequence()),
    "ConformerBlock": lambda: (ConformerBlock(dim=_WIDTH, dim_head=8, heads=4, conv_kernel_size=7), _sequence()),
    "conditionally routed": lambda: (
        ConditionalRoutedFeedForward(_WIDTH, num_heavy_tokens=8, use_triton=False),
        _sequence(),
    ),
    "rotary": lambda: (Rotated(), _sequence()),
}
