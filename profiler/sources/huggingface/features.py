"""How many tokens of a text stand for an image or a sound? As many as it has features, which are counted in a trace."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

from torch import nn

from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.records.trace import tensors


class _Modality(NamedTuple):
    """The method that computes an input's features, the settings that name its token, and the token's type number."""

    method: str
    tokens: tuple[str, ...]
    number: int


class Placeholder(NamedTuple):
    """A token that stands for an image or a sound, and its type number."""

    token: int
    kind: int


_IMAGE = _Modality("get_image_features", ("image_token_id", "image_token_index"), 1)
_AUDIO = _Modality("get_audio_features", ("audio_token_id", "audio_token_index"), 3)
_MODALITIES: Mapping[str, _Modality] = {"pixel_values": _IMAGE, "input_features": _AUDIO, "input_values": _AUDIO}


def rows(model: Any, inputs: Mapping[str, Any], batch: int, name: str) -> Iterator[tuple[Placeholder, int]]:
    """The token of each of these inputs, and how many of it each text has."""
    for tensor, (method, tokens, number) in _MODALITIES.items():
        token = next((t for t in (getattr(model.config, t, None) for t in tokens) if isinstance(t, int)), None)
        if tensor in inputs and token is not None and callable(getattr(model, method, None)):
            takes = inspect.signature(getattr(model, method)).parameters
            arguments = {key: value for key, value in inputs.items() if key in takes}
            yield Placeholder(token, number), _features(model, method, arguments, name) // batch


def _features(model: Any, method: str, arguments: Mapping[str, Any], name: str) -> int:
    """How many feature vectors a method returns."""
    recorded = trace(Subject(_MethodModel(model, method), f"{method} of {name}", "hf", (), arguments))
    return sum(prod(tensor.shape[:-1]) for tensor in tensors(recorded.module_calls[-1].output))


class _MethodModel(nn.Module):
    """One method of a model, as a model of its own."""

    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self._method = method

    def forward(self, **arguments: Any) -> Any:
        output = getattr(self.model, self._method)(**arguments)
        return getattr(output, "pooler_output", output)
