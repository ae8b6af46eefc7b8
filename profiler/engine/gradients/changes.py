"""How is one layer changed for a while? Its weights rounded or pruned, or the layer left out, and all put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from profiler.engine.changing.identity import Identity
from profiler.engine.changing.replaced import replaced
from profiler.engine.gradients.rounding import rounded
from profiler.engine.record.structure import class_names
from profiler.records.schemes import Scheme, has_outputs_second
from profiler.records.sensitivities import zeros


@contextmanager
def rewritten(weights: Mapping[str, nn.Parameter], change: Callable[[str, Tensor], Tensor]) -> Iterator[None]:
    """Weights with other values, which every module that shares one has; then the same bits as before."""
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    try:
        for name, weight in weights.items():
            weight.data.copy_(change(name, weight.detach()))
        yield
    finally:
        for name, weight in weights.items():
            weight.data.copy_(before[name])


def quantised(model: nn.Module, scheme: Scheme) -> Callable[[str, Tensor], Tensor]:
    """What rounds a parameter of a name as a scheme stores it."""

    def change(name: str, weight: Tensor) -> Tensor:
        module = model.get_submodule(name.rpartition(".")[0])
        return rounded(weight, scheme, has_outputs_second(class_names(type(module))))

    return change


def pruned(share: float) -> Callable[[str, Tensor], Tensor]:
    """What makes the smallest weights of a parameter 0, as many as `torch.nn.utils.prune.l1_unstructured` does."""

    def change(_: str, weight: Tensor) -> Tensor:
        smallest = torch.topk(weight.abs().flatten(), zeros(weight.numel(), share), largest=False).indices
        return weight.flatten().index_fill(0, smallest, 0).reshape(weight.shape)

    return change


@contextmanager
def left_out(model: nn.Module, path: str, more: int | None) -> Iterator[None]:
    """A layer that returns what it takes. more: how many entries a tuple that it returns has behind the first."""
    with replaced(model, path, Identity(more)):
        yield
