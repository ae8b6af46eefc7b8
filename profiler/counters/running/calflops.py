"""calflops' `calculate_flops`, which hooks modules and patches functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import after_forward, paths, visits
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "calflops"
MODULE = "calflops"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs, and FLOPs beside them. Its sum meets a module that two parents share at each of them."""
    from calflops import calculate_flops

    macs_of: dict[str, Any] = {}
    flops_of: dict[str, Any] = {}
    with after_forward(model, lambda: left_on(model, macs_of, flops_of)):
        flops, macs, params = calculate_flops(
            model, args=list(args), kwargs=dict(kwargs), print_results=False, output_as_string=False
        )
    times = visits(model)
    return Reading(
        "calflops",
        total=plain(macs),
        params=int(params),
        layers=plainly({path: count * times[path] for path, count in macs_of.items()}),
        flops=plain(flops),
        layer_flops=plainly({path: count * times[path] for path, count in flops_of.items()}),
    )


def left_on(model: Any, macs: dict[str, Any], flops: dict[str, Any]) -> None:
    """The counts that it (and DeepSpeed, whose code it has) leaves on each module until it has added them up."""
    known = paths(model)
    for module in model.modules():
        macs[known[id(module)]] = module.__macs__
        flops[known[id(module)]] = module.__flops__
