"""What is a model after its first forward pass? Lazy modules know their shapes from then on, and some build layers."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from contextvars import copy_context
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from profiler.engine.containers.layouts import META, layout_of
from profiler.engine.containers.walk import leaves, map_leaves
from profiler.engine.guard.guard import Guard
from profiler.engine.run.failure import Unfinished
from profiler.engine.run.feed import input_records, on_device, on_meta, once
from profiler.engine.run.standins import StandIns
from profiler.engine.run.subject import Rebuilt, Subject

_CPU = torch.device("cpu")


def waits_for_input(model: nn.Module) -> bool:
    """Whether a module of a model does not know its shapes yet."""
    return any(isinstance(module, LazyModuleMixin) and module.has_uninitialized_params() for module in _modules(model))


def _modules(model: nn.Module) -> Iterable[nn.Module]:
    """Each once; `Module.modules` makes their names as well."""
    modules, waiting = {id(model): model}, [model]
    while waiting:
        for child in waiting.pop()._modules.values():
            if child is not None and id(child) not in modules:
                modules[id(child)] = child
                waiting.append(child)
    return modules.values()


def initialized(subject: Subject, after: ExitStack) -> Subject:
    """The subject with a model that has made its first forward pass; `after` brings it back.

    The pass is made by the model itself, on other weights: on the meta device where that goes; whatever is raised
    there, with values. Raises `errors.ModelFailed` for what fails on those too.
    """
    stand_ins = after.enter_context(StandIns(subject.model))
    stand_ins.keep_values()
    weights = [weight for weight in subject.model.parameters() if not is_lazy(weight)]
    is_built = subject.rebuild is not None and any(weight.is_meta for weight in weights)

    def really() -> Subject:
        real = subject.rebuilt() if is_built else subject
        if not is_built:
            stand_ins.copies(buffers=True)
        generator = torch.Generator().manual_seed(0)
        try:
            _first_pass(real, _CPU, lambda leaf: on_device(leaf, _CPU, generator))
        except Exception as error:
            raise Unfinished(error, input_records(real.args, dict(real.kwargs))).refusal(subject.name) from error
        return dataclasses.replace(real, rebuild=None)

    stand_ins.empty(buffers=True)
    try:
        _first_pass(subject, META, on_meta)
    except Exception:  # whatever code may raise that is shown tensors without values
        return really()
    finally:
        stand_ins.remember(_of_meta())
    stand_ins.give_back()
    return dataclasses.replace(subject, rebuild=lambda: _rebuilt(really()))


def _of_meta() -> Iterator[torch.Tensor]:
    """The meta tensors that were just made."""
    return (thing for thing in gc.get_objects(0) if issubclass(type(thing), torch.Tensor) and thing.is_meta)


def _rebuilt(subject: Subject) -> Rebuilt:
    return Rebuilt(subject.model, subject.args, subject.kwargs)


def _first_pass(subject: Subject, device: torch.device, make: Callable[[Any], Any]) -> None:
    """With gradients, as a caller would: what is built in it are ordinary parameters. What is around it comes back."""
    around, model = Guard([]), subject.model
    tensors = chain(leaves(subject.args), leaves(dict(subject.kwargs)))
    around.keep_tensors([(tensor, layout_of(tensor)) for tensor in tensors], with_values=True)
    modes = {module: module.training for module in model.modules()}
    ready = once(make)
    try:
        model.eval()
        with torch.device(device), torch.enable_grad():
            args, kwargs = map_leaves(ready, subject.args), map_leaves(ready, dict(subject.kwargs))
            copy_context().run(model, *args, **kwargs)
        for module in model.modules():
            module.training = modes.get(module, False)
            for weight in module.parameters(recurse=False):
                weight.grad = None
    finally:
        around.restore()
