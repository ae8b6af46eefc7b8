"""torchaudio: recognition, separation and synthesis of speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torchaudio
from torch import nn
from torchaudio import models, transforms

from tests.benchmarks.foreign.libraries import Builder


def _lengths(*lengths: int) -> torch.Tensor:
    return torch.tensor(lengths)


def _conformer() -> tuple[nn.Module, Any]:
    model = models.Conformer(input_dim=64, num_heads=4, ffn_dim=128, num_layers=2, depthwise_conv_kernel_size=15)
    return model, (torch.rand(2, 50, 64), _lengths(50, 40))


def _emformer() -> tuple[nn.Module, Any]:
    model = models.Emformer(64, 4, 128, num_layers=2, segment_length=4, right_context_length=1)
    return model, (torch.rand(1, 13, 64), _lengths(12))


def _wav2vec(name: str) -> tuple[nn.Module, Any]:
    layers = {
        "encoder_num_layers": 2,
        "encoder_embed_dim": 64,
        "encoder_num_heads": 4,
        "encoder_ff_interm_features": 128,
    }
    model = models.wav2vec2_model(
        extractor_mode="group_norm",
        extractor_conv_layer_config=[(32, 10, 5), (32, 3, 2), (32, 3, 2)],
        extractor_conv_bias=False,
        encoder_projection_dropout=0.1,
        encoder_pos_conv_kernel=16,
        encoder_pos_conv_groups=4,
        encoder_attention_dropout=0.1,
        encoder_ff_interm_dropout=0.1,
        encoder_dropout=0.1,
        encoder_layer_norm_first=name == "layer norm first",
        encoder_layer_drop=0.0,
        aux_num_out=10,
        **layers,
    )
    return model, torch.rand(2, 4000)


def _tacotron() -> tuple[nn.Module, Any]:
    model = models.Tacotron2(
        n_mels=20,
        symbol_embedding_dim=32,
        encoder_embedding_dim=32,
        decoder_rnn_dim=64,
        attention_rnn_dim=64,
        prenet_dim=32,
        postnet_embedding_dim=32,
        attention_hidden_dim=32,
    )
    return model, (torch.randint(0, 148, (2, 12)), _lengths(12, 10), torch.rand(2, 20, 16), _lengths(16, 14))


def _wave_rnn() -> tuple[nn.Module, Any]:
    model = models.WaveRNN(upsample_scales=[2, 2, 3], n_classes=16, hop_length=12, n_res_block=2, n_rnn=32, n_fc=32)
    return model, (torch.rand(1, 1, (12 - 5 + 1) * 12), torch.rand(1, 1, 128, 12))


def _rnnt() -> tuple[nn.Module, Any]:
    model = models.emformer_rnnt_model(
        input_dim=40,
        encoding_dim=32,
        num_symbols=16,
        segment_length=16,
        right_context_length=4,
        time_reduction_input_dim=16,
        time_reduction_stride=4,
        transformer_num_heads=4,
        transformer_ffn_dim=64,
        transformer_num_layers=2,
        transformer_dropout=0.1,
        transformer_activation="gelu",
        transformer_left_context_length=4,
        transformer_max_memory_size=0,
        transformer_weight_init_scale_strategy="depthwise",
        transformer_tanh_on_mem=True,
        symbol_embedding_dim=16,
        num_lstm_layers=1,
        lstm_layer_norm=True,
        lstm_layer_norm_epsilon=1e-3,
        lstm_dropout=0.1,
    )
    return model, (
        torch.rand(2, 20, 40),
        _lengths(20, 16).int(),
        torch.randint(0, 16, (2, 5)).int(),
        _lengths(5, 4).int(),
    )


class Spectral(nn.Module):
    """What comes before a recogniser: a spectrogram of mel bands, masked, and a recogniser."""

    def __init__(self) -> None:
        super().__init__()
        self.bands = transforms.MelSpectrogram(16_000, n_fft=400, n_mels=40)
        self.decibels, self.mask = transforms.AmplitudeToDB(), transforms.FrequencyMasking(8)
        self.model = models.DeepSpeech(n_feature=40, n_hidden=64, n_class=10)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(self.mask(self.decibels(self.bands(waves))).transpose(-1, -2).unsqueeze(1))
        return found


def _transformed(transform: nn.Module) -> tuple[nn.Module, Any]:
    return nn.Sequential(transform, nn.Linear(transform(torch.rand(1, 4000)).shape[-1], 8)), torch.rand(1, 4000)


ARCHITECTURES: Mapping[str, Builder] = {
    "Conformer": _conformer,
    "ConvTasNet": lambda: (
        models.ConvTasNet(2, 16, 64, 3, 32, 64, 3, 2),
        torch.rand(1, 1, 2000),
    ),
    "DeepSpeech": lambda: (models.DeepSpeech(n_feature=40, n_hidden=64, n_class=10), torch.rand(2, 1, 30, 40)),
    "Emformer": _emformer,
    "HDemucs": lambda: (
        models.HDemucs(sources=["voice", "rest"], channels=8, nfft=1024, depth=4),
        torch.rand(1, 2, 16_384),
    ),
    "Wav2Letter": lambda: (models.Wav2Letter(num_classes=10), torch.rand(1, 1, 4000)),
    "Wav2Letter mfcc": lambda: (models.Wav2Letter(10, "mfcc", 13), torch.rand(1, 13, 100)),
    "Wav2Vec2": lambda: _wav2vec("plain"),
    "Wav2Vec2 layer norm first": lambda: _wav2vec("layer norm first"),
    "Tacotron2": _tacotron,
    "WaveRNN": _wave_rnn,
    "RNN-T": _rnnt,
    "DeepSpeech from waves": lambda: (Spectral(), torch.rand(2, 8000)),
    "MFCC": lambda: _transformed(transforms.MFCC(n_mfcc=13, melkwargs={"n_fft": 400, "n_mels": 40, "center": False})),
    "spectrogram": lambda: _transformed(transforms.Spectrogram(n_fft=256)),
    "Griffin-Lim": lambda: (transforms.GriffinLim(n_fft=128, n_iter=4), torch.rand(1, 65, 20)),
    "resample": lambda: (transforms.Resample(16_000, 8_000), torch.rand(1, 4000)),
    "SquimObjective": lambda: (
        torchaudio.models.squim_objective_model(
            feat_dim=32, win_len=32, d_model=32, nhead=4, hidden_dim=32, num_blocks=1, rnn_type="LSTM", chunk_size=16
        ),
        torch.rand(1, 2000),
    ),
}
