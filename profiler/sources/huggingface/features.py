"""How many tokens of a text stand for an image or a sound? As many as the model makes of it, which a trace tells."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

from torch import nn

from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.records.trace import tensors


class _Kind(NamedTuple):
    """What makes the features of an input, the settings that name its token, and the number of its kind of tokens."""

    method: str
    tokens: tuple[str, ...]
    number: int


class Placeholder(NamedTuple):
    """A token that stands for something else, and the number of its kind."""

    token: int
    kind: int


_IMAGE = _Kind("get_image_features", ("image_token_id", "image_token_index"), 1)
_AUDIO = _Kind("get_audio_features", ("audio_token_id", "audio_token_index"), 3)
_KINDS: Mapping[str, _Kind] = {"pixel_values": _IMAGE, "input_features": _AUDIO, "input_values": _AUDIO}


def rows(model: Any, found: Mapping[str, Any], batch: int, name: str) -> Iterator[tuple[Placeholder, int]]:
    """The token of each of these inputs, and how often it stands in each text."""
    for fed, (method, tokens, number) in _KINDS.items():
        token = next((t for t in (getattr(model.config, t, None) for t in tokens) if isinstance(t, int)), None)
        if fed in found and token is not None and callable(getattr(model, method, None)):
            takes = inspect.signature(getattr(model, method)).parameters
            given = {key: value for key, value in found.items() if key in takes}
            yield Placeholder(token, number), _features(model, method, given, name) // batch


def _features(model: Any, method: str, given: Mapping[str, Any], name: str) -> int:
    """How many vectors it makes."""
    found = trace(Subject(_Only(model, method), f"{method} of {name}", "hf", (), given))
    return sum(prod(tensor.shape[:-1]) for tensor in tensors(found.module_calls[-1].output))


class _Only(nn.Module):
    """One method of a model, as a model of its own."""

    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self._method = method

    def forward(self, **given: Any) -> Any:
        made = getattr(self.model, self._method)(**given)
        return getattr(made, "pooler_output", made)
