"""What is a count of operations in the dtype they run in? Every family counts in real numbers and asks here.

FLOPs are floating-point operations: on integers and booleans only comparisons are recorded. A complex multiplication is
four real multiplications and two additions, a complex addition two, a complex multiply-accumulate four real ones.
A real operand among complex ones counts as complex, because torch promotes it first.
"""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.cost import NOTHING, Cost, Count, product
from profiler.ops.registry import Uncovered
from profiler.records.trace import Tensor, tensors


def in_dtype(unit: Cost, like: Tensor) -> Cost:
    """What `unit`, the operations on one real number, become on one number of the dtype of `like`."""
    if like.is_complex:
        return _complex(unit)
    return unit if like.is_float else Cost(comparisons=unit.comparisons)


def _complex(unit: Cost) -> Cost:
    if unit.specials:
        raise Uncovered("a special function of a complex number")
    # (a + bi) / (c + di) = ((ac + bd) + (bc - ad)i) / (c² + d²): 6 multiplications, 3 additions, 2 divisions
    return Cost(
        adds=2 * unit.adds + 2 * unit.muls + 3 * unit.divs,
        muls=4 * unit.muls + 6 * unit.divs,
        divs=2 * unit.divs,
        comparisons=unit.comparisons,
    )


def each(unit: Cost, of: Tensor, times: int | None = None) -> Cost:
    """`unit` for each element of a tensor, or `times` over, in the tensor's dtype."""
    return in_dtype(unit, of) * (of.numel if times is None else times)


def mac(names: str, *factors: int, of: Tensor) -> Count:
    """The multiply-accumulates of a contraction, as a `product`, in the dtype of `of`."""
    return product(f"{names} complex", *factors, 4) if of.is_complex else product(names, *factors)


def bias_cost(bias: Tensor | None, out: Tensor) -> Cost:
    """A bias is one addition for each element of the output."""
    return NOTHING if bias is None else each(Cost(adds=1), out)


def first(output: object) -> Tensor:
    """The output's first tensor: the result of an operator that also returns what its backward pass needs."""
    return next(tensors(output))


def rows_of(x: Tensor) -> int:
    """How many rows of its last dimension a tensor has; none if there is nothing in them."""
    return x.numel // x.shape[-1] if x.ndim and x.shape[-1] else 0


def summed(rows: Tensor, totals: int) -> Cost:
    """All elements of a tensor added up into so many totals, as the gradient of what was broadcast is."""
    return each(Cost(adds=1), rows, max(rows.numel - totals, 0))


def from_gradient(cost: Cost, *read: Tensor) -> Cost:
    """A backward operator that is handed the forward's input and looks at its shape only: it reads these alone."""
    return replace(cost, bytes_read=sum(t.size_bytes for t in read))
