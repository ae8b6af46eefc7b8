"""The model and its inputs as the conditions want them. The user's own model is never changed: a copy of it is."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.conditions import Conditions
from profiler.inputs import TensorSpec
from profiler.trace.arrange import arrange
from profiler.trace.feed import map_leaves, on_meta, once
from profiler.trace.layouts import META
from profiler.trace.subject import Subject


def prepared(subject: Subject, under: Conditions) -> Subject:
    """The subject to be run under these conditions, on a copy of its model."""
    rebuild = _rebuild(subject)

    def arranged(model: nn.Module) -> nn.Module:
        if under.dtype is not None:
            model.to(getattr(torch, under.dtype))
        if under.training is not None:
            arrange(model, under.training, subject.name)
        return model

    cast = _cast_to(under.dtype)
    return dataclasses.replace(
        subject,
        model=arranged(without_weights(subject)),
        args=map_leaves(cast, subject.args),
        kwargs=map_leaves(cast, dict(subject.kwargs)),
        rebuild=None if rebuild is None else lambda: arranged(rebuild()),
    )


def _cast_to(name: str | None) -> Callable[[Any], Any]:
    """Floating-point inputs in another dtype; integers stay as they are."""

    def cast(leaf: Any) -> Any:
        if name is None:
            return leaf
        if isinstance(leaf, TensorSpec):
            is_float = getattr(torch, leaf.dtype).is_floating_point
            return dataclasses.replace(leaf, dtype=name) if is_float else leaf
        return on_meta(leaf).to(getattr(torch, name)) if leaf.is_floating_point() else leaf

    return once(cast)


def _rebuild(subject: Subject) -> Callable[[], nn.Module] | None:
    """A model with values, for engines that want them: a copy of the user's own where it has some."""
    model = subject.model
    if subject.rebuild is not None or any(weight.is_meta for weight in chain(model.parameters(), model.buffers())):
        return subject.rebuild
    return lambda: copy.deepcopy(model)


def without_weights(subject: Subject) -> nn.Module:
    """A copy of the subject's model with parameters on the meta device; what else it holds is copied as it is."""
    held: dict[int, Any] = {id(p): nn.Parameter(_empty(p), p.requires_grad) for p in subject.model.parameters()}
    held |= {id(t): _empty(t) for t in _computed(subject.model)}
    try:
        return copy.deepcopy(subject.model, held)
    except Exception as error:
        raise errors.CannotBeCast(subject.name, error) from error


def _computed(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that a module keeps of an earlier pass, with the graph that they come from: torch copies none such."""
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor) and not value.is_leaf)


def _empty(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device=META, requires_grad=False)
