"""What calflops and DeepSpeed's profiler share: patched functions, counted from the arguments that they are given.

Both descend from one profiler. A patched function is charged to the innermost module that is running, unless that is a
recurrent layer, which has a rule of its own: then there are FLOPs, and no MACs. Neither can tell what was bound before
it patched, as by `from torch import matmul`, nor can our trace tell `torch.conv2d`, which is not patched, from
`F.conv2d`, or `x.baddbmm(...)` from `torch.baddbmm(x, ...)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from profiler.conventions.convention import Charge
from profiler.conventions.cpu import frozen_attention_calls
from profiler.conventions.events import Operator, operators
from profiler.conventions.rules import OperatorRule, each, tensor
from profiler.records import Trace

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = tuple(f"conv_transpose{rank}d" for rank in (1, 2, 3))
WHY_CONVOLUTION = 'its output\'s size is computed from the arguments: padding="same" loses a row where a kernel is even'
WHY_MATMUL = "the left operand's size times the right one's last width"
FAST = "attention takes its fast path, one kernel, since nothing in the model wants a gradient"


def linear(op: Operator) -> int:
    """The input's size times the weight's first dimension, which is no output where the weight is a vector."""
    return tensor(op, 0).numel * tensor(op, 1).shape[0]


def matmul(op: Operator) -> int:
    return tensor(op, 0).numel * tensor(op, 1).shape[-1]


def convolution(op: Operator) -> int:
    """Every weight at every output position that there should be. The first dimension is taken for the batch."""
    x, weight = tensor(op, 0), tensor(op, 1)
    steps, pads, holes = op.arg(3, "stride", 1), op.arg(4, "padding", 0), op.arg(5, "dilation", 1)
    kernel = weight.shape[2:]
    if isinstance(pads, str):
        pads = tuple(d * (k - 1) // 2 for d, k in zip(each(holes, len(kernel)), kernel, strict=True))
        pads = pads if op.arg(4, "padding") == "same" else 0
    sizes = [
        (size + 2 * pad - hole * (k - 1) - 1) // step + 1
        for size, k, step, pad, hole in zip(
            x.shape[2:], kernel, *(each(value, len(kernel)) for value in (steps, pads, holes)), strict=False
        )
    ]
    positions: int = prod(sizes)
    return x.shape[0] * weight.numel * positions


def patched(trace: Trace, rules: Mapping[str, OperatorRule], counts_signs: bool) -> Iterator[Charge]:
    """The charges of functions that are patched. counts_signs: whether `x @ y` is one."""
    fast = frozen_attention_calls(trace)
    for op in operators(trace):
        rule = rules.get(op.name)
        if rule is None or (op.caller.is_sign and not counts_signs):
            continue
        if op.calls.start in fast:
            yield Charge(0, op.module, op.calls, rule.family, FAST)
        else:
            yield Charge(rule.count(op), op.module, op.calls, rule.family, rule.why)
