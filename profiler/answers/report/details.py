"""What does a page say of a layer that is looked into? Its formulas, settings and weights, inputs and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from profiler.answers.explain.compute import calls_by_module, formulas
from profiler.errors import shown
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.records.trace import Tensor, Value, Weight, tensors
from profiler.render import numbers

_LONGEST = 200  # characters of a setting
_NO_CALLS: Mapping[int, int] = Counter()


def details(profile: Profile) -> tuple[list[dict[str, Any]], list[int]]:
    """Each different one once, as many layers are alike; and which of them is each layer's."""
    trace = profile.trace
    calls = calls_by_module(trace)
    index: dict[Any, int] = {}
    kept: list[dict[str, Any]] = []
    rows: list[int] = []
    for layer in profile.layers:
        own_calls = calls.get(layer.index, _NO_CALLS)
        key = _key(layer, own_calls)
        if key not in index:
            index[key] = len(kept)
            kept.append(_detail(layer, profile, own_calls))
        rows.append(index[key])
    return kept, rows


def _key(layer: Layer, calls: Mapping[int, int]) -> Any:
    """What a layer's detail is made of."""
    weights = tuple((w.name, w.tensor, w.packing, w.same_as is None) for w in (*layer.weights, *layer.buffers))
    module = layer.module
    return module.classes, module.attributes, weights, layer.inputs, layer.output, tuple(sorted(calls.items()))


def _detail(layer: Layer, profile: Profile, calls: Mapping[int, int]) -> dict[str, Any]:
    return {
        "formulas": [shown(f"{name}  {words}".strip()) for name, words in formulas(layer, profile.trace, calls)],
        "settings": [[shown(name), _setting(value)] for name, value in layer.module.attributes],
        "weights": [list(_weight(weight)) for weight in (*layer.weights, *layer.buffers)],
        "inputs": [_tensor(tensor) for tensor in tensors(layer.inputs)],
        "outputs": [_tensor(tensor) for tensor in tensors(layer.output)],
    }


def _setting(value: Value) -> str:
    text = shown(str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _weight(weight: Weight) -> tuple[str, str, str, int]:
    kind = weight.tensor.dtype if weight.packing is None else f"{weight.packing.format} in {weight.tensor.dtype}"
    return shown(weight.name), numbers.shape(weight.tensor), kind, weight.numel


def _tensor(tensor: Tensor) -> str:
    return f"{numbers.shape(tensor)} {tensor.dtype}"
