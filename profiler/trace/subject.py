"""What is to be traced: a model and what to feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn


@dataclass(slots=True)
class Subject:
    """A model and what to feed it. `TensorSpec`s among the arguments stand for tensors of that shape.

    `rebuild` makes the model again with real weights, for models that were built without. `notes` are sentences about
    the model that a report has to have. `cache` is what an earlier run returned for this one to go on from, by the
    names of arguments; a run is handed a copy of it. `keeps_output` is whether what the model returns is wanted too,
    and not only what it costs.
    """

    model: nn.Module
    name: str
    source: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    rebuild: Callable[[], nn.Module] | None = None
    notes: tuple[str, ...] = ()
    cache: Mapping[str, Any] = field(default_factory=dict)
    keeps_output: bool = False
