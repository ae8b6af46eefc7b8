"""How is an architecture of timm's loaded? With the input size of its default configuration."""

from __future__ import annotations

from functools import partial
from typing import Any

from profiler.engine.run.subject import Subject
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed, Spec
from profiler.sources.build import as_model, build, build_real
from profiler.sources.libraries import imported

PREFIX = "timm"
_IMAGE = (3, 224, 224)


def _timm() -> Any:
    return imported("timm")


def load(spec: Spec, feed: Feed) -> Subject:
    builder = partial(_timm().create_model, spec.target, pretrained=False)
    model = as_model(build(builder, spec.kwargs, spec.text), spec.text)
    args, kwargs = (feed.args, feed.kwargs) if feed.is_given else ((_image(model, spec, feed),), {})
    return Subject(model, spec.text, PREFIX, args, kwargs, partial(build_real, builder, spec.kwargs, spec.text))


def _image(model: Any, spec: Spec, feed: Feed) -> TensorSpec:
    """The image size and channels: the builder's arguments where they say, else the model's configuration."""
    config = getattr(model, "pretrained_cfg", None) or {}
    channels, height, width = config.get("input_size", _IMAGE)
    size = spec.kwargs.get("img_size", (height, width))
    height, width = (size, size) if isinstance(size, int) else size
    return TensorSpec((feed.batch or 1, spec.kwargs.get("in_chans", channels), height, width))
