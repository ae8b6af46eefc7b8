"""kornia: features, augmentations and differentiable vision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from kornia import augmentation, enhance, feature, filters, geometry
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_PATCHES: Mapping[str, Callable[[], nn.Module]] = {
    "HardNet": lambda: feature.HardNet(pretrained=False),
    "HardNet8": lambda: feature.HardNet8(pretrained=False),
    "HyNet": lambda: feature.HyNet(pretrained=False),
    "SOSNet": lambda: feature.SOSNet(pretrained=False),
    "TFeat": lambda: feature.TFeat(pretrained=False),
    "OriNet": lambda: feature.OriNet(pretrained=False),
    "SIFT": lambda: feature.SIFTDescriptor(32),
    "affine shape": lambda: feature.PatchAffineShapeEstimator(32),
    "dominant gradient": lambda: feature.PatchDominantGradientOrientation(32),
}
_GREY: Mapping[str, Callable[[], nn.Module]] = {
    "KeyNet": lambda: feature.KeyNet(pretrained=False),
    "Hessian blobs": feature.BlobHessian,
    "Harris corners": lambda: feature.CornerHarris(0.04),
    "dense SIFT": feature.DenseSIFTDescriptor,
    "Canny": filters.Canny,
    "CLAHE": lambda: _Function(lambda x: enhance.equalize_clahe(x.sigmoid(), grid_size=(4, 4))),
    "Sobel": filters.Sobel,
    "median": lambda: filters.MedianBlur((3, 3)),
    "unsharp": lambda: filters.UnsharpMask((3, 3), (1.5, 1.5)),
    "Gaussian blur": lambda: _Function(lambda x: filters.gaussian_blur2d(x, (5, 5), (1.0, 1.0))),
}
_COLOUR: Mapping[str, Callable[[], nn.Module]] = {
    "DISK": lambda: feature.DISK(desc_dim=16),
    "rotation": lambda: _Function(lambda x: geometry.rotate(x, torch.tensor([30.0]))),
    "warp": lambda: _Function(lambda x: geometry.warp_perspective(x, torch.eye(3)[None], (32, 32))),
    "augmentations": lambda: augmentation.AugmentationSequential(
        augmentation.RandomHorizontalFlip(p=1.0),
        augmentation.ColorJitter(0.1, 0.1, 0.1, 0.1, p=1.0),
        augmentation.RandomAffine(10, p=1.0),
        data_keys=["input"],
    ),
    "normalise": lambda: augmentation.Normalize(torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.2, 0.2, 0.2])),
    "pyramid": geometry.PyrDown,
    "gamma and contrast": lambda: _Function(lambda x: enhance.adjust_gamma(enhance.adjust_contrast(x, 1.2), 0.8)),
}


class _Function(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def _learned(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> tuple[nn.Module, Any]:
    """Behind a convolution, so that there is something to train."""
    return nn.Sequential(nn.Conv2d(shape[1], shape[1], 3, padding=1), build()), torch.rand(shape)


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: lambda build=build: (build(), torch.rand(4, 1, 32, 32)) for name, build in _PATCHES.items()},
    **{name: lambda build=build: _learned(build, (1, 1, 32, 32)) for name, build in _GREY.items()},
    **{name: lambda build=build: _learned(build, (1, 3, 32, 32)) for name, build in _COLOUR.items()},
    "LightGlue": lambda: (
        feature.LightGlue(
            features=None, input_dim=32, descriptor_dim=32, n_layers=2, num_heads=2, weights=None, flash=False
        ),
        (
            {
                f"image{side}": {
                    "keypoints": torch.rand(1, 12, 2) * 32,
                    "descriptors": torch.rand(1, 12, 32),
                    "image_size": torch.tensor([[32, 32]]),
                }
                for side in (0, 1)
            },
        ),
    ),
    "LoFTR": lambda: (
        feature.LoFTR(pretrained=None),
        ({"image0": torch.rand(1, 1, 64, 64), "image1": torch.rand(1, 1, 64, 64)},),
    ),
}
