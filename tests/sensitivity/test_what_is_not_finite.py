"""Targets that are NaN, losses that are none, and which of several outputs is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from profiler import ProfileError, sensitivity
from profiler.sources import samples

X = torch.rand(4, 6)


class Ending(nn.Module):
    """A layer, and what a function makes of its output."""

    def __init__(self, end: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.inner, self.layer, self.other, self.end = nn.Linear(6, 6), nn.Linear(6, 3), nn.Linear(6, 2), end

    def forward(self, x: torch.Tensor) -> Any:
        x = self.inner(x)
        return self.end(self.layer(x), self.other(x))


@pytest.mark.parametrize(
    ("end", "by", "what"),
    [
        (lambda y, _: y / 0, None, r"the target of Ending is not finite \(NaN or infinite\) for 4 of 4 samples"),
        (lambda y, _: y / 0, "remove", r"what Ending returns for the samples is not finite"),
        (lambda y, _: (y * 0).sqrt(), None, r"the gradient of Ending is not finite .* at inner.weight, inner.bias"),
    ],
    ids=["target", "output", "gradient"],
)
def test_nothing_is_ranked(end: Callable[..., Any], by: str | None, what: str) -> None:
    with pytest.raises(ProfileError, match=what):
        sensitivity(Ending(end), X, by=by)


def test_a_change_after_which_the_output_is_not_finite() -> None:
    model = Ending(lambda y, _: y / y.abs().amax(1, keepdim=True))
    nn.init.zeros_(model.layer.bias)
    row = sensitivity(model, X, by="prune=1", each="layer")["layer"]
    assert (row.effect, row.trial.failure) == (None, "the output is no longer finite")


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda y, z: {"aux": z, "logits": y}, "of logits, one of 2 tensors that it returns"),
        (lambda y, z: (y, z), "of number 1, one of 2 tensors that it returns"),
        (lambda y, z: y, ""),
    ],
    ids=["dict", "tuple", "tensor"],
)
def test_which_output_is_looked_at_is_said(end: Callable[..., Any], said: str) -> None:
    found = sensitivity(Ending(end), X)
    assert found.asked.target == ", ".join(filter(None, ("the largest output of each sample", said)))
    assert found["other"].importance == 0
    assert sensitivity(Ending(end), X, by="prune=0.5").asked.target == found.asked.target


@pytest.mark.parametrize(
    ("loss", "what"),
    [(lambda y, t: y, "it returns a tensor of 1×3, and a loss is one number"), (lambda y, t: 1.0, "it returns float")],
)
def test_a_loss_is_one_number(loss: Callable[..., Any], what: str) -> None:
    with pytest.raises(ProfileError, match=what):
        sensitivity(Ending(lambda y, _: y), data=[(X, torch.tensor([0, 1, 2, 0]))], loss=loss)


@pytest.mark.parametrize("options", [{"target": 1}, {"per_sample": True}, {"method": "saliency"}, {"hessian": 1}])
def test_what_means_nothing_to_trials(options: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match=r"not with --by"):
        sensitivity(Ending(lambda y, _: y), X, by="remove", **options)


@pytest.mark.parametrize(("name", "number"), [("samples", 0), ("batch", 0), ("hessian", -1)])
def test_the_number_that_is_wrong_is_named(name: str, number: int) -> None:
    with pytest.raises(ProfileError, match=rf"^{name}={number}: it is a whole number from \d up$"):
        sensitivity(Ending(lambda y, _: y), X, **{name: number})


def test_labels_are_one_for_each_sample_of_a_file(tmp_path: Any) -> None:
    import numpy

    path = str(tmp_path / "data.npz")
    numpy.savez(path, inputs=numpy.zeros((20, 6)), labels=numpy.zeros(19, int))
    with pytest.raises(ProfileError, match=r"labels of 19 do not say one for each of 20 samples"):
        samples.read(path, 4, 4, lambda: None)  # type: ignore[arg-type,return-value]


def test_why_nothing_can_be_changed() -> None:
    with pytest.raises(ProfileError, match=r"can be changed by --by quantise=int4 \(inner: its rows of 6 are no"):
        sensitivity(Ending(lambda y, _: y), X, by="quantise=int4")
