"""fvcore's `FlopCountAnalysis`, which traces with `torch.jit`, and its `parameter_count`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import by_position, own, paths
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "fvcore"
MODULE = "fvcore"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is called flop and is a MAC. Counts of a module contain those of what it owns, not of what it calls."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, by_position(model, args, kwargs, "fvcore"))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    weights = parameter_count(model)
    return Reading(
        "fvcore",
        total=plain(analysis.total()),
        params=weights[""],
        layers=plainly(own(analysis.by_module())),
        layer_params=own({path: weights[path] for path in paths(model).values()}),
    )
