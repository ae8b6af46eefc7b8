"""How are a model and its inputs made as the conditions want them? Other weights stand in for the user's own."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.engine.containers.layouts import META
from profiler.engine.containers.walk import map_leaves
from profiler.engine.run.arrange import arrange
from profiler.engine.run.feed import once
from profiler.engine.run.standins import StandIns
from profiler.engine.run.subject import Rebuilt, Subject
from profiler.records.conditions import Conditions
from profiler.records.inputs import TensorSpec


def prepared(subject: Subject, under: Conditions, after: ExitStack) -> Subject:
    """The subject to be run under these conditions, until `after` brings its model back."""
    stand_ins = None if _is_scripted(subject.model) else after.enter_context(StandIns(subject.model))
    rebuild = _rebuild(subject, stand_ins)

    def arranged(model: nn.Module) -> nn.Module:
        if under.dtype is not None:
            try:
                model.to(getattr(torch, under.dtype))
            except Exception as error:  # a layer's or a weight's own code
                raise _cannot_be_cast(subject.name, error) from error
        if under.training is not None:
            arrange(model, under.training, subject.name)
        return model

    def cast(args: Any) -> Any:
        return map_leaves(_cast_to(under.dtype), args)

    def again() -> nn.Module | Rebuilt:
        assert rebuild is not None
        built = rebuild()
        if isinstance(built, Rebuilt):
            return Rebuilt(arranged(built.model), *cast((built.args, dict(built.kwargs))))
        return arranged(built)

    args, kwargs = cast((subject.args, dict(subject.kwargs)))
    model = arranged(_without_weights(subject, stand_ins))
    return dataclasses.replace(
        subject, model=model, args=args, kwargs=kwargs, rebuild=None if rebuild is None else again
    )


def _cast_to(name: str | None) -> Callable[[Any], Any]:
    """Floating-point inputs in another dtype; integers stay as they are."""

    def cast(leaf: Any) -> Any:
        if name is None:
            return leaf
        if isinstance(leaf, TensorSpec):
            is_float = getattr(torch, leaf.dtype).is_floating_point
            return dataclasses.replace(leaf, dtype=name) if is_float else leaf
        if not leaf.is_floating_point():
            return leaf
        return leaf.detach().to(getattr(torch, name)).requires_grad_(leaf.requires_grad)

    return once(cast)


def _rebuild(subject: Subject, stand_ins: StandIns | None) -> Callable[[], nn.Module | Rebuilt] | None:
    """A model with values, for engines that want them: the user's own on copies of its weights where it has some."""
    model = subject.model
    if subject.rebuild is not None or any(weight.is_meta for weight in chain(model.parameters(), model.buffers())):
        return subject.rebuild

    def rebuilt() -> nn.Module:
        if stand_ins is None:
            return copy.deepcopy(model)
        stand_ins.copies()
        return model

    return rebuilt


def _without_weights(subject: Subject, stand_ins: StandIns | None) -> nn.Module:
    """The subject's model with parameters on the meta device; a copy of it where it is scripted."""
    if stand_ins is not None:
        try:
            stand_ins.empty()
        except Exception as error:  # a weight's own code
            raise _cannot_be_cast(subject.name, error) from error
        return subject.model
    empty_weights: dict[int, Any] = {
        id(p): nn.Parameter(_empty(p), p.requires_grad) for p in subject.model.parameters()
    }
    try:
        return copy.deepcopy(subject.model, empty_weights)
    except Exception as error:
        raise _cannot_be_cast(subject.name, error) from error


def _is_scripted(model: nn.Module) -> bool:
    """Whether some module keeps what it has registered where Python does not get at it."""
    return any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())


def _empty(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device=META, requires_grad=False)


# Error messages -------------------------------------------------------------------------------------------------------


def _cannot_be_cast(model: str, error: BaseException) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} cannot be copied to be run in another way ({type(error).__name__}: {errors.first_line(error)}); "
        "cast it "
        "or set it up before it is profiled"
    )
