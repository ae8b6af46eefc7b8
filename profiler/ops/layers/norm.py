"""How is a normalisation described, and which parameters should it have?

A scale, and mostly a shift, for each normalised element. Running statistics are buffers.
"""

from __future__ import annotations

from profiler.ops.cost import Count, product
from profiler.ops.layers.kind import NONE, Arguments, Names, Settings, kind, shape_of, torch_nn
from profiler.records.trace import Value


def _affine(names: Names, letters: str, *sizes: int) -> Count:
    return product(f"2 {letters}", 2, *sizes) if "bias" in names else product(letters, *sizes)


def _channels(a: Settings, names: Names) -> Count:
    return _affine(names, "C", a.number("num_features")) if a.flag("affine") else NONE


def _group(a: Settings, names: Names) -> Count:
    """One scale and shift a channel, not a group (Wu and He 2018, arXiv:1803.08494, equation 6)."""
    return _affine(names, "C", a.number("num_channels")) if a.flag("affine") else NONE


def _layer(a: Settings, names: Names) -> Count:
    """One scale, and for LayerNorm one shift, for each element of the normalised shape d1 x d2 x ..."""
    shape = a.sizes("normalized_shape")
    letters = " ".join(f"d{i}" for i in range(1, len(shape) + 1)) if len(shape) > 1 else "d"
    return _affine(names, letters, *shape) if a.flag("elementwise_affine") else NONE


def _batch_norm_settings(call: Arguments) -> dict[str, Value]:
    return {
        "num_features": shape_of(call.get("weight") or call.get("running_mean"))[0],
        "eps": call.get("eps"),
        "momentum": call.get("momentum"),
        "affine": call.get("weight") is not None,
        "track_running_stats": call.get("running_mean") is not None,
    }


def _layer_norm_settings(call: Arguments) -> dict[str, Value]:
    shape, eps = call.get("normalized_shape"), call.get("eps", 1e-05)
    return {"normalized_shape": shape, "eps": eps, "elementwise_affine": call.get("weight") is not None}


def _group_norm_settings(call: Arguments) -> dict[str, Value]:
    groups, eps = call.get("num_groups"), call.get("eps", 1e-05)
    return {"num_groups": groups, "num_channels": shape_of(call["weight"])[0], "eps": eps, "affine": True}


_BATCH_NORM = {
    "aten.batch_norm": "input weight bias running_mean running_var training momentum eps",
    "aten._native_batch_norm_legit_no_training": "input weight bias running_mean running_var momentum eps",
}
_LAYER_NORM = dict.fromkeys(("aten.layer_norm", "aten.native_layer_norm"), "input normalized_shape weight bias eps")

kind(
    *torch_nn("batchnorm", "BatchNorm1d BatchNorm2d BatchNorm3d"),
    words="{num_features}",
    parameters=_channels,
    operators=_BATCH_NORM,
    settings=_batch_norm_settings,
)
kind(
    *torch_nn("batchnorm", "SyncBatchNorm"),
    *torch_nn("instancenorm", "InstanceNorm1d InstanceNorm2d InstanceNorm3d"),
    words="{num_features}",
    parameters=_channels,
)
kind(
    *torch_nn("normalization", "GroupNorm"),
    words="{num_channels} g{num_groups}",
    parameters=_group,
    operators={"aten.group_norm": "input num_groups weight bias eps"},
    settings=_group_norm_settings,
)
kind(
    *torch_nn("normalization", "LayerNorm"),
    words="{normalized_shape}",
    parameters=_layer,
    operators=_LAYER_NORM,
    settings=_layer_norm_settings,
)
kind(*torch_nn("normalization", "RMSNorm"), words="{normalized_shape}", parameters=_layer)
