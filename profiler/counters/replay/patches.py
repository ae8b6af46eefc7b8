"""What do calflops and DeepSpeed's profiler share? Patched functions, counted from the arguments that they get.

Both descend from one profiler. A patched function is charged to the innermost module that is running, unless that is a
recurrent layer, which has a rule of its own: then there are FLOPs, and no MACs. A function is patched where it stands
in a module: neither sees what was bound before, as by `from torch import matmul`, nor a twin in another module, as
`torch.conv2d` is one of `F.conv2d`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from math import prod

from profiler.counters.convention import Charge
from profiler.counters.replay.cpu import all_hooked, fast_path_calls, unless_fast
from profiler.counters.replay.events import Operator, operators
from profiler.counters.replay.rules import Rule, addmm, each, is_broadcast, is_by_vector, mm, tensor, where
from profiler.records.trace import METHOD, Tensor, Trace, Value, tensors

TRANSPOSED = tuple(f"conv_transpose{rank}d" for rank in (1, 2, 3))
WHY_MATMUL = "the left operand's size times the right one's last width"


def linear(op: Operator) -> int:
    """The input's size times the weight's first dimension, which is no output where the weight is a vector."""
    return tensor(op, 0).numel * tensor(op, 1).shape[0]


def convolution(op: Operator) -> int:
    """Every weight at every output position that there should be. The first dimension is taken for the batch."""
    return tensor(op, 0).shape[0] * tensor(op, 1).numel * prod(expected(op))


def expected(op: Operator, dilation_at: int = 5) -> tuple[int, ...]:
    """A convolution's output as the arguments say: padding="same" is taken to add the same on both sides."""
    x, kernel = tensor(op, 0), tensor(op, 1).shape[2:]
    rank = len(kernel)
    pads: Value = op.arg(4, "padding", 0)
    steps, holes = each(op.arg(3, "stride", 1), rank), each(op.arg(dilation_at, "dilation", 1), rank)
    if isinstance(pads, str):
        same = tuple(hole * (k - 1) // 2 for hole, k in zip(holes, kernel, strict=True))
        pads = same if pads == "same" else 0
    return tuple(
        (size + 2 * pad - hole * (k - 1) - 1) // step + 1
        for size, k, step, pad, hole in zip(x.shape[2:], kernel, steps, each(pads, rank), holes, strict=False)
    )


def _is_unexpected(op: Operator) -> bool:
    return expected(op) != op.out.shape[2:]


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


def patched(trace: Trace, rules: Mapping[str, Rule[Operator]], counts_signs: bool) -> Iterator[Charge]:
    """The charges of functions that are patched. counts_signs: whether `x @ y` is one."""
    visible = (op for op in operators(trace) if op.name in rules and is_seen(op, counts_signs))
    return unless_fast((rules[op.name].charge(op) for op in visible), fast_path_calls(trace, True, all_hooked))


# Functions ------------------------------------------------------------------------------------------------------------

POOLS = [f"{kind}_pool{rank}d" for kind in ("avg", "max", "adaptive_avg", "adaptive_max") for rank in (1, 2, 3)]
# Patched functions that are written in C: they leave no trace but their operator.
_IN_C = {"prelu", "gelu", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d"}
# Where functions are patched: all others in torch.nn.functional.
_BOTH = frozenset(("torch", METHOD))
_PLACES = {
    **dict.fromkeys(("matmul", "mm", "bmm", "addmm", "mul", "add"), _BOTH),
    **dict.fromkeys(("baddbmm", "einsum"), frozenset(("torch",))),
}
WHY_FROM_THE_LEFT = "1 per element, where shapes are lined up from the left"


def is_met(op: Operator) -> bool:
    """Whether what the code called is the patched function: of functions of torch, what the first of them calls is."""
    return bool(op.caller.functions) or op.caller.is_sign or is_looked_up(op, op.short)


def is_seen(op: Operator, counts_signs: bool) -> bool:
    """Whether a call comes to a patched function; of signs, and of `operator.matmul`, which does what the sign does, to
    the method that stands for the sign.
    """
    return counts_signs if op.caller.is_sign or op.caller.source == "operator" else is_met(op)


def is_looked_up(op: Operator, name: str) -> bool:
    """Whether the model's code took a function from where it is patched; taken for granted where that is not known."""
    source = op.caller.source
    return source is None or source in _PLACES.get(name, {"torch.nn.functional"})


def functions_to(op: Operator) -> list[str]:
    """The patched functions on the way to an operator, innermost first, by their public names."""
    way = [op.short] if op.short in _IN_C else []
    for function in op.caller.functions:
        plain = function.removeprefix("_").removesuffix("_with_indices")
        if way[-1:] != [plain]:
            way.append(plain)
    return way if not way or is_looked_up(op, way[-1]) else way[:-1]


def is_elementwise(op: Operator) -> bool:
    """Whether it is a call of `torch.add`, `torch.mul` or the methods of these names, and no sign.

    Of torch's own functions, two call `x.mul` or `x.add`, one of them by a number.
    """
    if op.name not in ("aten.mul", "aten.add") or op.caller.is_sign:
        return False
    if not op.caller.functions:
        return is_looked_up(op, op.short)
    function = op.caller.functions[0]
    return function == "local_response_norm" or ("lp_pool" in function and not isinstance(op.args[1], Tensor))


def from_the_left(op: Operator) -> int:
    """How many elements two operands would give if their shapes were lined up from the left."""
    shapes = [t.shape for t in tensors(op.args[:2])]
    return prod(max(sizes) for sizes in zip_longest(*shapes, fillvalue=1))
