"""What does torch 2.14's own `FlopCounterMode` count, on a CPU, in evaluation, under `torch.no_grad()`?

Its unit is one addition or multiplication: a MAC is two. It sees operators after torch has taken composites apart, and
has formulas for matrix products and convolutions (torch/utils/flop_counter.py, `flop_registry`). So it misses what runs
as one kernel on a CPU, as read in torch's source and seen in its counts:

- fused attention: `_scaled_dot_product_flash_attention_for_cpu` is not registered. Attention is not fused where its
  mask is a trainable parameter;
- `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` where they take their fast path, projections included;
- `nn.LSTM`, which oneDNN runs, except with projections, on packed sequences that are not equally long, or in float64;
- products of a matrix and a vector, and `Bilinear`.

On the meta device it sees the first three.

It has no count of parameters. Its own tables name modules by class and add up whatever runs while a module does, so the
growth of its total is charged to the module that is running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.cpu import PRODUCTS, fast_path_calls, products, unless_fast
from profiler.counters.replay.events import recorded_calls
from profiler.counters.replay.rules import addmm, families
from profiler.counters.running.modules import Ledger
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from torch import nn

_RULES = {**PRODUCTS, **families(("matrix product", ("baddbmm",), addmm, ""))}


def _charges(trace: Trace) -> Iterator[Charge]:
    for charge in unless_fast(products(trace, _RULES, gradients=False), fast_path_calls(trace)):
        yield charge._replace(amount=2 * charge.amount)


CONVENTION = Replica(
    "torch",
    "FlopCounterMode on a CPU: two for each MAC that it sees, and nothing else",
    _charges,
    None,
    lambda op: f"it has no formula for {op.short}",
    recorded_calls,
    per_mac=2,
    version="2.14",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "torch"
MODULE = "torch"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """FLOPs, two to a MAC."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    ledger = Ledger(model, counter.get_total_flops)
    with torch.no_grad(), counter, ledger.following():
        model(*args, **kwargs)
    ledger.close()
    return Reading("torch", total=plain(counter.get_total_flops()), layers=plainly(ledger.charged))
