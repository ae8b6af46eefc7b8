"""Hugging Face transformers: `hf:FOLDER`, `hf:ID`, `hf:LlamaConfig(num_hidden_layers=2)`. Weights are never fetched."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

from profiler.sources.build import as_model, build, build_real
from profiler.sources.huggingface.configs import config_of, quiet
from profiler.sources.huggingface.feeds import fed
from profiler.sources.huggingface.heads import head
from profiler.sources.spec import Feed, Spec
from profiler.trace import Subject

PREFIX = "hf"


def load(spec: Spec, feed: Feed) -> Subject:
    with quiet():
        builder = _builder(spec, feed.trusts_code)
        model = as_model(build(builder, {}, spec.text, is_small=False), spec.text)
        args, kwargs = fed(model, feed, spec.text)
    return Subject(model, spec.text, PREFIX, args, kwargs, partial(build_real, builder, {}, spec.text))


def _builder(spec: Spec, trusts_code: bool) -> Callable[[], Any]:
    """What makes the model; configurations are changed by the models that are made of them, so each gets its own."""
    config = config_of(spec, trusts_code)
    remote = (getattr(config, "auto_map", None) or {}) if trusts_code else {}
    cls = _remote_class(config, remote, spec) or head(config, spec)
    return lambda: cls._from_config(deepcopy(config))


def _remote_class(config: Any, remote: dict[str, str], spec: Spec) -> Any:
    """The class that comes with the model's files, in code that the user trusts."""
    name = next((found for key, found in remote.items() if key.startswith("AutoModel")), None)
    if name is None:
        return None
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    return get_class_from_dynamic_module(name, spec.target)
