"""DeepSpeed's `get_model_profile`, which hooks modules and patches functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.calflops import left_on
from profiler.counters.running.modules import after_forward
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "deepspeed"
MODULE = "deepspeed"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs, and FLOPs beside them. Without its warm-up, which serves its measure of time."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    macs_of: dict[str, Any] = {}
    flops_of: dict[str, Any] = {}
    with after_forward(model, lambda: left_on(model, macs_of, flops_of)):
        flops, macs, params = get_model_profile(
            model, args=list(args), kwargs=dict(kwargs), print_profile=False, warm_up=0, as_string=False
        )
    return Reading(
        "deepspeed",
        total=plain(macs),
        params=int(params),
        layers=plainly(macs_of),
        flops=plain(flops),
        layer_flops=plainly(flops_of),
    )
