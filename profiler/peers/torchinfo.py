"""torchinfo's `summary`, which hooks modules and counts by their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.peers.modules import paths
from profiler.peers.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "torchinfo"
MODULE = "torchinfo"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is called mult-add. Only modules without modules inside count; a call of one is a line of its own."""
    from torchinfo import summary

    if args:
        found = summary(model, input_data=list(args), verbose=0, **kwargs)
    else:
        found = summary(model, input_data=dict(kwargs), verbose=0)
    known = paths(model)
    charges = dict.fromkeys(known.values(), 0)
    weights = dict.fromkeys(known.values(), 0)
    for line in found.summary_list:
        path = known[line.layer_id]
        if line.is_leaf_layer:
            charges[path] += line.macs
        if not line.is_recursive:
            weights[path] += max(line.num_params if line.is_leaf_layer else line.leftover_params(), 0)
    return Reading(
        "torchinfo",
        total=plain(found.total_mult_adds),
        params=found.total_params,
        layers=plainly(charges),
        layer_params=weights,
    )
