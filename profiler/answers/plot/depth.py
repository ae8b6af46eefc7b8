"""Where along a model does the cost lie? What each layer costs itself, in the order in which they run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from profiler.answers.plot.axes import axis
from profiler.answers.plot.layer_costs import costs
from profiler.answers.plot.request import Request
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.render.charts.data import Depth, Panel, Span

_USUAL = ("params", "macs", "activations")


def depth(profile: Profile, request: Request) -> Depth:
    """Layers that cost nothing of what is shown are left out; raises `errors.ProfileError`."""
    usual = (*_USUAL, *(("time",) if request.device is not None else ())) if profile.trace.was_run else ("params",)
    columns = costs(request.y or usual, [profile])
    layers = [layer for layer in in_order(profile) if any(column.get(layer, profile) for column in columns)]
    panels = []
    for column in columns:
        values = [float(column.get(layer, profile)) for layer in layers]
        panels.append(Panel(axis(column, [profile], request.is_log("y", values, usual=False)), tuple(values)))
    paths, kinds = tuple(layer.path for layer in layers), tuple(layer.kind for layer in layers)
    return Depth(profile.model, paths, kinds, tuple(_stages(layers)), tuple(panels))


def in_order(profile: Profile) -> list[Layer]:
    """By their first operator call; a layer that calls none itself stands behind the one before it in the model."""
    first: dict[int, int] = {}
    for number, call in enumerate(profile.trace.calls):
        first.setdefault(call.module, number)
    at, keys = 0, []
    for layer in profile.layers:
        at = first.get(layer.index, at)
        keys.append((at, layer.index))
    return [layer for _, layer in sorted(zip(keys, profile.layers, strict=True), key=lambda pair: pair[0])]


def _stages(layers: Sequence[Layer]) -> list[Span]:
    """The model's parts, each with the layers of it that run one after the other.

    A part that holds most of the layers is shown by its own parts.
    """
    deep: frozenset[str] = frozenset()
    while True:
        spans = _spans([_part(layer.path, deep) for layer in layers])
        large = {span.name for span in spans if 2 * (span.last - span.first) > len(layers)} - deep
        if not large or any(layer.path in large for layer in layers):
            return spans
        deep |= large


def _spans(names: Sequence[str]) -> list[Span]:
    spans, position = [], 0
    for name, group in groupby(names):
        count = len(list(group))
        spans.append(Span(name, position, position + count))
        position += count
    return spans


def _part(path: str, deep: Collection[str]) -> str:
    """The shortest beginning of a path that is no part to be shown by its own parts."""
    names = path.split(".")
    return next((part for end in range(1, len(names)) if (part := ".".join(names[:end])) not in deep), path)
