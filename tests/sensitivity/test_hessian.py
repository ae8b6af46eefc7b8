"""Hutchinson's estimate is within three standard errors of the exact trace, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian
from torch.nn import functional as F

from profiler import sensitivity
from profiler.answers.sensitivity.compute import Sensitivity

PROBES, SAMPLES = 100, 12
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "perceptron": (
        lambda: nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)),
        (3,),
    ),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.GELU(), nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(12, 3)),
        (1, 6, 6),
    ),
    "normalised": (lambda: nn.Sequential(nn.Linear(4, 10), nn.LayerNorm(10), nn.SiLU(), nn.Linear(10, 3)), (4,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_trace_of_each_layer(name: str) -> None:
    build, shape = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = build().double().eval()
        samples, labels = torch.randn(SAMPLES, *shape, dtype=torch.float64), torch.randint(0, 3, (SAMPLES,))
    assert sum(weight.numel() for weight in made.parameters()) < 500
    # Two batches, so that the mean over them is looked at too.
    answer = sensitivity(made, data=[(samples[:8], labels[:8]), (samples[8:], labels[8:])], hessian=PROBES)
    assert isinstance(answer, Sensitivity)
    weights = {name: weight.detach() for name, weight in made.named_parameters()}
    blocks = hessian(lambda w: F.cross_entropy(functional_call(made, w, samples), labels))(weights)

    def matrix(first: str, second: str) -> torch.Tensor:
        return blocks[first][second].reshape(weights[first].numel(), weights[second].numel())

    for layer in answer.layers:
        names = [name for name in weights if name.startswith(f"{layer.path}.") or not layer.path]
        exact = sum(float(matrix(name, name).trace()) for name in names)
        assert layer.trace is not None
        assert layer.trace_error is not None
        assert abs(layer.trace - exact) <= 3 * layer.trace_error, layer.path
        # The variance of v·Hv is twice the squares off the diagonal, and once those of the blocks beside.
        inside = sum(float(matrix(a, b).square().sum()) for a in names for b in names)
        diagonal = sum(float(matrix(name, name).diagonal().square().sum()) for name in names)
        beside = sum(float(matrix(a, b).square().sum()) for a in names for b in weights if b not in names)
        expected = sqrt((2 * (inside - diagonal) + beside) / PROBES)
        assert layer.trace_error == pytest.approx(expected, rel=0.3), layer.path


def test_a_linear_target_has_no_curvature() -> None:
    answer = sensitivity(nn.Linear(3, 2).double(), torch.rand(2, 3, dtype=torch.float64), target=0, hessian=3)
    assert isinstance(answer, Sensitivity)
    assert (answer[""].trace, answer[""].trace_error) == (0, 0)
