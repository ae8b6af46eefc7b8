"""What do losses cost that have a kernel? Those that torch composes of other operators are counted there.

An element-wise loss costs each pair its dearer branch, and its mean or sum over all of them is a reduction.
"""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import from_gradient
from profiler.ops.registry import Uncovered, formula, formula_of
from profiler.records.trace import Tensor, Value

NONE, MEAN, SUM = range(3)

PER_ELEMENT = {
    "mse_loss": Cost(adds=1, muls=1),  # (x - y)²
    "l1_loss": Cost(adds=1, comparisons=1),  # |x - y|
    "smooth_l1_loss": Cost(adds=1, comparisons=2, muls=2, divs=1),  # d = |x - y|; d < β ? ½d·d/β : d - ½β
    "huber_loss": Cost(adds=1, comparisons=2, muls=2),  # d ≤ δ ? ½d·d : δ·(d - ½δ)
    "soft_margin_loss": Cost(adds=2, muls=1, specials=2),  # log(1 + exp(-y·x))
}


# What one element of x's gradient costs, g being the gradient that arrives. The sign in front of a constant is free.
GRADIENT = {
    "mse_loss": Cost(adds=1, muls=2),  # 2/N·(x - y)·g
    "smooth_l1_loss": Cost(adds=1, comparisons=2, muls=1, divs=1),  # d = x - y; |d| < β ? d·g/β : ±g
    "huber_loss": Cost(adds=1, comparisons=2, muls=1),  # |d| ≤ δ ? d·g : ±δ·g
    "soft_margin_loss": Cost(adds=2, muls=3, divs=1, specials=1),  # z = exp(-y·x); -y·z·g / (1 + z)
}


def _averaged(unit: Cost, reduction: int) -> Cost:
    """Behind a mean every element is multiplied by 1/N."""
    return unit + Cost(muls=1) if reduction == MEAN else unit


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


def _register_backward(name: str, unit: Cost) -> None:
    @formula(f"aten.{name}_backward")
    def loss_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int, *_: Value, out: Tensor) -> Cost:
        whole = unit if name == "mse_loss" else _averaged(unit, reduction)  # 2/N is one constant
        return whole * out.numel


for _name, _unit in GRADIENT.items():
    _register_backward(_name, _unit)


@formula("aten.binary_cross_entropy")
def binary_cross_entropy(
    x: Tensor, y: Tensor, weight: Tensor | None = None, reduction: int = MEAN, *, out: Tensor
) -> Cost:
    """(y - 1)·max(log(1 - x), -100) - y·max(log x, -100)"""
    unit = Cost(adds=3, specials=2, comparisons=2, muls=2 + int(weight is not None))
    return _reduced(unit, x.numel, reduction)


@formula("aten.binary_cross_entropy_backward")
def binary_cross_entropy_backward(
    grad: Tensor, x: Tensor, y: Tensor, weight: Tensor | None = None, reduction: int = MEAN, *, out: Tensor
) -> Cost:
    """g·(x - y) / max((1 - x)·x, ε)"""
    unit = Cost(adds=2, muls=2 + int(weight is not None), divs=1, comparisons=1)
    return _averaged(unit, reduction) * x.numel


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


@formula("aten.nll_loss_backward", "aten.nll_loss2d_backward")
def nll_loss_backward(
    grad: Tensor, x: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore_index: int,
    total_weight: Tensor, *, out: Tensor,
) -> Cost:  # fmt: skip
    """-g·weight / total weight where the target is, and 0 elsewhere: x itself is not read."""
    unit = Cost(adds=1, muls=int(weight is not None), divs=int(reduction == MEAN))
    return from_gradient(unit * target.numel, grad, target, total_weight, *([] if weight is None else [weight]))


def _classes(x: Tensor) -> int:
    """A number alone is the score of a single class."""
    return max(x.shape[-1], 1) if x.ndim else 1


@formula("aten.multi_margin_loss")
def multi_margin_loss(
    x: Tensor, target: Tensor, p: float = 1, margin: float = 1, weight: Tensor | None = None, reduction: int = MEAN,
    *, out: Tensor,
) -> Cost:  # fmt: skip
    """Σᵢ max(0, margin - x[y] + x[i])ᵖ / C over the C - 1 other classes."""
    classes = _classes(x)
    rows = x.numel // classes
    term = Cost(adds=2, comparisons=1, muls=(1 if p == 2 else 0) + int(weight is not None))
    return term * (rows * (classes - 1)) + _reduced(Cost(adds=max(classes - 2, 0), divs=1), rows, reduction)


@formula("aten.multi_margin_loss_backward")
def multi_margin_loss_backward(
    grad: Tensor, x: Tensor, target: Tensor, p: float, margin: float, weight: Tensor | None = None,
    reduction: int = MEAN, *, out: Tensor,
) -> Cost:  # fmt: skip
    """For each other class z = margin - x[y] + x[i]; z > 0 ? pzᵖ⁻¹ : 0, which is subtracted from the target's.

    In the end every element is multiplied by g/C, or g/NC behind a mean.
    """
    rows = x.numel // _classes(x)
    term = Cost(adds=2 + 1, comparisons=1, muls=(2 if p == 2 else 0) + int(weight is not None))
    return term * (x.numel - rows) + Cost(muls=x.numel)


