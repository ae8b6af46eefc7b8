"""Which pixels of an image matter? By the gradient, and by methods of captum.

Saliency is the absolute value of the gradient: Simonyan, Vedaldi and Zisserman 2014, arXiv:1312.6034. Integrated
gradients: Sundararajan, Taly and Yan 2017, arXiv:1703.01365. Occlusion: Zeiler and Fergus 2014, arXiv:1311.2901.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from profiler import errors
from profiler.engine.containers.walk import map_leaves
from profiler.engine.gradients.held import Held
from profiler.engine.gradients.inputs import input_gradients
from profiler.engine.gradients.samples import Batch
from profiler.engine.gradients.targets import Target
from profiler.records.targets import LARGEST

SALIENCY, INTEGRATED, OCCLUSION = "saliency", "integrated_gradients", "occlusion"
_CAPTUM = "captum"
_STEPS = 50  # of the path from a black image that gradients are integrated along, captum's own number
_WINDOWS = 14  # as many windows, about, as fit beside each other into an image


def attributions(model: Held, batches: Sequence[Batch], target: Target, method: str, number: int) -> list[Any]:
    """Of so many images, pairs of the image and what of it matters, each of channels, height and width.

    Raises `errors.ProfileError` where the first input is no image, and where captum is not installed but needed.
    """
    pairs: list[Any] = []
    for batch in batches:
        for i in range(batch.size if len(pairs) < number else 0):
            one = batch.sample(i).on(model.device)
            image = _image(model.name, one)
            by = _saliency if method == SALIENCY else _by_captum
            pairs.append((image[0], by(model, one, target, method)[0].detach()))
    return pairs[:number]


def _image(name: str, batch: Batch) -> Tensor:
    first = batch.args[0] if batch.args else next(iter(batch.kwargs.values()), None)
    if not isinstance(first, Tensor) or first.ndim != 4 or first.shape[1] not in (1, 3):
        raise _no_image(name)
    return first


def _saliency(model: Held, batch: Batch, target: Target, _: str) -> Tensor:
    return input_gradients(model, batch, target)[0].abs()


def _by_captum(model: Held, batch: Batch, target: Target, method: str) -> Tensor:
    """Of one image. What is followed along a path, or under a window, is the output that is largest for the image."""
    try:
        captum: Any = import_module("captum.attr")
    except ImportError as error:
        raise errors.MissingPackage(_CAPTUM, f"has {method}, and is not installed", _CAPTUM) from error
    image = _image(model.name, batch)
    if target.what == LARGEST:
        output = model.output(batch)
        flat = int(output.flatten().argmax())
        entry = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), output.shape)[1:])
        target = Target(entry, target.loss)

    def values(images: Tensor) -> Tensor:
        args, kwargs = map_leaves(lambda leaf: images if leaf is image else leaf, (batch.args, dict(batch.kwargs)))
        labels = None if batch.labels is None else batch.labels.expand(len(images), *batch.labels.shape[1:])
        return target.values(model.output(Batch(args, kwargs)), labels, len(images))

    if method == INTEGRATED:
        attributed: Tensor = captum.IntegratedGradients(values).attribute(image, n_steps=_STEPS, internal_batch_size=1)
        return attributed.abs()
    side = max(1, min(image.shape[2:]) // _WINDOWS)
    window = (image.shape[1], side, side)
    with torch.no_grad():
        occluded: Tensor = captum.Occlusion(values).attribute(image, window, strides=window)
    return occluded.abs()


# Error messages -------------------------------------------------------------------------------------------------------


def _no_image(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"the first input of {model} is no image of 1 or 3 channels, so there is no picture of it; take a format of "
        "tables"
    )
