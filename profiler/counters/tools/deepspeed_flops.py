"""Which FLOPs does DeepSpeed 0.19.8 count, by `get_model_profile(model, ...)`? Its profiler gives MACs as well.

What it sees, and which products it counts too large, is as in `deepspeed.py`; what its FLOPs share with those of
calflops, in `replay/patched_flops.py`. Its own, read in deepspeed/profiling/flops_profiler/profiler.py and compared
with what it prints:

- A transposed convolution's bias is counted for as many positions as its output should have.
- Interpolation by scale factors counts the output.
- `torch.add` and its kin count 1 per element of the result.
- `einops.einsum` counts for itself and for the `torch.einsum` that it calls, which our trace does not tell apart.

It is read as `deepspeed` is, with these FLOPs in the place of the MACs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Replica
from profiler.counters.replay.events import Operator
from profiler.counters.replay.patched_flops import Differences, flops
from profiler.counters.replay.rules import each, own_parameters, tensor
from profiler.counters.running.reading import Reading
from profiler.counters.tools import deepspeed
from profiler.records.trace import Tensor

if TYPE_CHECKING:
    from torch import nn


def _transposed_bias(op: Operator) -> int:
    """The first dimension is taken for the batch."""
    x, weight = tensor(op, 0), tensor(op, 1)
    kernel = weight.shape[2:]
    defaults = ((3, "stride", 1), (4, "padding", 0), (5, "output_padding", 0), (7, "dilation", 1))
    settings = [each(op.arg(*default), len(kernel)) for default in defaults]
    positions: int = prod(
        (size - 1) * step - 2 * pad + hole * (k - 1) + more + 1
        for size, k, step, pad, more, hole in zip(x.shape[2:], kernel, *settings, strict=False)
    )
    return x.shape[0] * positions * weight.shape[1] * int(op.arg(6, "groups", 1))


def _scaled(x: Tensor, scale: float | tuple[float, ...]) -> int:
    factor: float = prod(scale) if isinstance(scale, tuple) else scale ** (x.ndim - 2)
    return int(x.numel * factor)


_OWN = Differences(
    deepspeed.RULES,
    counts_signs=True,
    transposed_bias=_transposed_bias,
    why_transposed_bias="1 per element of a convolution's output",
    elementwise=lambda op: op.out.numel,
    why_elementwise="1 per element of the result",
    scaled=_scaled,
    why_scaled="1 per element of the output",
)


CONVENTION = Replica(
    "deepspeed-flops",
    "DeepSpeed's FLOPs: 2 for each of its MACs, and biases of convolutions, norms, activations, pooling and softmax",
    lambda trace: flops(trace, _OWN),
    own_parameters,
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
    return deepspeed.read(model, args, kwargs).in_flops()
