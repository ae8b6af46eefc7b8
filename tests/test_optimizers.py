"""An optimizer's state, by every name there is: the bytes that torch's own holds after one real step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from profiler import ProfileError, errors, profile
from profiler.engine.run.optimizers import optimizer
from profiler.records.conditions import OPTIMIZERS
from profiler.records.trace import UPDATE, Trace

MODELS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "linear": (lambda: nn.Linear(7, 5), "3x7"),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU()), "2x3x8x8"),
    "embedding": (lambda: nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 2)), "2x5:int64"),
}
SETTINGS = [
    "adam(amsgrad=True)",
    "adam(foreach=True)",
    "adam(fused=True)",
    "adamw(foreach=False, weight_decay=0.1)",
    "adagrad(lr_decay=0.1)",
    "rmsprop(momentum=0.9)",
    "rmsprop(centered=True, momentum=0.9)",
    "sgd(momentum=0.9)",
    "sgd(momentum=0.9, dampening=0.5)",
    "sgd(maximize=True)",
]


def _bytes(trace: Trace, role: str) -> list[int]:
    return [storage.size_bytes for storage in trace.storages if storage.role == role]


def _after_a_real_step(model: nn.Module, text: str) -> list[int]:
    """The state of the real optimizer, tensor by tensor."""
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    real = optimizer(text, list(model.parameters()))
    real.step()
    held = [value for state in real.state.values() for value in state.values()]
    return [tensor.untyped_storage().nbytes() for tensor in held if isinstance(tensor, torch.Tensor)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("text", [*OPTIMIZERS, *SETTINGS])
def test_state_is_that_of_the_real_optimizer(text: str, model: str, dtype: str) -> None:
    make, shape = MODELS[model]
    trace = profile(make(), shape, train=True, optimizer=text, dtype=dtype).trace
    real = make().to(getattr(torch, dtype))
    assert sorted(_bytes(trace, "state")) == sorted(_after_a_real_step(real, text))
    assert sorted(_bytes(trace, "gradient")) == sorted(parameter.nbytes for parameter in real.parameters())


def test_some_states_by_hand() -> None:
    """Two moments and a count of steps for each of weight and bias; Adafactor keeps a row and a column of a weight."""
    weight, bias, steps = 4 * 7 * 5, 4 * 5, 4
    expected = {
        "sgd": 0,
        "momentum": weight + bias,
        "adamw": 2 * (weight + bias) + 2 * steps,
        "amsgrad": 3 * (weight + bias) + 2 * steps,
        "adafactor": 4 * 7 + 4 * 5 + bias + 2 * steps,
    }
    for text, size_bytes in expected.items():
        trace = profile(nn.Linear(7, 5), (3, 7), train=True, optimizer=text).trace
        assert sum(_bytes(trace, "state")) == size_bytes, text


def test_only_what_is_trained_has_state() -> None:
    model = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3))
    trace = profile(model, (2, 7), train=True, optimizer="momentum", freeze=["0"]).trace
    assert sum(_bytes(trace, "state")) == sum(_bytes(trace, "gradient")) == 4 * (5 * 3 + 3)


def test_state_and_gradients_outlive_the_step() -> None:
    trace = profile(nn.Linear(7, 5), (3, 7), train=True, optimizer="adam").trace
    kept = [storage for storage in trace.storages if storage.role in ("state", "gradient")]
    assert {storage.died for storage in kept} == {None}


def test_an_update_is_a_phase_of_its_own_and_nobodys_layer() -> None:
    trace = profile(nn.Linear(7, 5), (3, 7), train=True, optimizer="adamw").trace
    last = trace.phases[-1]
    assert (last.kind, last.last) == (UPDATE, len(trace.calls))
    assert {call.module for call in trace.calls[last.first :]} == {0}
    without = profile(nn.Linear(7, 5), (3, 7), train=True).trace
    assert trace.calls[: last.first] == without.calls


def test_a_fused_step_costs_what_the_other_does() -> None:
    """It asks on which device the weights are, and is told where they would be."""
    fused = profile(nn.Linear(7, 5), (3, 7), train=True, optimizer="adam(fused=True)")
    plain = profile(nn.Linear(7, 5), (3, 7), train=True, optimizer="adam")
    assert fused.trace.engine == plain.trace.engine == "meta"
    assert fused.training == plain.training


@pytest.mark.parametrize("text", ["adamx", "Adam", "", "timm:adam", "adam(lr=0.1", "adam lr=0.1", "SGD(lr=1)"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(errors.ProfileError, match="write it like adamw or") as raised:
        profile(nn.Linear(7, 5), (3, 7), train=True, optimizer=text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adam(lr=-1)", "Invalid learning rate: -1"),
        ("adam(learning_rate=1)", "unexpected keyword argument 'learning_rate'"),
        ("adam(betas=3)", "not subscriptable"),
        ("adam(lr='high')", "not supported between"),
        ("sgd(nesterov=True)", "Nesterov momentum requires a momentum"),
        ("sgd(params=3)", "multiple values"),
        ("sgd(foreach=True, fused=True)", "cannot be `True` together"),
        ("adam(capturable=True)", "capturable=True"),  # not before its step does it say so
        ("adam(differentiable=True)", "in-place operation"),
    ],
)
def test_settings_that_do_not_work(text: str, said: str) -> None:
    with pytest.raises(errors.ProfileError) as raised:
        profile(nn.Linear(7, 5), (3, 7), train=True, optimizer=text)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"--optimizer {text} fails")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("asked", [{"optimizer": "adam"}, {"freeze": ["0"]}, {"recompute": ["0"]}, {"amp": "bf16"}])
def test_they_belong_to_training(asked: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="means something with a training step alone"):
        profile(nn.Linear(7, 5), (3, 7), **asked)
