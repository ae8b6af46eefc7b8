"""JSON for scripts. Its keys are a contract: they are added to, never renamed. Sizes are bytes; null is "not known"."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from profiler.layers import Layer
from profiler.profiles import Profile
from profiler.records import Value, tensors
from profiler.tables import View

SUFFIXES = (".json",)
SCHEMA = 1


def layers(profile: Profile, view: View | None = None) -> str:
    """The whole profile, whatever part of it the view shows."""
    return _written(data(profile))


def models(profiles: Sequence[Profile], columns: Sequence[str] = ()) -> str:
    return _written([data(profile) for profile in profiles])


def _written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def data(profile: Profile) -> dict[str, Any]:
    trace = profile.trace
    return {
        "schema": SCHEMA,
        "model": trace.model,
        "source": trace.source,
        "engine": trace.engine,
        "inputs": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in trace.inputs],
        "convention": profile.convention.name,
        "versions": dict(trace.versions),
        "totals": dataclasses.asdict(profile.totals) | {"cost": _cost(profile.figures.cost)},
        "layers": [_layer(layer) for layer in profile.layers],
        "unknown_ops": profile.unknown_ops,
        "coverage": dataclasses.asdict(profile.coverage),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    total, own = layer.total, layer.own
    return {
        "path": layer.path,
        "kind": layer.kind,
        "depth": layer.depth,
        "params": layer.params,
        "trainable_params": total.trainable_params,
        "buffers": total.buffers,
        "macs": layer.macs,
        "flops": layer.flops,
        "param_bytes": total.param_bytes,
        "activation_bytes": total.activation_bytes,
        "calls": layer.calls,
        "ran": layer.ran,
        "unknown_calls": total.unknown_calls,
        "shared_with": layer.shared_with,
        "input_shapes": _shapes(layer.inputs),
        "output_shapes": _shapes(layer.output),
        "own": {
            "params": own.params,
            "macs": int(own.cost.macs),
            "flops": layer.own_flops,
            "activation_bytes": own.activation_bytes,
            "cost": _cost(own.cost),
        },
    }


def _cost(cost: Any) -> dict[str, int]:
    return {field.name: int(getattr(cost, field.name)) for field in dataclasses.fields(cost)}


def _shapes(value: Value) -> list[list[int]] | None:
    """None for a module that never ran."""
    return None if value is None else [list(t.shape) for t in tensors(value)]
