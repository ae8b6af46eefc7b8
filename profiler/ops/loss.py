"""Losses. Those that torch composes of other operators are counted there; these are the ones with a kernel.

An element-wise loss costs each pair its dearer branch, and its mean or sum over all of them is a reduction.
"""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.registry import formula
from profiler.records import Tensor, Value

NONE, MEAN, SUM = range(3)

PER_ELEMENT = {
    "mse_loss": Cost(adds=1, muls=1),  # (x - y)²
    "l1_loss": Cost(adds=1, comparisons=1),  # |x - y|
    "smooth_l1_loss": Cost(adds=1, comparisons=2, muls=2, divs=1),  # d = |x - y|; d < β ? ½d·d/β : d - ½β
    "huber_loss": Cost(adds=1, comparisons=2, muls=2),  # d ≤ δ ? ½d·d : δ·(d - ½δ)
    "soft_margin_loss": Cost(adds=2, muls=1, specials=2),  # log(1 + exp(-y·x))
}


def _reduced(unit: Cost, elements: int, reduction: int) -> Cost:
    if reduction == NONE:
        return unit * elements
    return unit * elements + Cost(adds=max(elements - 1, 0), divs=1 if reduction == MEAN else 0)


def _register(name: str, unit: Cost) -> None:
    @formula(f"aten.{name}")
    def loss(x: Tensor, y: Tensor, reduction: int = MEAN, *_: Value, out: Tensor) -> Cost:
        return _reduced(unit, out.numel if reduction == NONE else max(x.numel, y.numel), reduction)


for _name, _unit in PER_ELEMENT.items():
    _register(_name, _unit)


@formula("aten.binary_cross_entropy")
def binary_cross_entropy(
    x: Tensor, y: Tensor, weight: Tensor | None = None, reduction: int = MEAN, *, out: Tensor
) -> Cost:
    """(y - 1)·max(log(1 - x), -100) - y·max(log x, -100)"""
    unit = Cost(adds=3, specials=2, comparisons=2, muls=2 + int(weight is not None))
    return _reduced(unit, x.numel, reduction)


@formula("aten.binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    x: Tensor, y: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = MEAN,
    *, out: Tensor,
) -> Cost:  # fmt: skip
    """(1 - y)·x - logσ(x), with log σ(x) = min(0, x) - log1p(exp(-|x|)); weights multiply."""
    unit = Cost(adds=2 + 2, muls=1, comparisons=2, specials=2)
    weights = Cost(muls=int(weight is not None))
    positives = Cost(muls=2, adds=2) if pos_weight is not None else NOTHING  # the second term times (w - 1)·y + 1
    return _reduced(unit + weights + positives, x.numel, reduction)


@formula("aten.nll_loss_forward", "aten.nll_loss2d_forward", "aten.nll_loss", "aten.nll_loss2d", "aten.nll_loss_nd")
def nll_loss(
    x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = MEAN, *_: Value, out: Value
) -> Cost:
    """Picks -x[target], and reads no more: one sign for each target."""
    cost = _reduced(Cost(adds=1, muls=int(weight is not None)), target.numel, reduction)
    picked = Tensor(target.shape, x.dtype).size_bytes
    return replace(cost, bytes_read=picked + target.size_bytes)


@formula("aten.multi_margin_loss")
def multi_margin_loss(
    x: Tensor, target: Tensor, p: float = 1, margin: float = 1, weight: Tensor | None = None, reduction: int = MEAN,
    *, out: Tensor,
) -> Cost:  # fmt: skip
    """Σᵢ max(0, margin - x[y] + x[i])ᵖ / C over the C - 1 other classes."""
    classes = x.shape[-1]
    rows = x.numel // classes
    term = Cost(adds=2, comparisons=1, muls=(1 if p == 2 else 0) + int(weight is not None))
    return term * (rows * (classes - 1)) + _reduced(Cost(adds=classes - 2, divs=1), rows, reduction)


@formula("aten.multilabel_margin_loss", "aten.multilabel_margin_loss_forward")
def multilabel_margin_loss(x: Tensor, target: Tensor, reduction: int = MEAN, *, out: Value) -> Cost:
    """Σ max(0, 1 - x[y] + x[i]) / C for all labels y and other classes i: C²/4 pairs, the most there can be."""
    classes = x.shape[-1]
    rows = x.numel // classes
    pairs = (classes // 2) * (classes - classes // 2)
    return Cost(adds=3, comparisons=1) * (rows * pairs) + _reduced(Cost(divs=1), rows, reduction)


@formula("aten._ctc_loss")
def ctc_loss(log_probs: Tensor, targets: Tensor, *_: Value, out: Value) -> Cost:
    """The forward recursion: at each step every one of 2S + 1 labels gathers three predecessors in a logsumexp.

    https://www.cs.toronto.edu/~graves/icml_2006.pdf, equation 6. Sequences are taken at their full, padded length.
    """
    steps, batch = log_probs.shape[0], log_probs.shape[1] if log_probs.ndim == 3 else 1
    labels = 2 * (targets.shape[-1] * batch if targets.ndim == 2 else targets.numel) + batch  # of the whole batch
    # max of three; three differences and exps; two sums; log; the max and the label's own log probability added
    return Cost(comparisons=2, adds=3 + 2 + 2, specials=3 + 1) * (steps * labels)
