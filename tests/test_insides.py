"""What is alive inside of an operator that is kept whole: the peak of a model of one operator is that of a real run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from profiler import profile
from profiler.figures.memory import peak_bytes
from tests.benchmarks.allocations import peak_bytes as real_peak
from tests.benchmarks.allocations import record


class Forward(nn.Module):
    """A function as a model, between two others: what goes in is not the caller's, what comes out is used."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*(x * 1 if x.is_floating_point() else x for x in inputs))


def _function(function: Callable[..., Any], *shapes: tuple[int, ...]) -> tuple[nn.Module, tuple[tuple[int, ...], ...]]:
    return Forward(function), shapes


def _attention(**settings: Any) -> Callable[..., torch.Tensor]:
    return lambda q, k, v, *mask: F.scaled_dot_product_attention(q, k, v, *mask, **settings)


def _masked(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, scores > 0)


HEADS = (2, 4, 33, 16)
Case = tuple[nn.Module, tuple[tuple[int, ...], ...]]
CASES: dict[str, Case] = {
    "GRU": (nn.GRU(8, 12), ((7, 3, 8),)),
    "RNN": (nn.RNN(8, 12), ((7, 3, 8),)),
    "LSTMCell": (nn.LSTMCell(8, 12), ((3, 8),)),
    "GRUCell": (nn.GRUCell(8, 12), ((3, 8),)),
    "layer_norm": (nn.LayerNorm(64), ((5, 9, 64),)),
    "layer_norm of two dimensions": (nn.LayerNorm((9, 64)), ((5, 9, 64),)),
    "layer_norm without weights": _function(lambda x: F.layer_norm(x, (64,)), (5, 9, 64)),
    "layer_norm transposed": _function(lambda x: F.layer_norm(x.transpose(1, 2), (9,)), (5, 9, 64)),
    "rms_norm": (nn.RMSNorm(64), ((5, 9, 64),)),
    "group_norm": (nn.GroupNorm(4, 16), ((3, 16, 5, 5),)),
    "group_norm without weights": _function(lambda x: F.group_norm(x, 4), (3, 16, 5, 5)),
    "instance_norm": (nn.InstanceNorm2d(16), ((3, 16, 5, 5),)),
    "instance_norm with weights": (nn.InstanceNorm2d(16, affine=True), ((3, 16, 5, 5),)),
    "batch_norm": (nn.BatchNorm2d(16), ((3, 16, 5, 5),)),
    "batch_norm of vectors": (nn.BatchNorm1d(16), ((3, 16),)),
    "batch_norm without statistics": (nn.BatchNorm2d(16, track_running_stats=False), ((3, 16, 5, 5),)),
    "max_pool1d": (nn.MaxPool1d(2), ((3, 16, 20),)),
    "max_pool2d": (nn.MaxPool2d(3, 2, 1), ((3, 16, 20, 20),)),
    "max_pool2d rounded up": (nn.MaxPool2d(3, 2, ceil_mode=True), ((3, 16, 20, 20),)),
    "max_pool3d": (nn.MaxPool3d(2), ((3, 4, 8, 8, 8),)),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d(3), ((3, 4, 8, 8),)),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d(3), ((3, 4, 8, 8),)),
    "adaptive_avg_pool2d to one": (nn.AdaptiveAvgPool2d(1), ((3, 4, 8, 8),)),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(3), ((3, 4, 8),)),
    "softmax": _function(lambda x: F.softmax(x, -1), (5, 9, 64)),
    "softmax to another dtype": _function(lambda x: F.softmax(x, -1, dtype=torch.float64), (5, 9, 64)),
    "log_softmax to another dtype": _function(lambda x: F.log_softmax(x, 1, dtype=torch.float64), (5, 9, 64)),
    "attention": _function(_attention(), HEADS, HEADS, HEADS),
    "causal attention": _function(_attention(is_causal=True), HEADS, HEADS, HEADS),
    "scaled attention": _function(_attention(scale=0.1), HEADS, HEADS, HEADS),
    "attention with a mask": _function(_attention(), HEADS, HEADS, HEADS, (33, 33)),
    "attention with a mask of truth": _function(_masked, HEADS, HEADS, HEADS, (33, 33)),
    "attention with a mask of each head": _function(_attention(), HEADS, HEADS, HEADS, (2, 4, 33, 33)),
    "attention without dropout": _function(_attention(dropout_p=0.0), HEADS, HEADS, HEADS),
    "attention of groups": _function(_attention(enable_gqa=True), HEADS, (2, 2, 33, 16), (2, 2, 33, 16)),
    "attention of three dimensions": _function(_attention(), (4, 33, 16), (4, 33, 16), (4, 33, 16)),
    "attention of three dimensions with a mask": _function(_attention(), *[(4, 33, 16)] * 3, (33, 33)),
    "attention of three dimensions with a mask of each head": _function(_attention(), *[(4, 33, 16)] * 3, (4, 33, 33)),
    "attention of groups with a mask": _function(_attention(enable_gqa=True), HEADS, *[(2, 2, 33, 16)] * 2, (33, 33)),
    "attention to other channels": _function(_attention(), HEADS, HEADS, (2, 4, 33, 24)),
    "conv2d with same padding": (nn.Conv2d(3, 4, 4, padding="same"), ((2, 3, 9, 9),)),
    "conv2d with same padding, symmetric": (nn.Conv2d(3, 4, 3, padding="same"), ((2, 3, 9, 9),)),
    "conv1d": (nn.Conv1d(3, 4, 3), ((2, 3, 9),)),
    "conv2d without a batch": (nn.Conv2d(3, 4, 3), ((3, 9, 9),)),
    "conv_transpose2d": (nn.ConvTranspose2d(3, 4, 3, 2), ((2, 3, 9, 9),)),
    "linear": (nn.Linear(9, 5), ((2, 3, 9),)),
    "linear of a transposed": _function(lambda x, w: F.linear(x.transpose(1, 2), w), (2, 9, 3), (5, 9)),
    "linear of a transposed, with a bias": _function(
        lambda x, w, b: F.linear(x.transpose(1, 2), w, b), (2, 9, 3), (5, 9), (5,)
    ),
    "bilinear": (nn.Bilinear(5, 6, 7), ((4, 5), (4, 6))),
    "cosine_similarity": _function(lambda x, y: F.cosine_similarity(x, y, -1), (5, 64), (5, 64)),
    "cosine_similarity, broadcast": _function(lambda x, y: F.cosine_similarity(x, y, -1), (5, 1, 64), (7, 64)),
    "pairwise_distance": _function(F.pairwise_distance, (5, 64), (5, 64)),
    "normalize": _function(F.normalize, (5, 64)),
    "einsum": _function(lambda x, y: torch.einsum("bij,bjk->bik", x, y), (3, 4, 5), (3, 5, 6)),
    "einsum that transposes": _function(lambda x, y: torch.einsum("nchw,cd->ndhw", x, y), (3, 4, 5, 6), (4, 7)),
    "matmul": _function(torch.matmul, (3, 4, 5), (5, 6)),
    "matmul, broadcast": _function(torch.matmul, (3, 1, 4, 5), (2, 5, 6)),
    "cross_entropy": _function(lambda x, y: F.cross_entropy(x, y.softmax(1)), (5, 64), (5, 64)),
    "interpolate": _function(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (2, 3, 5, 5)),
    "pad": _function(lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), (2, 3, 5, 5)),
    "embedding of floats": _function(lambda x: F.embedding(torch.zeros(7, dtype=torch.int64), x), (11, 6)),
    "glu": (nn.GLU(), ((5, 64),)),
    "prelu": (nn.PReLU(), ((5, 64),)),
    "dropout": (nn.Dropout(), ((5, 64),)),
    "LSTM of two layers, batch first": (nn.LSTM(8, 12, 2, batch_first=True), ((3, 7, 8),)),
    "bidirectional LSTM": (nn.LSTM(8, 12, bidirectional=True), ((7, 3, 8),)),
    "projected LSTM": (nn.LSTM(8, 12, proj_size=5), ((7, 3, 8),)),
    "bidirectional GRU": (nn.GRU(8, 12, 2, bidirectional=True), ((7, 3, 8),)),
    "multihead attention": (Forward(lambda x: _HEADS(x, x, x, need_weights=False)[0]), ((2, 9, 16),)),
    "multihead attention with weights": (Forward(lambda x: _HEADS(x, x, x)), ((2, 9, 16),)),
}
_HEADS = nn.MultiheadAttention(16, 4, batch_first=True)


