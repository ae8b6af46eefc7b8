"""thop's `profile`, which hooks modules it has a rule for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.counters.running.modules import by_position, paths
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "thop"
MODULE = "thop"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC."""
    return read_thop(model, by_position(model, args, kwargs, "thop"), "thop")


def read_thop(model: nn.Module, args: tuple[Any, ...], tool: str) -> Reading:
    """By what `import thop` finds; the caller knows that it is the tool of that name."""
    profile = _imported(tool)
    total, params, inside = profile(model, inputs=args, verbose=False, ret_layer_info=True)
    charges = dict.fromkeys(paths(model).values(), 0.0)
    weights = dict.fromkeys(charges, 0.0)
    _charge(model, (total, params, inside), paths(model), charges, weights)
    return Reading(
        tool,
        total=plain(total),
        params=int(params),
        layers=plainly(charges),
        layer_params={path: int(count) for path, count in weights.items()},
    )


def _imported(tool: str) -> Any:
    try:
        from thop import profile
    except ModuleNotFoundError as error:
        if error.name != "distutils":
            raise
        raise errors.PeerNeedsDistutils(tool) from None
    return profile


def _charge(
    module: nn.Module, said: Any, known: Mapping[int, str], charges: dict[str, float], weights: dict[str, float]
) -> None:
    """What it says of a module is `(ops, params, {child: ...})`, the children's included where they are listed.

    A module that two others share is listed by both, and stands in the total twice.
    """
    ops, params, inside = said
    for name, child in module.named_children():
        if name in inside:
            ops, params = ops - inside[name][0], params - inside[name][1]
            _charge(child, inside[name], known, charges, weights)
    charges[known[id(module)]] += ops
    weights[known[id(module)]] += params
