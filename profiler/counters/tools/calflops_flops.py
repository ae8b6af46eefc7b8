"""calflops 0.3.2, the FLOPs of `calculate_flops(model, ...)`: what it prints first, beside the MACs of `calflops`.

What it sees, and which products it counts too large, is as in `calflops.py`. Of FLOPs, read in calflops/pytorch_ops.py
and compared with what it prints:

- 2 for each MAC, and 1 for each element of a convolution's output where it has a bias. A linear layer's bias is free.
- Activations, pools and `softmax` count 1 per element of their input; a batch norm 1, or 2 with scale and shift; layer,
  group and instance norms, and batch norms of the batch's own statistics, 4 or 5. Operators and methods, such as
  `x.relu()`, `x.softmax(-1)` and `torch.sigmoid`, are not patched; nor are RMSNorm, Hardswish and SELU.
- A transposed convolution's bias is counted for one group's channels, at the positions of an output of a convolution,
  which shrinks with the stride. Its MACs are divided by the groups twice.
- Interpolation to a size counts the product of that size, without batch and channels, and `Upsample(size=8)` 8. By
  scale factors it counts its input: the product with them is computed and dropped. Factors of each dimension fail,
  unless there are as many as samples.
- Interpolation by area counts a pool besides, and `F.upsample` counts twice.
- `addmm` and `baddbmm` add the size of their first argument, also where beta is 0.
- `einsum` counts what `numpy.einsum_path` prints, 1 more in four digits: 121 for 120, 5.321e+04 for 53 208.
- `torch.add`, `torch.mul`, `x.add` and `x.mul` line up the two shapes from the left: (2, 6, 5) plus (5,) is 5·6·5.
  Signs and in-place methods are not patched.
- Recurrent layers take the first two dimensions for batch and steps, also where there is no batch, and leave out
  projections. Each product of n outputs is n additions less than 2 per MAC.
- A function that a module has kept from before is not patched: the activation of torch's Transformer layers.

Our trace does not tell one number for a size, given to a function, from one for each dimension, nor a size from the
scale factor that gave it with `recompute_scale_factor` or `mode="area"`, unless `nn.Upsample` holds them.

It is read as `calflops` is, with these FLOPs in the place of the MACs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica, Weighing
from profiler.counters.replay.events import Operator
from profiler.counters.replay.patched_flops import Tool, flops
from profiler.counters.replay.patches import WHY_FROM_THE_LEFT, expected, from_the_left
from profiler.counters.replay.rules import tensor, trainable_parameters
from profiler.counters.running.reading import Reading
from profiler.counters.tools import calflops
from profiler.records.trace import Tensor, Trace

if TYPE_CHECKING:
    from torch import nn


def _transposed_bias(op: Operator) -> int:
    return tensor(op, 0).shape[0] * tensor(op, 1).shape[1] * prod(expected(op, dilation_at=7))


def _scaled(x: Tensor, scale: float | tuple[float, ...]) -> int:
    return x.numel


_TOOL = Tool(
    calflops.RULES,
    counts_signs=False,
    transposed_bias=_transposed_bias,
    why_transposed_bias="1 per channel of a group and position of a convolution's output",
    elementwise=from_the_left,
    why_elementwise=WHY_FROM_THE_LEFT,
    scaled=_scaled,
    why_scaled="1 per element of the input",
)


def _charges(trace: Trace) -> Iterator[Charge]:
    return calflops.for_each_parent(trace, flops(trace, _TOOL))


def _weighings(trace: Trace) -> Iterator[Weighing]:
    return trainable_parameters(trace)


def _unseen(op: Operator) -> str:
    if op.name in calflops.RULES:
        return "written as a sign, x @ y, which is not patched"
    return f"{op.short} is not among its functions"


CONVENTION = Replica(
    "calflops-flops",
    "calflops' FLOPs: 2 for each of its MACs, and biases of convolutions, norms, activations, pooling and softmax",
    _charges,
    _weighings,
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
    reading = calflops.read(model, args, kwargs)
    return replace(reading, tool="calflops-flops", total=reading.flops, layers=reading.layer_flops)
