"""What is to be traced? A model, and what to feed it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import nn

from profiler.engine.run.importing import importing_from


class Rebuilt(NamedTuple):
    """A model that was built again, and the inputs that its builder returned with it."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(slots=True)
class Subject:
    """A model and what to feed it. `TensorSpec`s among the arguments stand for tensors of that shape.

    `rebuild` makes the model again with real weights, for models that were built without; where the builder returns
    inputs as well, and those are what it is fed, both are new. `notes` are sentences about the model that a report has
    to have. `cache` is what an earlier run returned for this one to go on from, by the names of arguments; a run is
    handed a copy of it. `keeps_output` is whether what the model returns is wanted too, and not only what it costs.
    `folder` is where its code imports from; see `importing.py`.
    """

    model: nn.Module
    name: str
    source: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    rebuild: Callable[[], nn.Module | Rebuilt] | None = None
    notes: tuple[str, ...] = ()
    cache: Mapping[str, Any] = field(default_factory=dict)
    keeps_output: bool = False
    folder: str | None = None

    def rebuilt(self) -> Subject:
        """The same with real weights, and with the inputs that were built with them."""
        assert self.rebuild is not None
        with importing_from(self.folder):
            again = self.rebuild()
        if isinstance(again, Rebuilt):
            return dataclasses.replace(self, model=again.model, args=again.args, kwargs=again.kwargs, rebuild=None)
        return dataclasses.replace(self, model=again, rebuild=None)
