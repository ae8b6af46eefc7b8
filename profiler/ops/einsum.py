"""Einstein sums: products of tensors, summed over the indices that the result does not have."""

from __future__ import annotations

from math import prod

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import each, mac
from profiler.ops.registry import formula
from profiler.records import Tensor


@formula("aten.einsum")
def einsum(equation: str, operands: tuple[Tensor, ...], *, path: tuple[int, ...] | None = None, out: Tensor) -> Cost:
    """Two operands at a time, from left to right or along `path`, as torch.einsum contracts them."""
    terms, result = _indices(equation, operands)
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        for index, size in zip(term, operand.shape, strict=True):
            sizes[index] = max(size, sizes.get(index, 1))
    cost = NOTHING
    steps = iter(path if path is not None else (0, 1) * (len(terms) - 1))
    while len(terms) > 1:
        i, j = sorted((next(steps), next(steps)))
        right, left = terms.pop(j), terms.pop(i)
        needed = set(result).union(*terms)
        step, product_indices = _contract_pair(left, right, needed, sizes, out)
        cost += step
        terms.insert(0 if path is None else len(terms), product_indices)
    (last,) = terms
    summed = prod(sizes[i] for i in set(last)) - prod(sizes[i] for i in result)
    return cost + each(Cost(adds=1), out, summed)


def _contract_pair(
    left: tuple[str, ...], right: tuple[str, ...], needed: set[str], sizes: dict[str, int], out: Tensor
) -> tuple[Cost, tuple[str, ...]]:
    """The cost of multiplying two operands and summing the indices nobody needs any more; the indices that remain."""
    cost = NOTHING
    # an index that only one operand has, and nobody needs, is summed before the product
    lone = {i for i in {*left} ^ {*right} if i not in needed}
    for term in (left, right):
        kept = [i for i in dict.fromkeys(term) if i not in lone]
        cost += each(Cost(adds=1), out, prod(sizes[i] for i in set(term)) - prod(sizes[i] for i in kept))
    indices = [i for i in dict.fromkeys((*left, *right)) if i not in lone]
    remain = tuple(i for i in indices if i in needed)
    if len(remain) < len(indices):
        cost += Cost(macs=mac(" ".join(indices), *(sizes[i] for i in indices), of=out))
    else:
        cost += each(Cost(muls=1), out, prod(sizes[i] for i in indices))
    return cost, remain


def _indices(equation: str, operands: tuple[Tensor, ...]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """The index names of each operand and of the result. Those behind "..." are called .1, .2, ... from the right."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms: list[tuple[str, ...]] = []
    hidden = 0
    for term, operand in zip(left.split(","), operands, strict=True):
        depth = operand.ndim - len(term.replace("...", "")) if "..." in term else 0
        hidden = max(hidden, depth)
        terms.append(_spell(term, depth))
    if arrow:
        return terms, _spell(right, hidden)
    letters = left.replace("...", "").replace(",", "")
    return terms, _spell("...", hidden) + tuple(sorted(i for i in set(letters) if letters.count(i) == 1))


def _spell(term: str, depth: int) -> tuple[str, ...]:
    before, dots, after = term.partition("...")
    return (*before, *(f".{i}" for i in range(depth, 0, -1) if dots), *after)
