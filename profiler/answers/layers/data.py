"""What is a profile as data for programs? The JSON of a model, key by key."""

from __future__ import annotations

import dataclasses
from typing import Any

from profiler.answers.common.time_columns import layer_time_data, time_data
from profiler.figures import stored
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.figures.training import Trained
from profiler.records.trace import BACKWARD, FORWARD, RECOMPUTE, UPDATE, Header
from profiler.render.plain import shapes


def about(profile: Profile) -> dict[str, Any]:
    """Which model, fed and counted how."""
    trace = profile.trace
    return {
        "model": trace.model,
        "source": trace.source,
        "engine": trace.engine,
        "inputs": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in trace.inputs],
        "convention": profile.convention.name,
        "versions": dict(trace.versions),
        "asked": {name: list(value) if isinstance(value, tuple) else value for name, value in trace.asked.items()},
    }


def profile_data(profile: Profile) -> dict[str, Any]:
    return {
        **about(profile),
        "totals": dataclasses.asdict(profile.totals) | {"cost": _cost(profile.figures.cost, profile.trace.was_run)},
        "training": None if profile.training is None else dataclasses.asdict(profile.training),
        **time_data(profile),
        "layers": [_layer(layer) | layer_time_data(profile.times, layer.index) for layer in profile.layers],
        "unknown_ops": profile.unknown_ops if profile.trace.was_run else None,
        "coverage": dataclasses.asdict(profile.coverage) if profile.trace.was_run else None,
        "file": None if profile.trace.header is None else _file(profile.trace.header),
        "notes": list(profile.trace.notes),
    }


def _file(header: Header) -> dict[str, Any]:
    """What a checkpoint says beside its weights."""
    fields = dataclasses.asdict(header)
    doubts = [doubt._asdict() for doubt in header.doubts]
    return fields | {"besides": [besides._asdict() for besides in header.besides], "doubts": doubts}


def _layer(layer: Layer) -> dict[str, Any]:
    total, own = layer.total, layer.own
    return {
        "path": layer.path,
        "kind": layer.kind,
        "depth": layer.depth,
        "params": layer.params,
        "stored_params": total.stored_params,
        "zeros": stored.zeros(total),
        "trainable_params": total.trainable_params,
        "buffers": total.buffers,
        "macs": layer.macs,
        "flops": layer.flops,
        "param_bytes": total.param_bytes,
        "buffer_bytes": total.buffer_bytes,
        "activation_bytes": layer.activation_bytes,
        "calls": layer.calls if layer.was_run else None,
        "ran": layer.ran,
        "unknown_calls": total.unknown_calls,
        "shared_with": layer.shared_with,
        "input_shapes": shapes(layer.inputs),
        "output_shapes": shapes(layer.output),
        "own": {
            "params": own.params,
            "macs": int(own.cost.macs) if layer.was_run else None,
            "flops": layer.own_flops if layer.was_run else None,
            "activation_bytes": own.activation_bytes if layer.was_run else None,
            "cost": _cost(own.cost, layer.was_run),
        },
        "training": None if layer.trained is None else _trained(layer.trained),
    }


def _trained(step: Trained) -> dict[str, Any]:
    return {
        "forward_macs": int(step.forward.macs),
        "backward_macs": int(step.backward.macs),
        "recompute_macs": int(step.recompute.macs),
        "saved_bytes": step.saved_bytes,
        "gradient_bytes": step.gradient_bytes,
        "cost": {kind: _cost(getattr(step, kind)) for kind in (FORWARD, BACKWARD, RECOMPUTE, UPDATE)},
    }


def _cost(cost: Any, was_run: bool = True) -> dict[str, int] | None:
    return {field.name: int(getattr(cost, field.name)) for field in dataclasses.fields(cost)} if was_run else None