@formula("aten.multilabel_margin_loss_backward")
def multilabel_margin_loss_backward(
    grad: Tensor, x: Tensor, target: Tensor, reduction: int, is_target: Tensor, *, out: Tensor
) -> Cost:
    """The pairs of the forward pass: 1 - x[y] + x[i] > 0 adds to both of them; then every element times g/C."""
    return Cost(adds=2 + 2, comparisons=1) * _label_pairs(x) + Cost(muls=x.numel)


@formula("aten.multilabel_margin_loss", "aten.multilabel_margin_loss_forward")
def multilabel_margin_loss(x: Tensor, target: Tensor, reduction: int = MEAN, *, out: Value) -> Cost:
    """Σ max(0, 1 - x[y] + x[i]) / C for all labels y and other classes i: C²/4 pairs, the most there can be."""
    classes = _classes(x)
    return Cost(adds=3, comparisons=1) * _label_pairs(x) + _reduced(Cost(divs=1), x.numel // classes, reduction)


def _label_pairs(x: Tensor) -> int:
    classes = _classes(x)
    return x.numel // classes * (classes // 2) * (classes - classes // 2)


@formula("aten._ctc_loss")
def ctc_loss(log_probs: Tensor, targets: Tensor, *_: Value, out: Value) -> Cost:
    """The forward recursion: at each step every one of 2S + 1 labels gathers three predecessors in a logsumexp.

    https://www.cs.toronto.edu/~graves/icml_2006.pdf, equation 6. Sequences are taken at their full, padded length.
    """
    # max of three; three differences and exps; two sums; log; the max and the label's own log probability added
    return Cost(comparisons=2, adds=3 + 2 + 2, specials=3 + 1) * _lattice(log_probs, targets)


def _lattice(log_probs: Tensor, targets: Tensor) -> int:
    """Steps times labels, blanks between them, of the whole batch."""
    steps, batch = log_probs.shape[0], log_probs.shape[1] if log_probs.ndim == 3 else 1
    return steps * (2 * (targets.shape[-1] * batch if targets.ndim == 2 else targets.numel) + batch)


@formula("aten._ctc_loss_backward")
def ctc_loss_backward(grad: Tensor, log_probs: Tensor, targets: Tensor, *_: Value, out: Tensor) -> Cost:
    """The same recursion from the end, β; α + β gathered for each class; then (exp(p) - exp(Σ + loss - p))·g.

    Equations 10 and 16 of the same paper, in logarithms. A class gathers with log(exp(a - max) + exp(b - max)) + max.
    """
    gathering = Cost(adds=1, comparisons=1) + Cost(adds=4, specials=3)
    recursion = ctc_loss(log_probs, targets, out=out) + gathering * _lattice(log_probs, targets)
    return recursion + Cost(specials=2, adds=3, muls=1) * log_probs.numel


@formula(
    "torch_nn._linear_cross_entropy_batch_chunked", "torch_nn._linear_cross_entropy_batch_chunked_no_reduction"
)  # fmt: skip
def linear_cross_entropy(
    x: Tensor, weight: Tensor, target: Tensor, bias: Tensor | None, class_weight: Tensor | None, *settings: Value,
    out: Value, **_: Value,
) -> Cost:  # fmt: skip
    """The logits of a linear layer and their cross entropy, chunk by chunk; with a reduction the gradients too.

    Those are softmax(logits) less 1 at the target, scaled; times the weight for the input, times x for the weight.
    """
    if target.is_float or (isinstance(settings[0], str) and settings[2] != 0):
        raise Uncovered("targets that are probabilities")
    logits = Tensor((*x.shape[:-1], weight.shape[0]), x.dtype)
    rows, n = target.numel, logits.numel
    product: Cost = formula_of("aten.linear")(x, weight, bias, out=logits)
    sums = max(n - rows, 0)
    loss = Cost(comparisons=sums, adds=2 * n + sums, specials=n + rows) + _reduced(
        Cost(adds=1, muls=int(class_weight is not None)), rows, SUM if isinstance(settings[0], str) else NONE
    )
    wanted = tuple(bool(flag) for flag in settings[7:10]) if isinstance(settings[0], str) else (False,) * 3
    if not any(wanted):
        return product + loss
    for_input, for_weight, for_bias = wanted
    gradient = Cost(specials=n, muls=n, adds=rows) + Cost(adds=max(n - weight.shape[0], 0) if for_bias else 0)
    products = formula_of("aten.linear")(x, weight, out=logits)
    return product + loss + gradient + sum((products for flag in (for_input, for_weight) if flag), NOTHING)
