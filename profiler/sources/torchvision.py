"""How is a model of torchvision's loaded? With the input sizes of its weights' transforms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.engine.run.subject import Subject
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed, Published, Spec
from profiler.sources import zoos
from profiler.sources.build import as_model, build, build_real
from profiler.sources.libraries import imported

PREFIX = "torchvision"
_IMAGE = 224
_DETECTION = 800  # the shorter side torchvision's detectors resize to
_CLIP = 16  # frames of a video clip
_FLOW = (512, 512)  # what torchvision's own `_ops` were measured at (its test/common_extended_utils.py)


def _models() -> Any:
    return imported("torchvision.models")


def load(spec: Spec, feed: Feed) -> Subject:
    """`NAME(weights="DEFAULT")` is the architecture of those weights, which are not fetched.

    `quantized_NAME` is quantised, as its name and its weights are; with `quantize=False` it is the float model.
    """
    entry = _entry(spec)
    builder = partial(_without_fetching, _models().get_model_builder(spec.target))
    kwargs = {**_no_weights(builder.args[0]), **_quantised(builder.args[0]), **spec.kwargs}
    make = build_real if kwargs.get("quantize") else build  # packing looks into the weights
    model = as_model(make(builder, kwargs, spec.text), spec.text)
    args, named = _inputs(entry, spec.kwargs, feed)
    if not feed.is_given and (size := _other_size(model, args)) is not None:
        kwargs["image_size"] = size
        model = as_model(build(builder, kwargs, spec.text), spec.text)
    return Subject(model, spec.text, PREFIX, args, named, partial(build_real, builder, kwargs, spec.text))


def _other_size(model: nn.Module, args: tuple[Any, ...]) -> int | None:
    """The input's size where the model is made for another: vit_h_14's weights want 518 and its builder gives 224."""
    own_size = getattr(model, "image_size", None)
    input_size = args[0].shape[-1] if isinstance(args[0], TensorSpec) else None
    return input_size if isinstance(own_size, int) and own_size != input_size else None


def _no_weights(builder: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that avoid fetching weights, which detectors and segmentation models do for their backbones."""
    names = ("weights", "weights_backbone")
    return {name: None for name in names if name in inspect.signature(builder).parameters}


def _quantised(builder: Callable[..., Any]) -> dict[str, Any]:
    """The argument for a quantised model: by default its builder returns a float one that is prepared for it."""
    return {"quantize": True} if "quantize" in inspect.signature(builder).parameters else {}


def _entry(spec: Spec) -> Any:
    """The weight entry that a spec names, or the default one; its transforms give the input size."""
    entries = _models().get_model_weights(spec.target)
    name = spec.kwargs.get("weights")
    if name is None:
        return entries.DEFAULT
    if name not in entries.__members__:
        raise _no_such_weights(spec.target, name, entries.__members__)
    return entries[name]


def published(spec: Spec, shapes: Iterable[tuple[int, ...]], params: int) -> Published | str:
    """The figures that torchvision publishes for the weights of a spec, or the default ones (`meta["_metrics"]`).

    Or the reason why they do not hold for what was run: another architecture than that of the weights, or another image
    size than that of their transforms. `shapes` are those of the inputs, `params` how many parameters the model has.
    """
    if not zoos.has(PREFIX, spec.target) or not len(_models().get_model_weights(spec.target)):
        return "torchvision has no weights of it"
    if set(spec.kwargs) - {"weights"}:
        return "by its arguments it is not the model that was measured"
    entry = _entry(spec)
    measured, own = entry.meta["num_params"], _float_params(spec, params)
    if measured != own:
        remedy = f"; {spec.target}(weights={entry.name!r}) is that model" * ("weights" not in spec.kwargs)
        return f"the model that was measured has {measured:,} parameters and not {own:,}{remedy}"
    sizes = {argument.shape[-2:] for argument in _flat(_inputs(entry, {}, Feed())[0])}
    if {tuple(shape)[-2:] for shape in shapes} != sizes:
        return f"it was measured with images of {' and '.join(f'{h}×{w}' for h, w in sorted(sizes))}"
    figures = {(data, name): value for data, row in entry.meta["_metrics"].items() for name, value in row.items()}
    return Published(entry.name, figures)


def _float_params(spec: Spec, params: int) -> int:
    """How many parameters a model has before it is quantised, which merges batch norms into convolutions."""
    builder = partial(_without_fetching, _models().get_model_builder(spec.target))
    if not _quantised(builder.args[0]):
        return params
    if "weights" in spec.kwargs:  # it was built for those weights
        return int(_entry(spec).meta["num_params"])
    model = build(builder, {**_no_weights(builder.args[0]), "quantize": False}, spec.text)
    return sum(parameter.numel() for parameter in as_model(model, spec.text).parameters())


def _flat(args: Iterable[Any]) -> Iterator[TensorSpec]:
    for argument in args:
        if isinstance(argument, TensorSpec):
            yield argument
        else:
            yield from _flat(argument)


@contextmanager
def _engine_restored() -> Iterator[None]:
    """Restore torch's quantised engine, which quantising sets for the whole process; packed weights store their own."""
    engine = torch.backends.quantized.engine
    try:
        yield
    finally:
        if torch.backends.quantized.engine != engine:
            torch.backends.quantized.engine = engine


@_engine_restored()
def _without_fetching(builder: Callable[..., Any], **kwargs: Any) -> Any:
    """Call a builder without fetching weights: it loads none, and its other settings for them stay."""
    if kwargs.get("weights") is None and kwargs.get("weights_backbone") is None:
        return builder(**kwargs)
    from unittest.mock import patch

    from torchvision.models._api import WeightsEnum

    with (
        patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: {}),
        patch.object(nn.Module, "load_state_dict", lambda *_, **__: None),
    ):
        return builder(**kwargs)


def _inputs(entry: Any, kwargs: Mapping[str, Any], feed: Feed) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if feed.is_given:
        return feed.args, feed.kwargs
    transforms = entry.transforms
    preset = getattr(transforms, "func", transforms).__name__
    settings = getattr(transforms, "keywords", {})
    return _BY_PRESET.get(preset, _image)(feed.batch or 1, {**settings, **_requested_size(kwargs)}), {}


def _requested_size(kwargs: Mapping[str, Any]) -> dict[str, int]:
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


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_weights(model: str, name: object, names: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{model} has no weights called {name!r}; choose from {', '.join(names)}")
