"""Saliency is captum's to the last digit; what captum alone has is captum's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from profiler import ProfileError, sensitivity
from profiler.answers.sensitivity.compute import Sensitivity
from profiler.render.charts.data import Pictures

captum = pytest.importorskip("captum.attr")


def network() -> tuple[nn.Module, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.Flatten(), nn.Linear(4 * 10 * 10, 5)).double().eval()
        return made, torch.rand(2, 3, 12, 12, dtype=torch.float64)


def maps(made: nn.Module, images: torch.Tensor, method: str) -> list[torch.Tensor]:
    answer = sensitivity(made, images, method=method)
    assert isinstance(answer, Sensitivity)
    assert isinstance(answer.chart, Pictures)
    return [torch.tensor(picture.weights, dtype=torch.float64) for picture in answer.chart.pictures]


def by_captum(made: nn.Module, image: torch.Tensor, method: str) -> torch.Tensor:
    target = int(made(image).argmax())
    if method == "saliency":
        attributed = captum.Saliency(made).attribute(image.clone().requires_grad_(), target=target)
    elif method == "integrated_gradients":
        attributed = captum.IntegratedGradients(made).attribute(image, target=target)
    else:
        attributed = captum.Occlusion(made).attribute(image, (3, 1, 1), strides=(3, 1, 1), target=target)
    return attributed.detach().abs()[0].amax(0)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "occlusion"])
def test_it_is_that_of_captum(method: str) -> None:
    made, images = network()
    for ours, image in zip(maps(made, images, method), images.split(1), strict=True):
        theirs = by_captum(made, image, method)
        if method == "saliency":
            assert torch.equal(ours, theirs)
        else:
            torch.testing.assert_close(ours, theirs.double(), rtol=1e-5, atol=1e-6)  # it keeps some in single precision


def test_a_picture_is_of_images() -> None:
    with pytest.raises(ProfileError, match="the first input of Linear is no image"):
        sensitivity(nn.Linear(4, 2), (1, 4), method="saliency")
