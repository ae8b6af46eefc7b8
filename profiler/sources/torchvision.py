"""torchvision's registered models, with the inputs that their weights' transforms say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from profiler import errors
from profiler.inputs import TensorSpec
from profiler.sources.build import as_model, build, build_real
from profiler.sources.spec import Feed, Spec
from profiler.trace import Subject

PREFIX = "torchvision"
_IMAGE = 224
_DETECTION = 800  # the shorter side torchvision's detectors resize to
_CLIP = 16  # frames of a video clip
_FLOW = (512, 512)  # what torchvision's own `_ops` were measured at (its test/common_extended_utils.py)


def _models() -> Any:
    try:
        import torchvision.models
    except ImportError as error:
        raise errors.MissingPackage("torchvision", "torchvision", error) from None
    return torchvision.models


def names() -> list[str]:
    found: list[str] = _models().list_models()
    return found


def has(name: str) -> bool:
    return name in names()


def load(spec: Spec, feed: Feed) -> Subject:
    if not has(spec.target):
        raise errors.NoSuchModel(spec.target, names(), "torchvision")
    builder = _models().get_model_builder(spec.target)
    kwargs = {**_no_weights(builder), **spec.kwargs}
    model = as_model(build(builder, kwargs, spec.text), spec.text)
    args, named = _inputs(spec.target, spec.kwargs, feed)
    return Subject(model, spec.name, PREFIX, args, named, partial(build_real, builder, kwargs, spec.text))


def _no_weights(builder: Callable[..., Any]) -> dict[str, Any]:
    """Detectors and segmentation models fetch their backbone's weights unless told not to."""
    known = ("weights", "weights_backbone")
    return {name: None for name in known if name in inspect.signature(builder).parameters}


def _inputs(name: str, kwargs: Mapping[str, Any], feed: Feed) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if feed.is_given:
        return feed.args, feed.kwargs
    weights = _models().get_model_weights(name).DEFAULT
    transforms = weights.transforms
    preset = getattr(transforms, "func", transforms).__name__
    settings = getattr(transforms, "keywords", {})
    return _BY_PRESET.get(preset, _image)(feed.batch or 1, {**settings, **_given_size(kwargs)}), {}


def _given_size(kwargs: Mapping[str, Any]) -> dict[str, int]:
    return {"crop_size": kwargs["image_size"]} if "image_size" in kwargs else {}


def _image(batch: int, settings: Mapping[str, Any]) -> tuple[Any, ...]:
    return (TensorSpec((batch, 3, *_square(settings.get("crop_size", _IMAGE)))),)


def _segmentation(batch: int, settings: Mapping[str, Any]) -> tuple[Any, ...]:
    return (TensorSpec((batch, 3, *_square(settings.get("resize_size", _IMAGE)))),)


def _video(batch: int, settings: Mapping[str, Any]) -> tuple[Any, ...]:
    return (TensorSpec((batch, 3, _CLIP, *_square(settings["crop_size"]))),)


def _detection(batch: int, settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """A detector takes a list of images."""
    return ([TensorSpec((3, _DETECTION, _DETECTION))] * batch,)


def _flow(batch: int, settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """Two frames."""
    return (TensorSpec((batch, 3, *_FLOW)),) * 2


def _square(size: Any) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)


_BY_PRESET: Mapping[str, Callable[[int, Mapping[str, Any]], tuple[Any, ...]]] = {
    "ImageClassification": _image,
    "SemanticSegmentation": _segmentation,
    "VideoClassification": _video,
    "ObjectDetection": _detection,
    "OpticalFlow": _flow,
}
