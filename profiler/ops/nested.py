"""What do operators cost that torch computes on nested tensors part by part, and takes apart on all others?"""

from __future__ import annotations

from math import prod

from profiler.ops.cost import Cost
from profiler.ops.elements import mac
from profiler.ops.registry import of_nested
from profiler.records.trace import Tensor


@of_nested("aten.matmul")
def matmul(a: Tensor, b: Tensor, *, out: Tensor) -> Cost:
    return Cost(macs=mac("rows K N", prod(a.shape[:-1]), a.shape[-1], b.shape[-1], of=a))