@pytest.mark.parametrize("name", CASES)
def test_peak_is_that_of_a_real_run(name: str) -> None:
    _check(*CASES[name])


def _check(model: nn.Module, shapes: tuple[tuple[int, ...], ...]) -> None:
    predicted = profile(model, tuple(shapes) if len(shapes) > 1 else shapes[0])
    inputs = [torch.rand(shape) for shape in shapes]
    model.eval()
    with torch.inference_mode():
        real = record(lambda: model(*inputs))
    assert predicted.trace.engine == "meta"
    assert peak_bytes(predicted.trace) == real_peak(real.tensors)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("name", ["layer_norm", "group_norm", "batch_norm", "max_pool2d", "softmax", "attention"])
def test_peak_in_other_dtypes(name: str, dtype: str) -> None:
    model, shapes = CASES[name]
    predicted = profile(model, tuple(shapes) if len(shapes) > 1 else shapes[0], dtype=dtype)
    inputs = [torch.rand(shape).to(getattr(torch, dtype)) for shape in shapes]
    cast = Forward(model.function) if isinstance(model, Forward) else model.to(getattr(torch, dtype))
    try:
        with torch.inference_mode():
            real = record(lambda: cast.eval()(*inputs))
    finally:
        model.float()
    assert peak_bytes(predicted.trace) == real_peak(real.tensors)


def test_an_operator_has_its_insides_in_its_signature() -> None:
    """Pooled values, and where each was found."""
    trace = profile(nn.MaxPool2d(2), (3, 16, 20, 20)).trace
    pooled = 3 * 16 * 10 * 10
    assert [signature.inside_bytes for signature in trace.signatures] == [4 * pooled + 8 * pooled]
    assert peak_bytes(trace) == 4 * pooled + 8 * pooled
