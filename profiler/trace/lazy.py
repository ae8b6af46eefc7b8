"""Lazy modules: a model as it is after its first forward pass, without making that pass on the user's model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from profiler import errors
from profiler.trace.feed import input_records, map_leaves, on_meta
from profiler.trace.layouts import META
from profiler.trace.subject import Subject


def waits_for_input(module: nn.Module) -> bool:
    """Whether a module does not know its shapes yet."""
    return isinstance(module, LazyModuleMixin) and bool(module.has_uninitialized_params())


def initialized(subject: Subject) -> nn.Module:
    """A copy of the subject's model, on the meta device, that has made its first forward pass."""
    model = _meta_copy(subject.model)
    args, kwargs = map_leaves(on_meta, subject.args), map_leaves(on_meta, dict(subject.kwargs))
    try:
        with torch.no_grad():
            model(*args, **kwargs)
    except Exception as error:
        raise errors.ModelFailed(subject.name, error, input_records(args, kwargs)) from error
    return model


def _meta_copy(model: nn.Module) -> nn.Module:
    """A copy whose weights are on the meta device, the uninitialised ones still uninitialised."""
    copies: dict[int, Any] = {id(p): _on_meta(p) for p in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, copies)


def _on_meta(weight: torch.Tensor) -> torch.Tensor:
    if is_lazy(weight):
        make: Callable[..., torch.Tensor] = type(weight)
        return make(device=META)
    moved = torch.empty_like(weight, device=META)
    return nn.Parameter(moved, weight.requires_grad) if isinstance(weight, nn.Parameter) else moved
