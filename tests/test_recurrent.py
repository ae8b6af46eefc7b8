"""Recurrent layers on meta tensors against the plain kernels of a CPU: what is alive at the peak, to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from profiler import profile
from profiler.engine.containers.walk import leaves
from profiler.figures.memory import peak_bytes
from profiler.figures.training import trained
from tests.benchmarks.allocations import peak_bytes as real_peak
from tests.benchmarks.allocations import record

IN, HIDDEN, STEPS, BATCH = 8, 12, 7, 3


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The matrices are small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _really(model: nn.Module, *args: Any) -> int:
    """The peak of an inference on a CPU."""

    def run() -> object:
        with torch.inference_mode():
            return model(*args)

    model.eval()
    return real_peak(record(run).tensors)


def _really_in_training(model: nn.Module, *args: Any) -> int:
    """The peak of a forward and a backward pass on a CPU."""

    def run() -> object:
        for weight in model.parameters():
            weight.grad = None
        outputs = [tensor for tensor in leaves(model(*args)) if tensor.requires_grad]
        torch.autograd.backward(outputs, [torch.ones_like(tensor) for tensor in outputs])
        return outputs

    model.train()
    return real_peak(record(run).tensors)


def _assert_same(model: nn.Module, *args: Any) -> None:
    assert peak_bytes(profile(model, args).trace) == _really(model, *args)
    assert peak_bytes(profile(model, args, train=True).trace) == _really_in_training(model, *args)


MODELS = {
    "LSTM": lambda **settings: nn.LSTM(IN, HIDDEN, **settings),
    "LSTM, projected": lambda **settings: nn.LSTM(IN, HIDDEN, proj_size=5, **settings),
    "GRU": lambda **settings: nn.GRU(IN, HIDDEN, **settings),
    "RNN, tanh": lambda **settings: nn.RNN(IN, HIDDEN, **settings),
    "RNN, relu": lambda **settings: nn.RNN(IN, HIDDEN, nonlinearity="relu", **settings),
}
SETTINGS = {
    "one layer": {},
    "no bias": {"bias": False},
    "batch first": {"batch_first": True},
    "bidirectional": {"bidirectional": True},
    "three layers with dropout": {"num_layers": 3, "dropout": 0.3},
    "all at once": {"num_layers": 2, "dropout": 0.3, "bidirectional": True, "batch_first": True},
}


@pytest.mark.parametrize(("kind", "settings"), [(k, s) for k in ("LSTM", "GRU") for s in SETTINGS], ids=str)
def test_peaks_are_a_cpus(kind: str, settings: str) -> None:
    _assert_same(MODELS[kind](**SETTINGS[settings]), torch.randn(STEPS, BATCH, IN))


@pytest.mark.parametrize("kind", ["LSTM, projected", "RNN, tanh", "RNN, relu"])
def test_peaks_of_the_others_are_too(kind: str) -> None:
    _assert_same(MODELS[kind](**SETTINGS["all at once"]), torch.randn(BATCH, STEPS, IN))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_unbatched_inputs(kind: str) -> None:
    _assert_same(MODELS[kind](num_layers=2), torch.randn(STEPS, IN))


def test_given_states() -> None:
    x, state = torch.randn(STEPS, BATCH, IN), torch.randn(2, BATCH, HIDDEN)
    _assert_same(nn.LSTM(IN, HIDDEN, 2), x, (state, torch.randn(2, BATCH, HIDDEN)))
    _assert_same(nn.GRU(IN, HIDDEN, 2), x, state)


class Packed(nn.Module):
    """Sequences of different lengths."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, torch.tensor([STEPS, 5, 2]))
        return pad_packed_sequence(self.layer(packed)[0])[0]


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "dropout": 0.3, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_packed_sequences(kind: str, settings: dict[str, Any]) -> None:
    _assert_same(Packed(MODELS[kind](**settings)), torch.randn(STEPS, BATCH, IN))


@pytest.mark.parametrize("kind", MODELS)
def test_training_has_the_products_of_inference(kind: str) -> None:
    model, x = MODELS[kind](num_layers=2, bidirectional=True, batch_first=True), torch.randn(BATCH, STEPS, IN)
    (_, layer) = trained(profile(nn.Sequential(model), x, train=True).trace)
    assert layer.forward.macs == profile(model, x).totals.macs


@pytest.mark.parametrize("train", [False, True])
def test_an_empty_sequence_is_refused_as_torch_does(train: bool) -> None:
    with pytest.raises(Exception, match="sequence length to be larger than 0"):
        profile(nn.LSTM(IN, HIDDEN), torch.randn(0, BATCH, IN), train=train)
