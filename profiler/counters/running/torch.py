"""PyTorch's own `FlopCounterMode`, a dispatch mode, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import Ledger
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "torch"
MODULE = "torch"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a FLOP, two to a MAC. It has no count of parameters.

    Its own tables name modules by class and add up whatever runs while a module does, so modules are told apart here.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    ledger = Ledger(model, counter.get_total_flops)
    with torch.no_grad(), counter, ledger.following():
        model(*args, **kwargs)
    ledger.close()
    return Reading("torch", total=plain(counter.get_total_flops()), layers=plainly(ledger.charged))
