"""Sound: encodec, demucs, openunmix, asteroid."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from asteroid import models
from demucs.demucs import Demucs
from demucs.htdemucs import HTDemucs
from encodec.model import EncodecModel
from openunmix.model import OpenUnmix, Separator
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_SEPARATORS: Mapping[str, Mapping[str, Any]] = {
    "ConvTasNet": {"n_src": 2, "n_blocks": 2, "n_repeats": 1, "bn_chan": 16, "hid_chan": 32, "n_filters": 32},
    "DPRNNTasNet": {"n_src": 2, "bn_chan": 16, "hid_size": 16, "chunk_size": 20, "n_repeats": 1, "n_filters": 16},
    "DPTNet": {"n_src": 2, "ff_hid": 16, "chunk_size": 20, "n_repeats": 1, "n_filters": 16},
    "SuDORMRFNet": {"n_src": 2, "bn_chan": 16, "num_blocks": 2, "upsampling_depth": 2, "n_filters": 32},
    "LSTMTasNet": {"n_src": 2, "hid_size": 16, "n_layers": 1, "n_filters": 16},
    "DeMask": {"hidden_dims": (32,), "stft_n_filters": 64, "stft_kernel_size": 64},
}


def _separator(name: str) -> tuple[nn.Module, Any]:
    return getattr(models, name)(**_SEPARATORS[name]), torch.rand(1, 1, 4000)


def _encodec() -> tuple[nn.Module, Any]:
    return EncodecModel.encodec_model_24khz(pretrained=False), torch.rand(1, 1, 4800)


def _unmix() -> nn.Module:
    return OpenUnmix(nb_bins=65, nb_channels=2, hidden_size=32, nb_layers=1)


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_separator, name) for name in _SEPARATORS},
    "Encodec": _encodec,
    "Demucs": lambda: (Demucs(["a", "b"], channels=8, depth=3, lstm_layers=1), torch.rand(1, 2, 4096)),
    "HTDemucs": lambda: (
        HTDemucs(
            ["a", "b"],
            channels=8,
            nfft=512,
            depth=3,
            bottom_channels=32,
            t_layers=2,
            t_heads=4,
            segment=1,
            samplerate=8192,
        ),
        torch.rand(1, 2, 8192),
    ),
    "OpenUnmix": lambda: (_unmix(), torch.rand(2, 2, 65, 20)),
    "OpenUnmix separator": lambda: (
        Separator({"voice": _unmix()}, n_fft=128, n_hop=32, residual=True, niter=1),
        torch.rand(1, 2, 2000),
    ),
}
