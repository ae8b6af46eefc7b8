"""The FLOPs that DeepSpeed gives beside its MACs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler.counters.running import deepspeed
from profiler.counters.running.reading import Reading

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = deepspeed.DISTRIBUTION
MODULE = deepspeed.MODULE


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """FLOPs, in the place of MACs."""
    reading = deepspeed.read(model, args, kwargs)
    return replace(reading, tool="deepspeed-flops", total=reading.flops, layers=reading.layer_flops)
