"""What does flex attention cost? Products for scores in blocks that its mask leaves, and its own function on each."""

from __future__ import annotations

from math import prod

from profiler.ops.activation import softmax_cost
from profiler.ops.cost import Cost, product
from profiler.ops.registry import Uncovered, cost, formula
from profiler.records.trace import Signature, Tensor, Value


@formula("higher_order.flex_attention")
def flex_attention(
    query: Tensor, key: Tensor, value: Tensor, *, out: Value, scores: int, masked_scores: int, score_mod: Value,
    mask_mod: Value,
) -> Cost:  # fmt: skip
    """https://arxiv.org/abs/2412.05496, section 4: blocks without a score that counts are passed over.

    scores: how many are computed, of which `masked_scores` are asked the mask's function one by one.
    """
    macs = product("scores E", scores, query.shape[-1]) + product("scores Ev", scores, value.shape[-1])
    rows = min(prod(query.shape[:-1]), scores)
    own = _of_each(score_mod) * scores + _of_each(mask_mod) * masked_scores
    return Cost(macs=macs, muls=scores) + softmax_cost(scores, rows) + own


@formula("higher_order.flex_attention_backward")
def flex_attention_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Tensor, out: Value, scores: int, masked_scores: int,
    score_mod: Value, mask_mod: Value,
) -> Cost:  # fmt: skip
    """The scores again, and the gradients of values, of probabilities, of queries and of keys: as in attention.

    The gradient of the function on each score is taken to cost what that function does, which is done again before.
    """
    width, v_width = query.shape[-1], value.shape[-1]
    macs = product("products scores E", 3, scores, width) + product("products scores Ev", 2, scores, v_width)
    rows = min(prod(query.shape[:-1]), scores)
    own = _of_each(score_mod) * (2 * scores) + _of_each(mask_mod) * masked_scores
    deltas = Cost(muls=rows * v_width, adds=rows * (v_width - 1))  # D = rowsum(dO∘O)
    return Cost(macs=macs, muls=3 * scores, adds=2 * scores, specials=scores) + deltas + own


def _of_each(operators: Value) -> Cost:
    """What is done to one score, from the operators that the model's function calls on it."""
    if not isinstance(operators, tuple):
        raise Uncovered("a function of scores that could not be followed")
    total = Cost()
    for operator in operators:
        assert isinstance(operator, tuple)
        name, args, out = operator
        assert isinstance(args, tuple)
        price = cost(Signature(str(name), args, (), out))
        if price is None:
            raise Uncovered(f"{name} of a score")
        total += Cost(price.macs, price.adds, price.muls, price.divs, price.specials, price.comparisons)
    return total
