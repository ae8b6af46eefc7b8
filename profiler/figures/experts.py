"""How many of its parameters does one token use in a mixture of experts?

Read off the grouped products: the left factor's rows, sorted by expert, each meet one expert's matrix of the right
factor. A module that is called with T tokens and multiplies R rows has each token meet R / T of its experts, whichever
they are; so all but that share of its stacked parameters rests.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from math import prod
from typing import NamedTuple

from profiler.records.schemes import Matrices
from profiler.records.trace import Module, ModuleCall, Tensor, Trace, Weight

_GROUPED = ("aten._grouped_mm.default", "transformers.grouped_mm_fallback.default")
_BATCHED = ("aten.bmm.default",)


class Mixture(NamedTuple):
    """A module (its row in `Trace.modules`) with so many experts, of which each token meets `chosen`."""

    module: int
    experts: int
    chosen: int

    def holds(self, weight: Weight) -> bool:
        """Whether a weight is a stack of one matrix, or row, for each expert."""
        return weight.module == self.module and weight.tensor.shape[:1] == (self.experts,)


class _Product(NamedTuple):
    """A grouped product: its position among the operator calls, the call of the mixture, its factors and its rows."""

    position: int
    call: ModuleCall
    rows: Tensor
    stack: Tensor
    output: Tensor


def mixtures(trace: Trace) -> list[Mixture]:
    """Every mixture of experts, once."""
    return list({mixture.module: mixture for mixture in _by_grouped_products(trace)}.values())


def stacks(trace: Trace) -> dict[int, Matrices]:
    """By storage, the parameters that hold a matrix for each expert: by a grouped product, or their module's setting.

    The weights of an output are a row of such a matrix, as of a linear layer, unless it is multiplied as it lies.
    """
    grouped = {(product.call.module, product.stack.shape[0]) for product in _grouped_products(trace)}
    shapes = {
        weight.storage: weight.tensor.shape
        for weight in trace.parameters
        if weight.tensor.ndim == 3
        and ((weight.module, weight.tensor.shape[0]) in grouped or _says_experts(trace.modules[weight.module], weight))
    }
    as_they_lie = _multiplied_as_they_lie(trace, shapes) if shapes else set()
    return {
        storage: Matrices(last, first, experts) if storage in as_they_lie else Matrices(first, last, experts)
        for storage, (experts, first, last) in shapes.items()
    }


def routed_bytes(trace: Trace) -> Iterator[tuple[int, int]]:
    """Where tokens go to experts, and how many bytes go and come back: the rows of a mixture's first product, which are
    as many as tokens times experts of each, and what its last product gives.
    """
    for _, of_call in groupby(_grouped_products(trace), key=lambda product: product.call[:3]):
        products = list(of_call)
        yield products[0].position, products[0].rows.size_bytes + products[-1].output.size_bytes


def active_params(trace: Trace) -> int:
    """The parameters that one token meets; all of them where there is no mixture."""
    by_module = {mixture.module: mixture for mixture in mixtures(trace)}
    own = [weight for weight in trace.parameters if weight.same_as is None]
    return sum(weight.numel - _resting(weight, by_module.get(weight.module)) for weight in own)


def distinct_experts(experts: int, chosen: int, tokens: float) -> float:
    """How many experts so many tokens are sent to in expectation, where each goes to `chosen` of them at random.

    A token leaves out an expert with probability 1 - chosen / experts, and all tokens do so independently.
    """
    return float(experts * (1 - (1 - chosen / experts) ** tokens))


def _resting(weight: Weight, mixture: Mixture | None) -> int:
    if mixture is None or not mixture.holds(weight):
        return 0
    return weight.numel // mixture.experts * (mixture.experts - mixture.chosen)


def _says_experts(module: Module, weight: Weight) -> bool:
    return dict(module.attributes).get("num_experts") == weight.tensor.shape[0]


def _multiplied_as_they_lie(trace: Trace, shapes: Mapping[int, tuple[int, ...]]) -> set[int]:
    """Which of these storages are a right factor whose first matrix is of inputs by outputs in memory."""
    factors: dict[int, tuple[int, ...]] = {}
    for index, signature in enumerate(trace.signatures):
        if signature.op in (*_GROUPED, *_BATCHED):
            factor = signature.args[1]
            if isinstance(factor, Tensor) and factor.is_contiguous:
                factors[index] = factor.shape
    calls = (call for call in trace.calls if call.signature in factors)
    return {read for call in calls for read in call.reads if shapes.get(read) == factors[call.signature]}


def _by_grouped_products(trace: Trace) -> Iterator[Mixture]:
    for product in _grouped_products(trace):
        tokens = _tokens(product.call)
        if tokens:
            yield Mixture(product.call.module, product.stack.shape[0], product.rows.shape[0] // tokens)


def _grouped_products(trace: Trace) -> Iterator[_Product]:
    """Those of the forward pass, whose right factor is a stack of matrices."""
    grouped = {index for index, signature in enumerate(trace.signatures) if signature.op in _GROUPED}
    calls = _calls_by_module(trace) if grouped else {}
    for position, call in enumerate(trace.calls if grouped else ()):
        if call.signature not in grouped:
            continue
        signature = trace.signatures[call.signature]
        (rows, stack, *_), output = signature.args, signature.output
        caller = _caller(calls[call.module], position)
        if caller is None or not (isinstance(rows, Tensor) and isinstance(stack, Tensor)):
            continue
        if rows.ndim == 2 and stack.ndim == 3 and isinstance(output, Tensor):
            yield _Product(position, caller, rows, stack, output)


def _calls_by_module(trace: Trace) -> dict[int, list[ModuleCall]]:
    calls_of: dict[int, list[ModuleCall]] = defaultdict(list)
    for call in sorted(trace.module_calls, key=lambda call: call.first):
        calls_of[call.module].append(call)
    return calls_of


def _caller(calls: list[ModuleCall], position: int) -> ModuleCall | None:
    """The call of a module inside of which it made the operator call at a position."""
    index = bisect_right(calls, position, key=lambda call: call.first) - 1
    return calls[index] if index >= 0 and position < calls[index].last else None


def _tokens(call: ModuleCall) -> int | None:
    """How many vectors the module was called with."""
    first = call.inputs[0] if isinstance(call.inputs, tuple) and call.inputs else None
    return prod(first.shape[:-1]) if isinstance(first, Tensor) else None
