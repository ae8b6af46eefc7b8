"""Which FLOPs does calflops 0.3.2 count, by `calculate_flops(model, ...)`? It prints them first, beside its MACs.

What it sees, and which products it counts too large, is as in `calflops.py`; what its FLOPs share with DeepSpeed's, in
`replay/patched_flops.py`. Its own, read in calflops/pytorch_ops.py and compared with what it prints:

- A transposed convolution's bias is counted for one group's channels, at the positions of an output of a convolution,
  which shrinks with the stride. Its MACs are divided by the groups twice.
- Interpolation by scale factors counts its input: the product with them is computed and dropped. Factors of each
  dimension fail, unless there are as many as samples.
- `torch.add` and its kin line up the two shapes from the left: (2, 6, 5) plus (5,) is 5·6·5.

It is read as `calflops` is, with these FLOPs in the place of the MACs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Replica
from profiler.counters.replay.events import Operator
from profiler.counters.replay.patched_flops import Differences, flops
from profiler.counters.replay.patches import WHY_FROM_THE_LEFT, expected, from_the_left
from profiler.counters.replay.rules import tensor, trainable_parameters
from profiler.counters.running.reading import Reading
from profiler.counters.tools import calflops
from profiler.records.trace import Tensor

if TYPE_CHECKING:
    from torch import nn


def _transposed_bias(op: Operator) -> int:
    return tensor(op, 0).shape[0] * tensor(op, 1).shape[1] * prod(expected(op, dilation_at=7))


def _scaled(x: Tensor, scale: float | tuple[float, ...]) -> int:
    return x.numel


_OWN = Differences(
    calflops.RULES,
    counts_signs=False,
    transposed_bias=_transposed_bias,
    why_transposed_bias="1 per channel of a group and position of a convolution's output",
    elementwise=from_the_left,
    why_elementwise=WHY_FROM_THE_LEFT,
    scaled=_scaled,
    why_scaled="1 per element of the input",
)


def _unseen(op: Operator) -> str:
    if op.name in calflops.RULES:
        return "written as a sign, x @ y, which is not patched"
    return f"{op.short} is not among its functions"


CONVENTION = Replica(
    "calflops-flops",
    "calflops' FLOPs: 2 for each of its MACs, and biases of convolutions, norms, activations, pooling and softmax",
    lambda trace: calflops.for_each_parent(trace, flops(trace, _OWN)),
    trainable_parameters,
    _unseen,
    per_mac=2,
    version="0.3.2",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = calflops.DISTRIBUTION
MODULE = calflops.MODULE


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """FLOPs, in the place of MACs."""
    return calflops.read(model, args, kwargs).in_flops()
