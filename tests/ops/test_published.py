"""Whole models against the figure that torchvision publishes with their weights: billions of MACs, three decimals."""

import pytest
import torch
from torch_recorder import meta, total
from torchvision import models

SOME = ("resnet34", "mobilenet_v2", "vit_b_16", "swin_t", "convnext_tiny")


def billions_of_macs(name: str, size: int, **options) -> float:
    try:
        with torch.device("meta"):
            model = models.get_model(name, **options)
    except RuntimeError:  # RegNets compute their widths with tensors
        model = models.get_model(name, **options).to("meta")
    return round(total(model.eval(), meta(1, 3, size, size)).macs / 1e9, 3)


def published(name: str) -> tuple[float, int]:
    """The figure, and the size of the images it is for."""
    weights = models.get_model_weights(name).DEFAULT
    return weights.meta["_ops"], weights.transforms.keywords["crop_size"]


@pytest.mark.parametrize("name", SOME)
def test_well_known_models(name) -> None:
    figure, size = published(name)
    assert billions_of_macs(name, size) == figure > 0


@pytest.mark.registry
@pytest.mark.parametrize("name", sorted({*models.list_models(module=models)} - {*SOME}))
def test_all_classifiers(name) -> None:
    figure, size = published(name)
    options = {"image_size": size} if name == "vit_h_14" else {}
    assert billions_of_macs(name, size, **options) == figure > 0
