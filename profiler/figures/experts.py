"""How many of its parameters does one token use in a mixture of experts?

Read off the grouped products: the left factor's rows, sorted by expert, each meet one expert's matrix of the right
factor. A module that is called with T tokens and multiplies R rows has each token meet R / T of its experts, whichever
they are; so all but that share of its stacked parameters rests.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from profiler.records.trace import ModuleCall, Tensor, Trace, Weight

_GROUPED = ("aten._grouped_mm.default", "transformers.grouped_mm_fallback.default")


class Mixture(NamedTuple):
    """A module (its row in `Trace.modules`) with so many experts, of which each token meets `chosen`."""

    module: int
    experts: int
    chosen: int


def mixtures(trace: Trace) -> list[Mixture]:
    """Every mixture of experts, once."""
    return list({mixture.module: mixture for mixture in _by_grouped_products(trace)}.values())


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
    if mixture is None or weight.tensor.shape[:1] != (mixture.experts,):
        return 0
    return weight.numel // mixture.experts * (mixture.experts - mixture.chosen)


def _by_grouped_products(trace: Trace) -> Iterator[Mixture]:
    """By the products of the forward pass, whose right factor is a stack of matrices."""
    grouped = {index for index, signature in enumerate(trace.signatures) if signature.op in _GROUPED}
    calls = _calls_by_module(trace) if grouped else {}
    for position, call in enumerate(trace.calls if grouped else ()):
        if call.signature not in grouped:
            continue
        signature = trace.signatures[call.signature]
        rows, stack, *_ = signature.args
        tokens = _tokens(calls[call.module], position)
        if isinstance(rows, Tensor) and isinstance(stack, Tensor) and rows.ndim == 2 and stack.ndim == 3 and tokens:
            yield Mixture(call.module, stack.shape[0], rows.shape[0] // tokens)


def _calls_by_module(trace: Trace) -> dict[int, list[ModuleCall]]:
    calls_of: dict[int, list[ModuleCall]] = defaultdict(list)
    for call in sorted(trace.module_calls, key=lambda call: call.first):
        calls_of[call.module].append(call)
    return calls_of


def _tokens(calls: list[ModuleCall], position: int) -> int | None:
    """How many vectors the module was called with when it made the operator call at a position."""
    index = bisect_right(calls, position, key=lambda call: call.first) - 1
    inputs = calls[index].inputs if index >= 0 and position < calls[index].last else None
    first = inputs[0] if isinstance(inputs, tuple) and inputs else None
    return prod(first.shape[:-1]) if isinstance(first, Tensor) else None
