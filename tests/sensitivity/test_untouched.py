"""A live model comes back as it was, bit by bit, also where something raises amid a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from profiler import ProfileError, sensitivity
from tests.sensitivity.models import MODELS, model

WAYS: dict[str, dict[str, Any]] = {
    "gradients": {},
    "hessian": {"hessian": 2},
    "pictures": {"method": "saliency"},
    "quantise": {"by": "quantise=int8"},
    "prune": {"by": "prune=0.5"},
    "remove": {"by": "remove", "each": "*"},
}


class Failing(nn.Module):
    """Fails in its n-th run with values, and counts its runs in a buffer and an attribute."""

    def __init__(self, runs: int) -> None:
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout()
        self.inner = nn.Linear(4, 4)
        self.last = nn.Linear(4, 3)
        self.register_buffer("seen", torch.zeros(()))
        self.runs, self.left = runs, runs

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_meta:
            self.left -= 1
            self.seen += 1
            if self.left <= 0:
                raise ValueError("no more")
        return self.last(self.inner(self.drop(self.norm(self.first(x)))))


@contextmanager
def untouched(made: nn.Module) -> Iterator[None]:
    """What a caller can see of a model, before and after."""
    made.train()
    next(made.modules()).training = True
    for module in list(made.modules())[1::2]:
        module.training = False
    first = next(made.parameters())
    first.grad = torch.ones_like(first)
    last = list(made.parameters())[-1]
    last.requires_grad_(last is first)
    before = seen(made)
    yield
    after = seen(made)
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]
        assert same, name


def seen(made: nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {"torch's generator": torch.get_rng_state().clone(), "threads": torch.get_num_threads()}
    for name, module in made.named_modules():
        found |= {
            f"mode of {name}": module.training,
            f"class of {name}": type(module),
            f"modules of {name}": [(key, id(value)) for key, value in module._modules.items()],
            f"hooks of {name}": (len(module._forward_hooks), len(module._forward_pre_hooks)),
        }
    for name, weight in made.named_parameters(remove_duplicate=False):
        found |= {
            f"values of {name}": weight.detach().clone(),
            f"object of {name}": (id(weight), weight.data_ptr(), weight.requires_grad, weight._version),
            f"gradient of {name}": id(weight.grad) if weight.grad is not None else None,
        }
        if weight.grad is not None:
            found[f"values of the gradient of {name}"] = weight.grad.clone()
    for name, buffer in made.named_buffers():
        found |= {f"values of {name}": buffer.clone(), f"object of {name}": id(buffer)}
    return found


@pytest.mark.parametrize("way", [way for way in WAYS if way != "pictures"])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "linear"])  # which has no layers
def test_after_a_run(name: str, way: str) -> None:
    made, samples, labels = model(name)
    kept = samples.clone()
    with untouched(made):
        sensitivity(made, data=[(samples, labels)], **WAYS[way])
    assert torch.equal(samples, kept)
    assert not samples.requires_grad


def test_after_a_picture() -> None:
    made = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 2))
    images = torch.rand(2, 3, 6, 6)
    with untouched(made):
        sensitivity(made, images, method="saliency")


@pytest.mark.parametrize("runs", [1, 2, 3, 5])
@pytest.mark.parametrize("way", ["gradients", "hessian"])
def test_after_a_failure(way: str, runs: int) -> None:
    made = Failing(runs)
    data = [(torch.rand(2, 4), torch.tensor([0, 1])) for _ in range(4)]
    with untouched(made), pytest.raises(ProfileError, match="ValueError: no more"):
        sensitivity(made, data=data, **WAYS[way])
    assert made.left == runs


@pytest.mark.parametrize("way", ["quantise", "prune", "remove"])
def test_a_trial_that_fails_is_a_row_that_says_so(way: str) -> None:
    made, data = Failing(3), [(torch.rand(2, 4), torch.tensor([0, 1]))]
    with untouched(made):
        trials = sensitivity(made, data=data, **WAYS[way])
    failures = [row.trial.failure for row in trials.rows if "no more" in row.trial.failure]  # type: ignore[union-attr]
    assert len(failures) == {"quantise": 2, "prune": 2, "remove": 3}[way]


@pytest.mark.parametrize("way", ["quantise", "prune", "remove"])
def test_after_an_interrupt_amid_a_trial(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, samples, labels = model("residual")
    runs = iter(range(1, -1, -1))  # the model as it is, then the first trial

    def forward(x: Tensor) -> Tensor:
        if not x.is_meta and not next(runs):
            raise KeyboardInterrupt
        return Residual_forward(x)

    Residual_forward = made.forward  # noqa: N806
    monkeypatch.setattr(made, "forward", forward)
    with untouched(made), pytest.raises(KeyboardInterrupt):
        sensitivity(made, data=[(samples, labels)], **WAYS[way])


def test_what_was_made_in_inference_mode_is_refused() -> None:
    with torch.inference_mode():
        made = nn.Linear(2, 2)
    with pytest.raises(ProfileError, match="have no gradients; make the model outside"):
        sensitivity(made, torch.rand(1, 2))


def test_what_has_no_values_is_refused() -> None:
    with pytest.raises(ProfileError, match="has its weights on the meta device"):
        sensitivity(nn.Linear(2, 2, device="meta"), (1, 2))


def test_what_has_no_weights_is_refused() -> None:
    with pytest.raises(ProfileError, match="has no floating-point weights"):
        sensitivity(nn.ReLU(), (1, 2))
