"""DeepSpeed 0.19.8's flops profiler, the FLOPs of `get_model_profile(model, ...)`: beside the MACs of `deepspeed`.

What it sees, and which products it counts too large, is as in `deepspeed.py`. Of FLOPs, read in
deepspeed/profiling/flops_profiler/profiler.py and compared with what it prints:

- 2 for each MAC, and 1 for each element of a convolution's output where it has a bias. A linear layer's bias is free.
- Activations, pools and `softmax` count 1 per element of their input; a batch norm 1, or 2 with scale and shift; layer,
  group and instance norms, and batch norms of the batch's own statistics, 4 or 5. Operators and methods, such as
  `x.relu()`, `x.softmax(-1)` and `torch.sigmoid`, are not patched; nor are RMSNorm, Hardswish and SELU.
- Interpolation to a size counts the product of that size, without batch and channels, and `Upsample(size=8)` 8. By
  scale factors it counts the output.
- Interpolation by area counts a pool besides, and `F.upsample` counts twice.
- `addmm` and `baddbmm` add the size of their first argument, also where beta is 0.
- `einsum` counts what `numpy.einsum_path` prints, 1 more in four digits: 121 for 120, 5.321e+04 for 53 208.
  `einops.einsum` counts for itself and for the `torch.einsum` that it calls, which our trace does not tell apart.
- `torch.add`, `torch.mul`, `x.add` and `x.mul` count 1 per element of the result. Signs and in-place methods are not
  patched.
- Recurrent layers take the first two dimensions for batch and steps, also where there is no batch, and leave out
  projections. Each product of n outputs is n additions less than 2 per MAC.
- A function that a module has kept from before is not patched: the activation of torch's Transformer layers.

Our trace does not tell one number for a size, given to a function, from one for each dimension, nor a size from the
scale factor that gave it with `recompute_scale_factor` or `mode="area"`, unless `nn.Upsample` holds them.

It is read as `deepspeed` is, with these FLOPs in the place of the MACs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica, Weighing
from profiler.counters.replay.events import Operator
from profiler.counters.replay.patched_flops import Tool, flops
from profiler.counters.replay.rules import each, own_parameters, tensor
from profiler.counters.running.reading import Reading
from profiler.counters.tools import deepspeed
from profiler.records.trace import Tensor, Trace

if TYPE_CHECKING:
    from torch import nn


def _transposed_bias(op: Operator) -> int:
    """The first dimension is taken for the batch."""
    x, weight = tensor(op, 0), tensor(op, 1)
    kernel = weight.shape[2:]
    defaults = ((3, "stride", 1), (4, "padding", 0), (5, "output_padding", 0), (7, "dilation", 1))
    given = [each(op.arg(*default), len(kernel)) for default in defaults]
    positions: int = prod(
        (size - 1) * step - 2 * pad + hole * (k - 1) + more + 1
        for size, k, step, pad, more, hole in zip(x.shape[2:], kernel, *given, strict=False)
    )
    return x.shape[0] * positions * weight.shape[1] * int(op.arg(6, "groups", 1))


def _scaled(x: Tensor, scale: float | tuple[float, ...]) -> int:
    factor: float = prod(scale) if isinstance(scale, tuple) else scale ** (x.ndim - 2)
    return int(x.numel * factor)


_TOOL = Tool(
    deepspeed.RULES,
    counts_signs=True,
    transposed_bias=_transposed_bias,
    why_transposed_bias="1 per element of a convolution's output",
    elementwise=lambda op: op.out.numel,
    why_elementwise="1 per element of the result",
    scaled=_scaled,
    why_scaled="1 per element of the output",
)


def _charges(trace: Trace) -> Iterator[Charge]:
    return flops(trace, _TOOL)


def _weighings(trace: Trace) -> Iterator[Weighing]:
    return own_parameters(trace)


CONVENTION = Replica(
    "deepspeed-flops",
    "DeepSpeed's FLOPs: 2 for each of its MACs, and biases of convolutions, norms, activations, pooling and softmax",
    _charges,
    _weighings,
    lambda op: f"{op.short} is not among its functions",
    per_mac=2,
    version="0.19.8",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = deepspeed.DISTRIBUTION
MODULE = deepspeed.MODULE


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """FLOPs, in the place of MACs."""
    reading = deepspeed.read(model, args, kwargs)
    return replace(reading, tool="deepspeed-flops", total=reading.flops, layers=reading.layer_flops)
