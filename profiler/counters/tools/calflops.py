"""Which MACs does calflops 0.3.2 count, by `calculate_flops(model, ...)`? It gives FLOPs beside them.

It patches functions of torch.nn.functional and torch (calflops/pytorch_ops.py), charges each call to the module that is
running, and adds up from a module to its children. Gradients are enabled, so that the fast path of attention is taken
only where nothing is trainable. Read there, and compared with what it prints:

- `x @ y`, `mm`, `bmm`, fused attention, `Bilinear` and recurrent layers count nothing, and `einsum` counts FLOPs alone.
- `matmul` takes the left operand's size times the right one's last width: (4, 5) by (7, 5, 6) gives 120 and is 840,
  and a matrix by a vector of 7 is 7 times too large.
- A transposed convolution divides its output channels by the groups twice: half of the MACs with 2 groups, none where
  there is a group for each channel.
- A convolution's output size is computed from its arguments. With padding="same" and an even kernel it is too small.
- A module that stands under two parents is counted for each of them.

It fails on a model without parameters, and on inputs that are no tensors.

It is read when the forward pass has ended, from the counts that it leaves on each module and adds up afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.events import Operator
from profiler.counters.replay.hooks import visits
from profiler.counters.replay.patches import SHARED, TRANSPOSED, patched
from profiler.counters.replay.rules import families, tensor, trainable_parameters, where
from profiler.counters.running.modules import after_forward, paths, visit_counts
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.records.trace import Trace

if TYPE_CHECKING:
    from torch import nn


def _transposed(op: Operator) -> int:
    x, weight = tensor(op, 0), tensor(op, 1)
    groups: int = op.arg(6, "groups", 1)
    return x.numel * (weight.shape[1] // groups) * prod(weight.shape[2:])


def _is_grouped(op: Operator) -> bool:
    return bool(op.arg(6, "groups", 1) != 1)


RULES = families(
    *SHARED,
    (
        "transposed convolution",
        TRANSPOSED,
        _transposed,
        where(_is_grouped, "its output channels are divided by the groups twice"),
    ),
)
_AGAIN = "a module that stands under several parents counts again for each"


def for_each_parent(trace: Trace, charges: Iterable[Charge]) -> Iterator[Charge]:
    """What is charged to a module, and that again for each further parent it stands under."""
    times = Counter(visits(trace))
    for charge in charges:
        yield charge
        again = times[charge.module] - 1
        if again and charge.amount:
            yield Charge(again * charge.amount, charge.module, charge.calls[:0], charge.family, _AGAIN)


def _unseen(op: Operator) -> str:
    if op.name in RULES:
        return "written as a sign, x @ y, which is not patched"
    return "einsum counts FLOPs, and no MACs" if op.short == "einsum" else f"{op.short} is not among its functions"


CONVENTION = Replica(
    "calflops",
    "calflops' MACs: of linear layers, convolutions and torch.matmul; not of x @ y, bmm and fused attention",
    lambda trace: for_each_parent(trace, patched(trace, RULES, counts_signs=False)),
    trainable_parameters,
    _unseen,
    version="0.3.2",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "calflops"
MODULE = "calflops"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs, and FLOPs beside them. Its sum meets a module that two parents share at each of them."""
    from calflops import calculate_flops

    def run() -> tuple[Any, Any, Any]:
        quiet: dict[str, Any] = {"print_results": False, "output_as_string": False}
        counts: tuple[Any, Any, Any] = calculate_flops(model, args=list(args), kwargs=dict(kwargs), **quiet)
        return counts

    return read_counts("calflops", model, run, visit_counts(model))


def read_counts(tool: str, model: Any, run: Callable[[], tuple[Any, Any, Any]], times: Mapping[str, int]) -> Reading:
    """What it (or DeepSpeed, whose code it has) leaves on each module until it has added that up, so many times."""
    macs_of: dict[str, Any] = {}
    flops_of: dict[str, Any] = {}

    def look() -> None:
        by_id = paths(model)
        for module in model.modules():
            path = by_id[id(module)]
            macs_of[path], flops_of[path] = module.__macs__ * times[path], module.__flops__ * times[path]

    with after_forward(model, look):
        flops, macs, params = run()
    return Reading(
        tool,
        total=plain(macs),
        params=int(params),
        layers=plainly(macs_of),
        flops=plain(flops),
        layer_flops=plainly(flops_of),
    )
