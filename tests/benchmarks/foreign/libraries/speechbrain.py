"""SpeechBrain: features, encoders and separators of speech."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from speechbrain.lobes import features
from speechbrain.lobes.models import CRDNN, ECAPA_TDNN, ContextNet, Xvector, conv_tasnet
from speechbrain.lobes.models.transformer.Conformer import ConformerEncoder
from speechbrain.lobes.models.transformer.Transformer import RelPosEncXL, TransformerEncoder
from speechbrain.nnet import CNN, RNN, attention, linear, normalization
from speechbrain.nnet.quaternion_networks import q_linear, q_RNN
from speechbrain.processing import features as processing
from torch import nn

from tests.benchmarks.foreign.libraries import Builder


class First(nn.Module):
    """The first of what a layer returns."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(*inputs)[0]
        return found


class Recogniser(nn.Module):
    """From the wave to a vector of the speaker."""

    def __init__(self) -> None:
        super().__init__()
        self.bands = features.Fbank(n_mels=40)
        self.normalise = processing.InputNormalization(norm_type="sentence", std_norm=False)
        self.model = ECAPA_TDNN.ECAPA_TDNN(40, lin_neurons=32, channels=[32] * 4 + [64], attention_channels=16)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        bands = self.bands(waves)
        found: torch.Tensor = self.model(self.normalise(bands, torch.ones(len(bands))))
        return found


class Relative(nn.Module):
    """A Conformer with relative positions."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = RelPosEncXL(32)
        self.encoder = ConformerEncoder(num_layers=2, d_model=32, d_ffn=64, nhead=4, kernel_size=7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.encoder(x, pos_embs=self.positions(x))[0]
        return found


def _series(*shape: int) -> torch.Tensor:
    return torch.rand(*(shape or (2, 20, 40)))


_ON_SERIES: Mapping[str, Callable[[], nn.Module]] = {
    "Xvector": lambda: Xvector.Xvector(device="cpu", in_channels=40, tdnn_channels=[32] * 4 + [64], lin_neurons=32),
    "ECAPA-TDNN": lambda: ECAPA_TDNN.ECAPA_TDNN(40, lin_neurons=32, channels=[32] * 4 + [64], attention_channels=16),
    "CRDNN": lambda: CRDNN.CRDNN(
        input_shape=[None, None, 40], cnn_blocks=1, rnn_layers=1, rnn_neurons=16, dnn_neurons=16
    ),
    "ContextNet": lambda: ContextNet.ContextNet(
        input_shape=(2, 20, 40),
        out_channels=32,
        conv_channels=[32] * 3,
        kernel_size=3,
        strides=[1, 2, 1],
        num_blocks=3,
        num_layers=1,
    ),
    "Conv1d": lambda: CNN.Conv1d(16, 3, in_channels=40),
    "SincConv": lambda: CNN.SincConv(40, 11, in_channels=40),
    "DepthwiseSeparableConv1d": lambda: CNN.DepthwiseSeparableConv1d(16, 3, input_shape=(2, 20, 40)),
    "LSTM": lambda: First(RNN.LSTM(16, input_shape=(2, 20, 40), bidirectional=True)),
    "GRU": lambda: First(RNN.GRU(16, input_shape=(2, 20, 40))),
    "LiGRU": lambda: First(RNN.LiGRU(16, input_shape=(2, 20, 40))),
    "LiGRU bidirectional": lambda: First(RNN.LiGRU(16, input_shape=(2, 20, 40), bidirectional=True)),
    "QuasiRNN": lambda: First(RNN.QuasiRNN(16, input_shape=(2, 20, 40))),
    "LayerNorm": lambda: normalization.LayerNorm(input_size=40),
    "quaternion linear": lambda: q_linear.QLinear(8, input_shape=(2, 20, 40)),
    "quaternion LSTM": lambda: First(q_RNN.QLSTM(8, input_shape=(2, 20, 40))),
    "linear": lambda: linear.Linear(8, input_size=40),
}
ARCHITECTURES: Mapping[str, Builder] = {
    **{name: lambda build=build: (build(), _series()) for name, build in _ON_SERIES.items()},
    "features and ECAPA-TDNN": lambda: (Recogniser(), torch.rand(2, 8000)),
    "filter banks": lambda: (features.Fbank(n_mels=20, deltas=True, context=True), torch.rand(2, 4000)),
    "MFCC": lambda: (features.MFCC(n_mels=20, n_mfcc=10), torch.rand(2, 4000)),
    "Conformer": lambda: (Relative(), _series(2, 20, 32)),
    "Transformer encoder": lambda: (
        First(TransformerEncoder(num_layers=2, nhead=4, d_ffn=64, d_model=32)),
        _series(2, 20, 32),
    ),
    "mask net": lambda: (
        conv_tasnet.MaskNet(N=32, B=16, H=32, P=3, X=2, R=2, C=2, norm_type="gLN", causal=False),
        torch.rand(1, 32, 50),
    ),
    "location aware attention": lambda: (
        First(attention.LocationAwareAttention(40, 20, attn_dim=16, output_dim=8, conv_channels=4, kernel_size=5)),
        (_series(), torch.tensor([20, 15]), torch.rand(2, 20)),
    ),
}
