"""The FLOPs that calflops gives beside its MACs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler.counters.running import calflops
from profiler.counters.running.reading import Reading

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = calflops.DISTRIBUTION
MODULE = calflops.MODULE


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """FLOPs, in the place of MACs."""
    reading = calflops.read(model, args, kwargs)
    return replace(reading, tool="calflops-flops", total=reading.flops, layers=reading.layer_flops)
