"""How is a model run with other layers than its own? It is changed for the run, and so is what is built anew.

Models that are built without weights are built again, with weights, where they have to run on real tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from torch import nn

from profiler.engine.changing.places import places
from profiler.engine.changing.replaced import all_replaced, modules_at
from profiler.engine.run.subject import Rebuilt, Subject

Maker: TypeAlias = Callable[[nn.Module, nn.Module], nn.Module]  # of a layer and the model that it is in, another layer


@contextmanager
def changed(subject: Subject, makers: Mapping[str, Maker]) -> Iterator[Subject]:
    """The subject, whose model has at these paths what is made of its layers there, while the context lasts.

    Raises `errors.ProfileError`.
    """
    rebuild = subject.rebuild
    with all_replaced(subject.model, _made(subject.model, makers)):
        yield dataclasses.replace(
            subject, rebuild=None if rebuild is None else lambda: _changed_for_good(rebuild(), makers)
        )


def _made(model: nn.Module, makers: Mapping[str, Maker]) -> dict[str, nn.Module]:
    olds = modules_at(model, makers)
    return {path: make(old, model) for (path, make), old in zip(makers.items(), olds, strict=True)}


def _changed_for_good(built: nn.Module | Rebuilt, makers: Mapping[str, Maker]) -> nn.Module | Rebuilt:
    """What was built for one run alone."""
    model = built.model if isinstance(built, Rebuilt) else built
    new = _made(model, makers)
    for old, path in zip(modules_at(model, makers), makers, strict=True):
        for place in places(model, old):
            place.put(new[path])
    return built
