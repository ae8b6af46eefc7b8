"""What the names in a checkpoint say: wrappers, prefixes, optimizers, moving averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from profiler.sources import checkpoints
from profiler.sources.checkpoints import naming
from profiler.sources.checkpoints.naming import Found

STATE = {"a.weight": torch.zeros(3, 4), "a.bias": torch.zeros(3)}
PREFIXED = {f"module.{name}": value for name, value in STATE.items()}


def optimizer(name: str = "AdamW") -> dict[str, Any]:
    model = nn.Linear(4, 3)
    made = getattr(torch.optim, name)(model.parameters())
    model(torch.zeros(1, 4)).sum().backward()
    made.step()
    return made.state_dict()


def told(path: Path, what: Any) -> Found:
    torch.save(what, path / "it.pt")
    return naming.told_apart(checkpoints.read(str(path / "it.pt")))


WRAPPED: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "nothing": (STATE, (), ""),
    "state_dict": ({"epoch": 3, "state_dict": STATE}, ("state_dict",), ""),
    "model": ({"model": STATE, "optimizer": optimizer()}, ("model",), ""),
    "several": ({"checkpoint": {"model": STATE}}, ("checkpoint", "model"), ""),
    "DataParallel": (PREFIXED, (), "module."),
    "torch.compile": ({f"_orig_mod.{name}": v for name, v in STATE.items()}, (), "_orig_mod."),
    "both": ({f"module._orig_mod.{name}": v for name, v in STATE.items()}, (), "module._orig_mod."),
    "a wrapper and a prefix": ({"state_dict": PREFIXED}, ("state_dict",), "module."),
    "Lightning": (
        {"epoch": 1, "state_dict": STATE, "optimizer_states": [optimizer()], "callbacks": {"x": torch.zeros(1)}},
        ("state_dict",),
        "",
    ),
}


@pytest.mark.parametrize(("what", "around", "prefix"), WRAPPED.values(), ids=WRAPPED)
def test_wrappers(tmp_path: Path, what: Any, around: tuple[str, ...], prefix: str) -> None:
    found = told(tmp_path, what)
    assert [weight.name for weight in found.weights] == list(STATE)
    assert (found.around, found.prefix) == (around, prefix)
    assert list(found.named) == [prefix + name for name in STATE]


def test_a_prefix_of_some_names_is_a_module(tmp_path: Path) -> None:
    found = told(tmp_path, PREFIXED | {"head.weight": torch.zeros(2)})
    assert found.prefix == ""
    assert [weight.name for weight in found.weights] == [*PREFIXED, "head.weight"]


def test_adamw_keeps_two_moments_and_a_step(tmp_path: Path) -> None:
    """Of each of two parameters, twelve weights and three."""
    (besides,) = told(tmp_path, {"model": STATE, "optimizer": optimizer()}).besides
    assert besides == (naming.OPTIMIZER, 2 * 3, 2 * (12 + 3) + 2, 4 * (2 * (12 + 3) + 2))


@pytest.mark.parametrize("key", ["optimizer", "optimizer_state_dict", "optim", "opt", "whatever"])
def test_optimizers_under_any_name(tmp_path: Path, key: str) -> None:
    """By its key, or by what torch's optimizers look like."""
    found = told(tmp_path, {"net": STATE, key: optimizer("SGD") | {"state": {0: {"momentum_buffer": torch.zeros(12)}}}})
    assert [one.what for one in found.besides] == [naming.OPTIMIZER]


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema", "ema_state_dict", "ema_model"])
def test_moving_averages(tmp_path: Path, key: str) -> None:
    found = told(tmp_path, {"state_dict": STATE, key: STATE})
    assert [weight.name for weight in found.weights] == list(STATE)
    assert found.besides == ((naming.EMA, 2, 15, 60),)
    assert not found.is_ema


def test_flat_moving_averages(tmp_path: Path) -> None:
    """As latent diffusion models keep them: under names of their own."""
    found = told(tmp_path, STATE | {"model_ema.aweight": torch.zeros(12), "model_ema.decay": torch.tensor(0.9)})
    assert [weight.name for weight in found.weights] == list(STATE)
    assert found.besides == ((naming.EMA, 2, 12 + 1, 4 * (12 + 1)),)


def test_a_moving_average_alone_is_the_model(tmp_path: Path) -> None:
    found = told(tmp_path, {"state_dict_ema": STATE})
    assert [weight.name for weight in found.weights] == list(STATE)
    assert found.is_ema


def test_what_stands_beside_a_wrapper_is_no_weight(tmp_path: Path) -> None:
    found = told(
        tmp_path, {"state_dict": STATE, "best_acc1": torch.tensor(76.1), "rng_state": torch.zeros(5056).byte()}
    )
    assert [weight.name for weight in found.weights] == list(STATE)
    assert found.besides == ((naming.OTHER, 2, 1 + 5056, 4 + 5056),)


def test_several_models_are_all_there(tmp_path: Path) -> None:
    found = told(tmp_path, {"generator": STATE, "discriminator": STATE})
    assert [weight.name for weight in found.weights] == [
        f"{model}.{name}" for model in ("generator", "discriminator") for name in STATE
    ]


def test_a_model_of_dicts(tmp_path: Path) -> None:
    """Nothing says that it is a wrapper, so a tensor beside is a weight."""
    found = told(tmp_path, {"encoder": STATE, "logit_scale": torch.tensor(1.0)})
    assert [weight.name for weight in found.weights] == ["encoder.a.weight", "encoder.a.bias", "logit_scale"]


def test_no_weights_at_all(tmp_path: Path) -> None:
    found = told(tmp_path, {"epoch": 3})
    assert (found.weights, found.around, found.besides) == ((), (), ())
