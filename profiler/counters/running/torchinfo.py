"""torchinfo's `summary`, which hooks modules and counts by their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import paths
from profiler.counters.running.reading import Reading, plain, plainly

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
    charges, weights = _by_module(model, found)
    total, params = plain(found.total_mult_adds), found.total_params
    whole_charges, whole_weights = _unmasked(model, found)
    return Reading(
        "torchinfo",
        total=total,
        params=params,
        layers=plainly(charges),
        layer_params=weights,
        asides=_asides(charges, whole_charges),
        param_asides=_asides(weights, whole_weights),
    )


def _by_module(model: nn.Module, found: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Its lines' mult-adds and parameters, by the paths of their modules."""
    known = paths(model)
    charges = dict.fromkeys(known.values(), 0)
    weights = dict.fromkeys(known.values(), 0)
    for line in found.summary_list:
        path = known[line.layer_id]
        if line.is_leaf_layer:
            charges[path] += line.macs
        if not line.is_recursive:
            weights[path] += max(line.num_params if line.is_leaf_layer else line.leftover_params(), 0)
    return charges, weights


_MASKED = "a pruned weight counts the ones in its mask"


def _unmasked(model: nn.Module, found: Any) -> tuple[dict[str, int], dict[str, int]]:
    """The same if no weight were pruned, as it counts itself. Fills the masks, and changes the lines."""
    masks = [mask for name, mask in model.named_buffers() if name.endswith("_mask")]
    if masks:
        for mask in masks:
            mask.fill_(1)
        for line in found.summary_list:
            line.calculate_num_params()
            if line.macs:
                line.macs = 0
                line.calculate_macs()
    return _by_module(model, found)


def _asides(masked: Mapping[str, int], whole: Mapping[str, int]) -> dict[str, dict[str, int]]:
    less = {path: count - whole[path] for path, count in masked.items() if count != whole[path]}
    return {_MASKED: less} if less else {}
