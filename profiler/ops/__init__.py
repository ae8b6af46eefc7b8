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
    "registrations",
    "spent",
]


def registrations() -> tuple[int, int]:
    """How often operators were registered, and how many kinds of layers are: what counts differ by."""
    return registry.generation(), kinds.known()


def formula(*names: str, replace: bool = False) -> Callable[[F], F]:
    """Register a function as the cost formula of operators of your own.

    names: "mylib.scale_add", which stands for all overloads and the in-place twin; or one overload.
    replace: whether it takes the place of a formula that there is; else `ValueError`.

    The function takes what the operator takes, tensors as `Tensor(shape, dtype)`, and its result as `out`; it returns a
    `Cost`, and raises `Uncovered` of a case that it does not cover.
    """
    load()
    return registry.formula(*names, replace=replace)


def free(reason: str, *names: str, **moved: Any) -> None:
    """Declare operators of your own that compute nothing.

    reason: why, in words.
    names: as `formula` takes them; `ValueError` where one is known already.
    moved: reads, writes: whether inputs are read and outputs written all the same, as a copy does, and a view does not.
    """
    load()
    registry.free(reason, *names, **moved)


def kind(*classes: str, **what: Any) -> None:
    """Register what is known of layers of your own.

    classes: their qualified names, "mylib.LowRank"; `ValueError` where one is registered already.
    what: words: a template of the layer's settings, "{width}, rank {rank}", or a function of them and the class's name;
        parameters: a function from its settings and the names of its parameters to a count.
    """
    load()
    kinds.kind(*classes, **what)
