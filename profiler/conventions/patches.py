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
from profiler.conventions.cpu import all_hooked, fast_path_calls, unless_fast
from profiler.conventions.events import Operator, operators
from profiler.conventions.rules import OperatorRule, addmm, each, is_broadcast, is_by_vector, mm, tensor, where
from profiler.records import Trace, Value

TRANSPOSED = tuple(f"conv_transpose{rank}d" for rank in (1, 2, 3))
WHY_MATMUL = "the left operand's size times the right one's last width"


def linear(op: Operator) -> int:
    """The input's size times the weight's first dimension, which is no output where the weight is a vector."""
    return tensor(op, 0).numel * tensor(op, 1).shape[0]


def convolution(op: Operator) -> int:
    """Every weight at every output position that there should be. The first dimension is taken for the batch."""
    return tensor(op, 0).shape[0] * tensor(op, 1).numel * prod(_expected(op))


def _expected(op: Operator) -> tuple[int, ...]:
    """The output's size as the arguments say: padding="same" is taken to add the same on both sides."""
    x, kernel = tensor(op, 0), tensor(op, 1).shape[2:]
    rank = len(kernel)
    pads: Value = op.arg(4, "padding", 0)
    steps, holes = each(op.arg(3, "stride", 1), rank), each(op.arg(5, "dilation", 1), rank)
    if isinstance(pads, str):
        same = tuple(hole * (k - 1) // 2 for hole, k in zip(holes, kernel, strict=True))
        pads = same if pads == "same" else 0
    return tuple(
        (size + 2 * pad - hole * (k - 1) - 1) // step + 1
        for size, k, step, pad, hole in zip(x.shape[2:], kernel, steps, each(pads, rank), holes, strict=False)
    )


def _is_unexpected(op: Operator) -> bool:
    return _expected(op) != op.out.shape[2:]


# The rules that both have.
SHARED = (
    ("linear", ("linear",), linear, where(is_by_vector, "by a vector, whose length is taken for a width")),
    ("linear", ("addmm",), addmm, ""),
    ("matrix product", ("matmul",), mm, where(is_broadcast, WHY_MATMUL)),
    ("matrix product", ("baddbmm",), addmm, ""),
    (
        "convolution",
        ("conv1d", "conv2d", "conv3d"),
        convolution,
        where(_is_unexpected, "its output's size is computed from the arguments, and is another"),
    ),
)


def patched(trace: Trace, rules: Mapping[str, OperatorRule], counts_signs: bool) -> Iterator[Charge]:
    """The charges of functions that are patched. counts_signs: whether `x @ y` is one."""
    seen = (op for op in operators(trace) if op.name in rules and (counts_signs or not op.caller.is_sign))
    return unless_fast((rules[op.name].charge(op) for op in seen), fast_path_calls(trace, True, all_hooked))
