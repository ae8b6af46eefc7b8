"""ptflops with its `aten` backend, a dispatch mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import Ledger
from profiler.counters.running.ptflops import complexity
from profiler.counters.running.reading import Reading, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "ptflops"
MODULE = "ptflops"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC. It tells only the model's children apart, so its rules are listened to as it applies them."""
    from ptflops.aten_ops import ATEN_OPS_MAPPING

    counted = [0]
    rules = {op: _heard(rule, counted) for op, rule in ATEN_OPS_MAPPING.items()}
    ledger = Ledger(model, lambda: counted[0])
    with ledger.following():
        total, params = complexity(model, args, kwargs, "ptflops-aten", "aten", custom_modules_hooks=rules)
    ledger.close()
    return Reading("ptflops-aten", total=total, params=params, layers=plainly(ledger.charged))


def _heard(rule: Callable[..., int], counted: list[int]) -> Callable[..., int]:
    """The same rule; what it gives is added up as well."""

    def applied(inputs: Any, outputs: Any) -> int:
        count = rule(inputs, outputs)
        counted[0] += count
        return count

    return applied
