"""Which models does a command line name, and how are they shown? What one word of it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from profiler.answers.models.metrics import Metric


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of a list."""

    spec: str
    label: str | None = None
    inputs: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelList:
    """A file's models, and its settings by the names of the options that they stand for."""

    models: tuple[Listed, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
