"""Which MACs does DeepSpeed 0.19.8 count, by `get_model_profile(model, ...)`? Its profiler gives FLOPs as well.

It patches functions of torch.nn.functional and torch, and the method behind `@` and `operator.matmul`
(deepspeed/profiling/flops_profiler/profiler.py), and charges each call to the module that is running. Gradients are
enabled, so that the fast path of attention is taken only where nothing is trainable. Read there, and compared with what
it prints:

- `einsum` and recurrent layers count FLOPs alone; `mv`, `dot` and `Bilinear` count nothing.
- `matmul` takes the left operand's size times the right one's last width: (4, 5) by (7, 5, 6) gives 120 and is 840,
  and a matrix by a vector of 7 is 7 times too large.
- A convolution's output size is computed from its arguments. With padding="same" and an even kernel it is too small.

It is called without its warm-up, which serves its measure of time, and read when the forward pass has ended, from the
counts that it leaves on each module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Replica
from profiler.counters.replay.events import Operator
from profiler.counters.replay.patches import SHARED, TRANSPOSED, patched
from profiler.counters.replay.rules import convolution, families, mm, own_parameters, tensor
from profiler.counters.running.modules import paths
from profiler.counters.running.reading import Reading
from profiler.counters.tools.calflops import read_counts

if TYPE_CHECKING:
    from torch import nn


def _attention(op: Operator) -> int:
    """Both products of every query; the batch is the query's."""
    query, key, value = (tensor(op, position) for position in range(3))
    return query.numel // query.shape[-1] * key.shape[-2] * (query.shape[-1] + value.shape[-1])


RULES = families(
    *SHARED,
    ("matrix product", ("mm", "bmm"), mm, ""),
    ("attention", ("scaled_dot_product_attention",), _attention, ""),
    ("transposed convolution", TRANSPOSED, convolution, ""),
)


CONVENTION = Replica(
    "deepspeed",
    "DeepSpeed's MACs: of linear layers, convolutions, matrix products and attention that it patches",
    lambda trace: patched(trace, RULES, counts_signs=True),
    own_parameters,
    lambda op: "einsum counts FLOPs, and no MACs" if op.short == "einsum" else f"{op.short} counts no MACs",
    version="0.19.8",
    needs_code=True,
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "deepspeed"
MODULE = "deepspeed"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs, and FLOPs beside them."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    def run() -> tuple[Any, Any, Any]:
        quiet: dict[str, Any] = {"print_profile": False, "warm_up": 0, "as_string": False}
        counts: tuple[Any, Any, Any] = get_model_profile(model, args=list(args), kwargs=dict(kwargs), **quiet)
        return counts

    return read_counts("deepspeed", model, run, dict.fromkeys(paths(model).values(), 1))
