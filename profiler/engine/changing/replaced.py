"""How is one module of a model replaced, and everything put back? As a context, of which several may be nested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import RLock

import torch
from torch import nn

from profiler import errors
from profiler.engine.changing.places import Place, places
from profiler.engine.record.structure import Structure


class _Change:
    """A module in the place of another; it is in force from `make` to `undo`."""

    def __init__(self, model: nn.Module, old: nn.Module, new: nn.Module) -> None:
        self.new = new
        self.places = places(model, old)

    def make(self) -> None:
        _in_force.append(self)
        for place in self.places:
            place.put(self.new)

    def undo(self) -> None:
        """Where a later change has taken a place over, that one puts back what this one would have."""
        later = _in_force[_in_force.index(self) + 1 :]
        _in_force.remove(self)
        for place in self.places:
            above = _first_at(place, later)
            if above is None:
                place.put_back(self.new)
            else:
                above.module = place.module


_in_force: list[_Change] = []
_lock = RLock()


def _first_at(place: Place, changes: list[_Change]) -> Place | None:
    return next((other for change in changes for other in change.places if other.is_same(place)), None)


@contextmanager
def replaced(model: nn.Module, path: str, by: nn.Module) -> Iterator[nn.Module]:
    """The model with another module at a path, and wherever else it holds the one that is there.

    Afterwards that one is where it was, also where the context raised; what the context changed besides stays changed.
    Contexts may be nested and may end in any order. Raises `errors.ProfileError` where there is no such path.
    """
    with all_replaced(model, {path: by}):
        yield model


@contextmanager
def all_replaced(model: nn.Module, by_path: Mapping[str, nn.Module]) -> Iterator[nn.Module]:
    """The same for several modules."""
    olds = modules_at(model, by_path)
    with ExitStack() as stack:
        for old, new in zip(olds, by_path.values(), strict=True):
            stack.enter_context(_in_place_of(model, old, new))
        yield model


@contextmanager
def _in_place_of(model: nn.Module, old: nn.Module, new: nn.Module) -> Iterator[None]:
    change = _Change(model, old, new)
    try:
        with _lock:
            change.make()
        yield
    finally:
        with _lock:
            change.undo()


def modules_at(model: nn.Module, paths: Iterable[str]) -> list[nn.Module]:
    """The modules at paths, as a trace writes paths; raises `errors.ProfileError`."""
    name = type(model).__name__
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise _is_scripted(name)
    structure = Structure(model)
    by_path = {module.path: layer for module, layer in zip(structure.modules, structure.objects, strict=True)}
    for path in paths:
        if not path:
            raise _is_the_model(name)
        if path not in by_path:
            raise _no_such_path(name, path, by_path)
    return [by_path[path] for path in paths]


# Error messages -------------------------------------------------------------------------------------------------------


def _is_the_model(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} is replaced as a whole by another model; name one of its layers")


def _is_scripted(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} is scripted, and what TorchScript compiled has no layers to replace; give the model that was scripted"
    )


def _no_such_path(model: str, path: str, paths: Iterable[str]) -> errors.ProfileError:
    near = errors.nearest(path, paths)
    remedy = f"did you mean {', '.join(near)}?" if near else "see them with profile-model MODEL --columns path"
    return errors.ProfileError(f"{model} has no layer {path!r}; {remedy}")
