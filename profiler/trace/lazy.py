"""A model as it is after its first forward pass, without making that pass on the user's model.

Lazy modules know their shapes from then on, and some models build layers in it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from profiler import errors
from profiler.trace.failure import Unfinished
from profiler.trace.feed import input_records, on_device, on_meta, once
from profiler.trace.guard import Guard, Program, cleared
from profiler.trace.layouts import META, layout_of
from profiler.trace.subject import Rebuilt, Subject
from profiler.trace.walk import leaves, map_leaves

_CPU = torch.device("cpu")


def waits_for_input(module: nn.Module) -> bool:
    """Whether a module does not know its shapes yet."""
    return isinstance(module, LazyModuleMixin) and bool(module.has_uninitialized_params())


def initialized(subject: Subject) -> Subject:
    """The subject with a copy of its model that has made its first forward pass.

    On the meta device where that goes; whatever is raised there, on real tensors. Raises `errors.ModelFailed` for what
    fails on those too.
    """
    try:
        model = cleared(lambda: _FirstPass(subject, lambda: _meta_copy(subject.model), META, on_meta))
    except Exception:  # whatever code may raise that is shown tensors without values
        return _really(subject)
    return dataclasses.replace(subject, model=model, rebuild=lambda: _rebuilt(_really(subject)))


def _really(subject: Subject) -> Subject:
    """The same on real tensors: of a copy, or of a model that is built again."""
    is_meta = any(not is_lazy(weight) and weight.is_meta for weight in subject.model.parameters())
    real = subject.rebuilt() if is_meta and subject.rebuild is not None else subject
    made = (lambda: real.model) if real is not subject else (lambda: _copied(subject))
    generator = torch.Generator().manual_seed(0)
    attempt = _FirstPass(real, made, _CPU, lambda leaf: on_device(leaf, _CPU, generator))
    try:
        model = cleared(lambda: attempt)
    except errors.ProfileError:
        raise
    except Exception as error:
        raise Unfinished(error, input_records(real.args, dict(real.kwargs))).refusal(subject.name) from error
    return dataclasses.replace(real, model=model, rebuild=None)


class _FirstPass:
    """The first forward pass of another model than the user's, which may reach that one, and all that is around it."""

    clearing: tuple[Program, Callable[[torch.Tensor], bool]] | None = None

    def __init__(
        self, subject: Subject, made: Callable[[], nn.Module], device: torch.device, fed: Callable[[Any], Any]
    ) -> None:
        self._subject = subject
        self._made = made
        self._device = device
        self._fed = fed

    def made(self) -> nn.Module:
        subject = self._subject
        model = self._made()
        guard = Guard(list(subject.model.modules())) if model is not subject.model else Guard([])
        kept: set[int] = set()
        self.clearing = guard.program, lambda tensor: tensor.is_meta and id(tensor) not in kept
        given = [*leaves(subject.args), *leaves(dict(subject.kwargs))]
        guard.keep_tensors([(tensor, layout_of(tensor)) for tensor in given], with_values=True)
        for weight in chain(subject.model.parameters(), subject.model.buffers()):
            if not is_lazy(weight) and not weight.is_meta:
                guard.before_write(weight)  # what it is tied to, or a closure, may write on the user's own
        ready = once(self._fed)
        try:
            with torch.device(self._device):
                _first_pass(model, map_leaves(ready, subject.args), map_leaves(ready, dict(subject.kwargs)))
        finally:
            guard.restore()
        kept.update(id(tensor) for tensor in chain(model.parameters(), model.buffers()))
        return model


def _copied(subject: Subject) -> nn.Module:
    try:
        return copy.deepcopy(subject.model)
    except Exception as error:  # of what it holds
        raise errors.FirstPassNeedsCopy(subject.name, error) from error


def _rebuilt(subject: Subject) -> Rebuilt:
    return Rebuilt(subject.model, subject.args, subject.kwargs)


def _first_pass(model: nn.Module, args: Any, kwargs: Any) -> None:
    """With gradients, as a caller would: what is built in it are ordinary parameters."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.enable_grad():
        model(*args, **kwargs)
    for module in model.modules():
        module.training = modes.get(module, False)
        for weight in module.parameters(recurse=False):
            weight.grad = None


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
