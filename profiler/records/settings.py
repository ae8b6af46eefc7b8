"""Settings of a layer, as far as the arguments of its operator tell them.

A graph without the model's code has no module's settings. What an operator was called with says the same for torch's
own layers: a convolution's stride, the width of a linear layer. Nothing is guessed: a layer whose operator does not
tell, or that never ran, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from profiler.records.trace import Tensor, Value

Settings: TypeAlias = "dict[str, Value]"
_PREFIX = "torch.nn.modules."


class _Arguments:
    """The arguments of a call by the names in its operator's schema."""

    def __init__(self, op: str, args: Sequence[Value]) -> None:
        self._given = dict(zip(_SCHEMAS[op].split(), args, strict=False))

    def value(self, name: str, default: Value) -> Value:
        return self._given.get(name, default)

    def shape(self, name: str) -> tuple[int, ...]:
        found = self._given.get(name)
        if not isinstance(found, Tensor):
            raise LookupError(name)
        return found.shape

    def has(self, name: str) -> bool:
        return isinstance(self._given.get(name), Tensor)


# Operators by their names without overloads, with their arguments as far as these are settings.
_SCHEMAS: Mapping[str, str] = {
    **dict.fromkeys(("aten.conv1d", "aten.conv2d", "aten.conv3d"), "input weight bias stride padding dilation groups"),
    "aten.convolution": "input weight bias stride padding dilation transposed output_padding groups",
    "aten.linear": "input weight bias",
    "aten.addmm": "bias input mat2",
    "aten.mm": "input mat2",
    "aten.batch_norm": "input weight bias running_mean running_var training momentum eps",
    "aten._native_batch_norm_legit_no_training": "input weight bias running_mean running_var momentum eps",
    "aten.layer_norm": "input normalized_shape weight bias eps",
    "aten.native_layer_norm": "input normalized_shape weight bias eps",
    "aten.group_norm": "input num_groups weight bias eps",
    "aten.embedding": "weight indices",
    "aten.dropout": "input p train",
    **{
        f"aten.max_pool{d}d{more}": "self kernel_size stride padding dilation"
        for d in (1, 2, 3)
        for more in ("", "_with_indices")
    },
    **{f"aten.avg_pool{d}d": "self kernel_size stride padding" for d in (1, 2, 3)},
    **{f"aten.adaptive_{kind}_pool{d}d": "self output_size" for kind in ("max", "avg") for d in (1, 2, 3)},
}


def _convolution(a: _Arguments) -> Settings:
    weight, groups = a.shape("weight"), a.value("groups", 1)
    if not isinstance(groups, int):
        raise LookupError("groups")
    ones = (1,) * (len(weight) - 2)
    return {
        "in_channels": weight[1] * groups,
        "out_channels": weight[0],
        "kernel_size": weight[2:],
        "stride": a.value("stride", ones),
        "padding": a.value("padding", (0,) * len(ones)),
        "dilation": a.value("dilation", ones),
        "groups": groups,
    }


def _linear(a: _Arguments) -> Settings:
    """The weight is transposed in a plain matrix product."""
    features = a.shape("weight")[::-1] if a.has("weight") else a.shape("mat2")
    return {"in_features": features[0], "out_features": features[1]}


def _batch_norm(a: _Arguments) -> Settings:
    held = a.shape("weight") if a.has("weight") else a.shape("running_mean")
    return {
        "num_features": held[0],
        "eps": a.value("eps", None),
        "momentum": a.value("momentum", None),
        "affine": a.has("weight"),
        "track_running_stats": a.has("running_mean"),
    }


def _layer_norm(a: _Arguments) -> Settings:
    shape, eps = a.value("normalized_shape", None), a.value("eps", 1e-05)
    return {"normalized_shape": shape, "eps": eps, "elementwise_affine": a.has("weight")}


def _group_norm(a: _Arguments) -> Settings:
    groups, eps = a.value("num_groups", None), a.value("eps", 1e-05)
    return {"num_groups": groups, "num_channels": a.shape("weight")[0], "eps": eps, "affine": True}


def _embedding(a: _Arguments) -> Settings:
    words, width = a.shape("weight")
    return {"num_embeddings": words, "embedding_dim": width}


def _pool(a: _Arguments) -> Settings:
    kernel = a.value("kernel_size", None)
    stride = a.value("stride", None) or kernel
    return {"kernel_size": kernel, "stride": stride, "padding": a.value("padding", 0)}


def _adaptive(a: _Arguments) -> Settings:
    return {"output_size": a.value("output_size", None)}


def _dropout(a: _Arguments) -> Settings:
    return {"p": a.value("p", None)}


# What torch's own layers consist of, by the end of the class's name, and what tells of their settings.
_LAYERS: Mapping[str, tuple[tuple[str, ...], Callable[[_Arguments], Settings]]] = {
    **{f"conv.Conv{d}d": ((f"aten.conv{d}d", "aten.convolution"), _convolution) for d in (1, 2, 3)},
    **dict.fromkeys(
        ("linear.Linear", "linear.NonDynamicallyQuantizableLinear"),
        (("aten.linear", "aten.addmm", "aten.mm"), _linear),
    ),
    **dict.fromkeys(
        [f"batchnorm.BatchNorm{d}d" for d in (1, 2, 3)],
        (("aten.batch_norm", "aten._native_batch_norm_legit_no_training"), _batch_norm),
    ),
    "normalization.LayerNorm": (("aten.layer_norm", "aten.native_layer_norm"), _layer_norm),
    "normalization.GroupNorm": (("aten.group_norm",), _group_norm),
    "sparse.Embedding": (("aten.embedding",), _embedding),
    "dropout.Dropout": (("aten.dropout",), _dropout),
    **{f"pooling.MaxPool{d}d": ((f"aten.max_pool{d}d", f"aten.max_pool{d}d_with_indices"), _pool) for d in (1, 2, 3)},
    **{f"pooling.AvgPool{d}d": ((f"aten.avg_pool{d}d",), _pool) for d in (1, 2, 3)},
    **{
        f"pooling.Adaptive{kind}Pool{d}d": ((f"aten.adaptive_{kind.lower()}_pool{d}d",), _adaptive)
        for kind in ("Max", "Avg")
        for d in (1, 2, 3)
    },
}


def settings(cls: str, op: str, args: Sequence[Value]) -> Settings | None:
    """Those of a layer of this class which called this operator; None where that does not tell."""
    name = ".".join(op.split(".")[:2])
    layer = _LAYERS.get(cls.removeprefix(_PREFIX)) if cls.startswith(_PREFIX) else None
    if layer is None or name not in layer[0]:
        return None
    try:
        return layer[1](_Arguments(name, args))
    except (LookupError, ValueError):
        return None
