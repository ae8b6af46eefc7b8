"""What can a profile not see in a frozen TorchScript module? Weights that are constants, and kernels of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from profiler import errors

_HIDDEN = ("prim::mkldnn", "mkldnn::")  # called by the interpreter itself: no dispatcher sees them


def frozen_notes(modules: Iterable[nn.Module], model: str) -> tuple[str, ...]:
    """Sentences about the frozen modules of a model; raises `errors.ProfileError`."""
    weights = 0
    for graph in _graphs(modules):
        for node in _nodes(graph):
            if node.kind().startswith(_HIDDEN):
                raise _optimized_graph(model, node.kind())
            if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
                tensor = node.t("value")
                weights += tensor.numel() if tensor.is_floating_point() and tensor.dim() else 0
    return (f"{weights:,} weights are constants of a frozen graph, and no parameters",) if weights else ()


def _graphs(modules: Iterable[nn.Module]) -> Iterator[Any]:
    """A module that was frozen has no mode; those inside of it are gone."""
    for module in modules:
        if isinstance(module, torch.jit.ScriptModule) and not hasattr(module, "training"):
            yield module.inlined_graph


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


# Error messages -------------------------------------------------------------------------------------------------------


def _optimized_graph(model: str, op: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} computes with {op}, which PyTorch shows to nobody; profile it as it is before "
        "torch.jit.optimize_for_inference"
    )
