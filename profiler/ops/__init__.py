"""What does one operator call cost? One file a family; formulas are pure functions of shapes, and torch is not needed.

The folder is the list of all operators that we know, and `layers` of all kinds of layers: `folder` reads them at the
first question. `registry` says how to add an operator, `layers.kind` a layer; `cost` is the unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from profiler.ops import registry
from profiler.ops.cost import Cost, product
from profiler.ops.folder import load
from profiler.ops.layers import kind as kinds
from profiler.ops.registry import F, Uncovered, cost, family, free_reason, is_known, spent

__all__ = [
    "Cost",
    "Uncovered",
    "cost",
    "family",
    "formula",
    "free",
    "free_reason",
    "is_known",
    "kind",
    "product",
    "spent",
]


def formula(*names: str, replace: bool = False) -> Callable[[F], F]:
    """As `registry.formula`, for operators of your own: after all of ours, so that a second one is noticed."""
    load()
    return registry.formula(*names, replace=replace)


def free(reason: str, *names: str, **moved: Any) -> None:
    """As `registry.free`, for operators of your own."""
    load()
    registry.free(reason, *names, **moved)


def kind(*classes: str, **what: Any) -> None:
    """As `layers.kind.kind`, for layers of your own."""
    load()
    kinds.kind(*classes, **what)
