"""What `tests.benchmarks.memory` measures with, on models whose every allocation is known beforehand."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from profiler import profile
from tests.benchmarks import memory_findings, memory_training
from tests.benchmarks.allocations import Recording, alive_at_peak, peak_bytes, record
from tests.benchmarks.isolated import Lost, each
from tests.benchmarks.memory_findings import Group, differences
from tests.benchmarks.memory_training import step
from tests.benchmarks.memory_training_models import Checkpointed, checkpointed, first_half_frozen, head_only

FLOAT, INT64 = 4, 8


def _recorded(function, *shapes) -> Recording:
    tensors = [torch.rand(shape) for shape in shapes]

    def run():
        with torch.inference_mode():
            return function(*tensors)

    return record(run)


def _two_steps(x):
    return torch.tanh(torch.tanh(x))


def _three_steps(x):
    x = torch.tanh(x)
    x = torch.tanh(x)
    return torch.tanh(x)


# name: (function, shapes of what it is fed, bytes at the peak)
PEAKS = {
    "addmm": (torch.addmm, [(5,), (4, 6), (6, 5)], 4 * 5 * FLOAT),
    "a chain holds two": (_two_steps, [(8, 8)], 2 * 8 * 8 * FLOAT),
    "a longer chain too": (_three_steps, [(8, 8)], 2 * 8 * 8 * FLOAT),
    "an in-place operator": (lambda x: torch.tanh(x).relu_(), [(8, 8)], 8 * 8 * FLOAT),
    "views": (lambda x: x.view(4, 16).t()[3:].unsqueeze(0), [(8, 8)], 0),
    "a view keeps its base": (lambda x: torch.tanh(torch.tanh(x)[:1]), [(8, 8)], (8 + 1) * 8 * FLOAT),
    "max pooling and its indices": (lambda x: F.max_pool2d(x, 2), [(1, 3, 8, 8)], 3 * 4 * 4 * (FLOAT + INT64)),
    "layer norm, mean and rstd": (lambda x: F.layer_norm(x, (16,)), [(4, 16)], (4 * 16 + 4 + 4) * FLOAT),
    "two outputs": (lambda x: x.max(dim=1), [(4, 16)], 4 * (FLOAT + INT64)),
    "what is resized": (lambda x: torch.tanh(x).resize_(100), [(8, 8)], (64 + 100) * FLOAT),
    "nothing": (lambda x: x, [(8, 8)], 0),
}


@pytest.mark.parametrize("name", PEAKS)
def test_peaks(name: str) -> None:
    function, shapes, expected = PEAKS[name]
    found = _recorded(function, *shapes)
    assert peak_bytes(found.tensors) == expected


def test_memory_that_was_there_does_not_count() -> None:
    kept = [torch.rand(1000), torch.rand(1000)]
    found = record(lambda: (kept.pop(), torch.rand(3))[1])
    assert peak_bytes(found.allocations) == 3 * FLOAT


def test_workspace_is_told_apart_and_named() -> None:
    """A plain convolution unfolds its input: a matrix of as many columns as there are outputs."""
    found = _recorded(nn.Conv2d(3, 4, 3), (1, 3, 10, 10))
    assert peak_bytes(found.tensors) == 4 * 8 * 8 * FLOAT
    assert found.workspace_at_peak == Counter({"aten::convolution": 3 * 3 * 3 * 8 * 8 * FLOAT})
    assert peak_bytes(found.allocations) == (4 + 27) * 8 * 8 * FLOAT


def test_composite_operators_are_looked_into() -> None:
    """`F.max_pool2d` drops its indices when it returns, which is after the kernel that made them."""
    found = _recorded(lambda x: F.max_pool2d(x, 2), (1, 3, 8, 8))
    assert not found.workspace_at_peak
    assert {one.label for one in alive_at_peak(found.tensors)} == {"aten::max_pool2d > aten::max_pool2d_with_indices"}


def test_operators_with_a_kernel_for_the_cpu_are_not_looked_into() -> None:
    """`silu_backward` can be decomposed, and is not."""
    given = torch.rand(8, 8, requires_grad=True)

    def run():
        given.grad = None
        F.silu(given).backward(torch.ones(8, 8))

    kernels = {one.kernel for one in record(run).tensors}
    assert kernels == {"aten::silu", "aten::silu_backward", "aten::ones"}


def test_numbers_are_workspace_of_the_call_that_wraps_them() -> None:
    found = _recorded(lambda x: x * 0.5, (8, 8))
    assert peak_bytes(found.tensors) == 8 * 8 * FLOAT
    assert found.workspace_at_peak == Counter({"aten::mul": 8 + FLOAT})  # a double, and it cast to the tensor's dtype


def test_small_tensors_are_no_numbers() -> None:
    def run(x):
        small = torch.empty(2)
        return torch.tanh(x).mul_(small[0])

    assert peak_bytes(_recorded(run, (8, 8)).tensors) == (8 * 8 + 2) * FLOAT


def test_other_threads() -> None:
    @torch.jit.script
    def forked(x: torch.Tensor) -> torch.Tensor:
        waiting = torch.jit.fork(torch.tanh, x)
        return torch.jit.wait(waiting)

    assert peak_bytes(_recorded(forked, (8, 8)).tensors) == 8 * 8 * FLOAT


def test_backward() -> None:
    """Squaring keeps its argument; the gradient of the sum is a view, the gradient of the weight stays."""
    weight = torch.rand(8, 8, requires_grad=True)

    def run():
        weight.grad = None
        weight.mul(weight).backward(torch.ones(8, 8))

    found = record(run)
    assert weight.grad is not None
    # The seed, the product, and the two halves of the gradient with their sum.
    assert sum(one.size_bytes for one in found.tensors if one.died is None) == weight.grad.nbytes


def test_a_training_step() -> None:
    """Activation, seed and the gradients of weight and bias; the gradient of the input is not wanted."""
    model = nn.Linear(6, 5)
    inputs = (torch.rand(4, 6),)
    found = record(lambda: step(model, inputs))
    assert peak_bytes(found.tensors) == (4 * 5 + 4 * 5 + 5 * 6 + 5) * FLOAT


def test_what_is_kept_for_the_backward_pass_outside_of_operators() -> None:
    weight = torch.rand(8, 8, requires_grad=True)
    kept = alive_at_peak(record(lambda: torch.clone(weight * 0.5)).tensors)
    assert Counter(one.label for one in kept) == Counter(
        {"aten::mul": 1, "aten::clone": 1, "a Python number as a tensor": 1}
    )
    layer = Checkpointed(nn.Linear(8, 8), use_reentrant=False)
    kept = alive_at_peak(record(lambda: layer(weight)).tensors)
    assert "the random generator's state" in {one.label for one in kept}


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointed_layers_are_those_that_match(use_reentrant: bool) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh()))
    checkpointed(model, "1", use_reentrant)
    assert [path for path, module in model.named_modules() if isinstance(module, Checkpointed)] == ["1"]
    step(model, (torch.rand(2, 4),))
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_first_half_frozen() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    first_half_frozen(model)
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, False, True, True]


def test_head_only() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh()))
    head_only(model)
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, False, True, True]


def test_a_difference_is_told_by_operator_and_size() -> None:
    """Predicted: two of a chain of tanh. Measured: the same with another tensor beside, that nobody predicts."""
    predicted = profile(_Chain(), "8x8").trace
    beside: list[torch.Tensor] = []

    def run(x):
        beside.append(x.exp()[:4].clone())
        return _two_steps(x)

    only_real, only_predicted = differences(_recorded(run, (8, 8)), predicted)
    assert only_real == (Group("aten::clone", 4 * 8 * FLOAT),)
    assert only_predicted == ()


def test_what_ends_badly_concerns_one_thing_alone() -> None:
    found = dict(each(_behave, ["well", "badly", "not at all"], ("torch",), time_limit_s=120, jobs=2))
    assert found["well"] == "WELL"
    assert found["badly"] == Lost("ValueError: badly")
    assert found["not at all"] == Lost("its process ended with status 3")
    late = dict(each(_behave, ["slowly"], ("torch",), time_limit_s=0.5))
    assert late["slowly"] == Lost("took longer than 0.5 seconds")


def _behave(how: str) -> str:
    if how == "badly":
        raise ValueError(how)
    if how == "slowly":
        time.sleep(60)
    if how == "not at all":
        os._exit(3)
    return how.upper()


class _Chain(nn.Module):
    def forward(self, x):
        return _two_steps(x)


@pytest.mark.parametrize("train", [False, True])
def test_the_tracker_on_real_tensors_says_what_was_predicted(train: bool) -> None:
    model, inputs = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)), (torch.rand(4, 16),)
    tracked = (memory_training if train else memory_findings).tracked_on_cpu(model, inputs)
    assert tracked == profile(model, inputs, train=train).totals.peak_activation_bytes > 0


def test_a_benchmark_finding_is_whole() -> None:
    """Nothing that should have been measured is a note instead."""
    found = memory_training.find("gru, head only")
    assert found.notes == ()
    assert found.tracked == found.tensors == found.predicted
