"""How does a folder of images become samples? As the model takes them: its size, and ImageNet's mean and deviation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from profiler import errors
from profiler.engine.gradients.samples import Batch
from profiler.engine.run.subject import Subject
from profiler.records.inputs import TensorSpec

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")
# Of the images of ImageNet, by channel, as torchvision's models are trained with.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read(folder: str, number: int, at_once: int, subject: Subject) -> tuple[list[Batch], str]:
    """Batches of the first images, and what was done to them. Folders in the folder are classes, in alphabetical order.

    Of several classes as many each. Raises `errors.ProfileError`.
    """
    spec = _image(subject)
    _, channels, height, width = spec.shape
    mean, deviation = _normalisation(subject.model, channels)
    files, classes = _files(folder)
    files = files[:number]
    size = (width, height)
    batches = []
    for first in range(0, len(files), at_once):
        part = files[first : first + at_once]
        pixels = torch.stack([_pixels(path, channels, size) for path, _ in part])
        labels = torch.tensor([label for _, label in part]) if classes else None
        batches.append(Batch((((pixels - mean) / deviation).to(getattr(torch, spec.dtype)),), {}, labels))
    kinds = f" in {len(classes):,} classes" if classes else ""
    by = ", ".join(f"{value:g}" for value in mean.flatten().tolist())
    over = ", ".join(f"{value:g}" for value in deviation.flatten().tolist())
    words = f"resized to {height}×{width}, less a mean of {by}, divided by {over}"
    return batches, f"images of {folder}{kinds}, {words}"


def _image(subject: Subject) -> TensorSpec:
    """The model's input, which has to be an image."""
    spec = subject.args[0] if subject.args else next(iter(subject.kwargs.values()), None)
    if not isinstance(spec, TensorSpec) or len(spec.shape) != 4 or spec.shape[1] not in (1, 3):
        raise _takes_no_images(subject.name)
    return spec


def _normalisation(model: Any, channels: int) -> tuple[Tensor, Tensor]:
    """What timm's models say of themselves; else ImageNet's, and of grey images nothing."""
    configured = getattr(model, "pretrained_cfg", None)
    if isinstance(configured, dict) and len(configured.get("mean", ())) == channels:
        mean, deviation = configured["mean"], configured["std"]
    else:
        mean, deviation = (_MEAN, _DEVIATION) if channels == 3 else ((0.0,), (1.0,))
    return (torch.tensor(values).reshape(channels, 1, 1) for values in (mean, deviation))  # type: ignore[return-value]


def _files(folder: str) -> tuple[list[tuple[Path, int]], list[str]]:
    """Each image with its class, the classes in turn; and the classes, of which there may be none."""
    try:
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        by_class = [list(_images(Path(folder) / name)) for name in classes]
        if any(by_class):
            paired = [[(path, label) for path in paths] for label, paths in enumerate(by_class)]
            return [pair for pair in chain.from_iterable(zip_longest(*paired)) if pair is not None], classes
        return [(path, 0) for path in _images(Path(folder))], []
    except OSError as error:
        raise errors.ProfileError(f"--data {folder}: {error.strerror or errors.first_line(error)}") from None


def _images(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file())


def _pixels(path: Path, channels: int, size: tuple[int, int]) -> Tensor:
    """Channels, height and width, from 0 to 1."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            resized = image.convert("RGB" if channels == 3 else "L").resize(size, Image.Resampling.BILINEAR)
            values = torch.from_numpy(numpy.array(resized, dtype=numpy.float32))
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise _unreadable(str(path), error) from None
    return values.reshape(size[1], size[0], channels).permute(2, 0, 1) / 255


# Error messages -------------------------------------------------------------------------------------------------------


def _takes_no_images(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} does not take images, of 1 or 3 channels, that a folder could hold; say what it takes, --input "
        "1x3x224x224, or give data of another kind"
    )


def _unreadable(path: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be read as an image ({errors.said(error)}); take it out of the folder")
