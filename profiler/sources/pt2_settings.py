"""Settings of an exported program's modules, as far as the arguments of their operators tell them.

A file has no module's settings. What an operator was called with says the same for torch's own layers: a convolution's
stride, a normalisation's epsilon. Nothing is guessed: a module that was never called, or whose operator does not tell,
has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from profiler.records import Value
from profiler.sources.pt2_file import Graph, Node, Program

Settings: TypeAlias = "dict[str, Value]"


class Arguments:
    """The arguments of one operator by their names in its schema; what is missing has its default value there."""

    def __init__(self, node: Node, graph: Graph) -> None:
        self._given = {name: tagged for name, tagged, _ in node.inputs}
        self._graph = graph

    def shape(self, name: str) -> tuple[int, ...] | None:
        found = self._given.get(name, {}).get("as_tensor")
        meta = None if found is None else self._graph.tensors.get(found["name"])
        return None if meta is None else meta.tensor.shape

    def has(self, name: str) -> bool:
        return self.shape(name) is not None

    def plain(self, name: str, default: Value) -> Value:
        """A number, or several as a tuple."""
        tagged = self._given.get(name)
        if tagged is None:
            return default
        ((tag, said),) = tagged.items()
        if tag == "as_none":
            return None
        if tag.startswith("as_sym") or tag not in _PLAIN:
            raise LookupError(name)
        return tuple(said) if isinstance(said, list) else said  # type: ignore[no-any-return]


_PLAIN = {"as_int", "as_ints", "as_float", "as_bool", "as_string", "as_floats"}


def _convolution(a: Arguments, rank: int) -> Settings:
    weight, groups = a.shape("weight"), a.plain("groups", 1)
    if weight is None or not isinstance(groups, int):
        raise LookupError("weight")
    return {
        "in_channels": weight[1] * groups,
        "out_channels": weight[0],
        "kernel_size": weight[2:],
        "stride": a.plain("stride", (1,) * rank),
        "padding": a.plain("padding", (0,) * rank),
        "dilation": a.plain("dilation", (1,) * rank),
        "transposed": False,
        "groups": groups,
    }


def _linear(a: Arguments) -> Settings:
    weight = a.shape("weight")
    if weight is None:
        raise LookupError("weight")
    return {"in_features": weight[1], "out_features": weight[0]}


def _batch_norm(a: Arguments) -> Settings:
    held = a.shape("weight") or a.shape("running_mean")
    if held is None:
        raise LookupError("weight")
    return {
        "num_features": held[0],
        "eps": a.plain("eps", None),
        "momentum": a.plain("momentum", None),
        "affine": a.has("weight"),
        "track_running_stats": a.has("running_mean"),
    }


def _layer_norm(a: Arguments) -> Settings:
    shape = a.plain("normalized_shape", None)
    return {"normalized_shape": shape, "eps": a.plain("eps", 1e-05), "elementwise_affine": a.has("weight")}


def _group_norm(a: Arguments) -> Settings:
    weight = a.shape("weight")
    if weight is None:
        raise LookupError("weight")
    groups = a.plain("num_groups", None)
    return {"num_groups": groups, "num_channels": weight[0], "eps": a.plain("eps", 1e-05), "affine": True}


def _embedding(a: Arguments) -> Settings:
    weight = a.shape("weight")
    if weight is None:
        raise LookupError("weight")
    return {"num_embeddings": weight[0], "embedding_dim": weight[1]}


def _pool(a: Arguments) -> Settings:
    kernel = a.plain("kernel_size", None)
    return {"kernel_size": kernel, "stride": a.plain("stride", kernel) or kernel, "padding": a.plain("padding", 0)}


def _adaptive(a: Arguments) -> Settings:
    return {"output_size": a.plain("output_size", None)}


def _dropout(a: Arguments) -> Settings:
    return {"p": a.plain("p", None)}


def _ranked(rank: int) -> Callable[[Arguments], Settings]:
    return lambda a: _convolution(a, rank)


# The operator that torch's own layers consist of, by the layer's class.
_LAYERS: Mapping[str, tuple[str, Callable[[Arguments], Settings]]] = {
    **{f"conv.Conv{d}d": (f"conv{d}d", _ranked(d)) for d in (1, 2, 3)},
    "linear.Linear": ("linear", _linear),
    **{f"batchnorm.BatchNorm{d}d": ("batch_norm", _batch_norm) for d in (1, 2, 3)},
    "normalization.LayerNorm": ("layer_norm", _layer_norm),
    "normalization.GroupNorm": ("group_norm", _group_norm),
    "sparse.Embedding": ("embedding", _embedding),
    **{f"pooling.{kind}Pool{d}d": (f"{kind.lower()}_pool{d}d", _pool) for kind in ("Max", "Avg") for d in (1, 2, 3)},
    **{
        f"pooling.Adaptive{kind}Pool{d}d": (f"adaptive_{kind.lower()}_pool{d}d", _adaptive)
        for kind in ("Max", "Avg")
        for d in (1, 2, 3)
    },
    "dropout.Dropout": ("dropout", _dropout),
}


def settings(program: Program) -> dict[str, Settings]:
    """By module's path."""
    found: dict[str, Settings] = {}
    for path, layer, node in _of_layers(program):
        operator, tell = layer
        if path not in found and node.target.split(".")[-2:-1] == [operator]:
            try:
                found[path] = tell(Arguments(node, program.graph))
            except (LookupError, ValueError):
                continue
    return found


def _of_layers(program: Program) -> Iterator[tuple[str, tuple[str, Callable[[Arguments], Settings]], Node]]:
    for node in program.graph.nodes:
        if node.frames:
            innermost = node.frames[-1]
            layer = _LAYERS.get(innermost.cls.removeprefix("torch.nn.modules."))
            if layer is not None:
                yield innermost.path, layer, node
