"""ultralytics-thop's `profile`: a descendant of thop that has taken its import name. Never a dependency of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import Ledger, by_position, paths
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "ultralytics-thop"
MODULE = "thop"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC. Products outside of modules it has a rule for are counted, too, by a function mode."""
    from thop import profile

    given = by_position(model, args, kwargs, DISTRIBUTION)
    ledger = Ledger(model, _functional)
    with ledger.following():
        total, params, inside = profile(model, inputs=given, verbose=False, ret_layer_info=True)
    for path, count in _by_rules(model, inside).items():
        ledger.charged[path] += count
    ledger.charged[""] += total - sum(ledger.charged.values())  # by the model's own rule
    weights = dict.fromkeys(ledger.charged, 0)
    for name, parameter in model.named_parameters():
        weights[name.rpartition(".")[0]] += parameter.numel()
    return Reading(
        DISTRIBUTION,
        total=plain(total),
        params=int(params),
        layers=plainly(ledger.charged),
        layer_params=weights if sum(weights.values()) == params else None,
    )


def _functional() -> float:
    """What its function mode has counted so far."""
    from torch.overrides import _get_current_function_mode_stack

    states = [getattr(mode, "state", None) for mode in _get_current_function_mode_stack()]
    return next((state["ops"] for state in states if isinstance(state, dict) and "ops" in state), 0)


def _by_rules(model: nn.Module, inside: Any) -> dict[str, float]:
    """What its rules charge to each module but the model itself, which is in its total alone.

    `inside` is `{child: (ops, params, inside)}`, and a child's ops contain its children's, unless another parent
    has them already: its walk is repeated here to know which.
    """
    known = paths(model)
    charges: dict[str, float] = {}
    added: set[int] = set()

    def walk(module: nn.Module, said: Any) -> float:
        total = 0.0
        for name, child in module.named_children():
            ops, _, deeper = said[name]
            charges[known[id(child)]] = ops - walk(child, deeper)
            if id(child) not in added:
                added.add(id(child))
                total += ops
        return total

    walk(model, inside)
    return charges
