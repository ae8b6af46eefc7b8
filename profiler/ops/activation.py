"""Activations, softmax and dropout.

A function with branches (ELU, softplus, ...) costs each element its dearer branch: which one is taken depends on the
data. Sigmoid and tanh are special functions, one each, like exp.
"""

from __future__ import annotations

from profiler.ops.cost import NO_TRAFFIC, Cost
from profiler.ops.elements import each, first
from profiler.ops.registry import formula
from profiler.records import Tensor, Value

# What one element costs, by the definition in torch.nn's documentation (which is the argument's order, too).
PER_ELEMENT = {
    "relu": Cost(comparisons=1),  # max(0, x)
    "relu6": Cost(comparisons=2),  # min(max(0, x), 6)
    "hardtanh": Cost(comparisons=2),
    "threshold": Cost(comparisons=1),
    "leaky_relu": Cost(comparisons=1, muls=1),  # x > 0 ? x : slope·x
    "prelu": Cost(comparisons=1, muls=1),
    "_prelu_kernel": Cost(comparisons=1, muls=1),
    "celu": Cost(comparisons=1, divs=1, specials=1, adds=1, muls=1),  # α·(exp(x/α) - 1)
    "selu": Cost(comparisons=1, specials=1, adds=1, muls=2),  # scale·α·(exp(x) - 1)
    "sigmoid": Cost(specials=1),
    "tanh": Cost(specials=1),
    "silu": Cost(specials=1, muls=1),  # x·σ(x)
    "mish": Cost(specials=3, muls=1),  # x·tanh(log1p(exp(x)))
    "softplus": Cost(comparisons=1, muls=1, specials=2, divs=1),  # βx > threshold ? x : log1p(exp(βx)) / β
    "log_sigmoid": Cost(comparisons=2, adds=2, specials=2),  # min(0, x) - log1p(exp(-|x|))
    "log_sigmoid_forward": Cost(comparisons=2, adds=2, specials=2),
    "hardsigmoid": Cost(adds=1, comparisons=2, divs=1),  # relu6(x + 3) / 6
    "hardswish": Cost(adds=1, comparisons=2, muls=1, divs=1),  # x·relu6(x + 3) / 6
    "hardshrink": Cost(comparisons=2),  # x > λ or x < -λ ? x : 0
    "softshrink": Cost(comparisons=2, adds=1),  # x > λ ? x - λ : x < -λ ? x + λ : 0
    "glu": Cost(specials=1, muls=1),  # a·σ(b): half as many outputs as inputs
}

GELU = {
    "none": Cost(muls=3, adds=1, specials=1),  # ½x·(1 + erf(x·√½))
    "tanh": Cost(muls=6, adds=2, specials=1),  # ½x·(1 + tanh(√(2/π)·(x + 0.044715·x·x·x)))
}


def _register(name: str, unit: Cost) -> None:
    @formula(f"aten.{name}")
    def activation(x: Tensor, *_: Value, out: Value) -> Cost:
        return each(unit, first(out))


for _name, _unit in PER_ELEMENT.items():
    _register(_name, _unit)


@formula("aten.gelu")
def gelu(x: Tensor, *, out: Tensor, approximate: str = "none") -> Cost:
    return each(GELU[approximate], out)


@formula("aten.elu")
def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1, *, out: Tensor) -> Cost:
    """x > 0 ? x : α·(exp(x) - 1); the two other factors are only there for SELU and CELU."""
    muls = 1 + int(scale != 1) + int(input_scale != 1)
    return each(Cost(comparisons=1, specials=1, adds=1, muls=muls), out)


@formula("aten.rrelu")
def rrelu(x: Tensor, *_: Value, out: Tensor) -> Cost:
    """A leaky ReLU: its slope is drawn at random in training, and the mean one in inference."""
    return each(PER_ELEMENT["leaky_relu"], out)


@formula("aten.rrelu_with_noise")
def rrelu_with_noise(x: Tensor, noise: Tensor, *_: Value, out: Tensor) -> Cost:
    return rrelu(x, out=out)


@formula("aten.logit", "aten.special_logit")
def logit(x: Tensor, eps: float | None = None, *, out: Tensor) -> Cost:
    """log(x / (1 - x)), x clamped to [eps, 1 - eps]."""
    return each(Cost(adds=1, divs=1, specials=1, comparisons=0 if eps is None else 2), out)


def softmax_cost(elements: int, rows: int) -> Cost:
    """exp(x - max) / Σ exp(x - max) in each row: the maximum, its subtraction, exp, the sum, the division."""
    reduced = max(elements - rows, 0)
    return Cost(comparisons=reduced, adds=elements + reduced, specials=elements, divs=elements)


def _rows(x: Tensor, dim: int) -> int:
    return x.numel // x.shape[dim] if x.ndim and x.shape[dim] else 1


@formula("aten.softmax", "aten._softmax", "aten.special_softmax")
def softmax(x: Tensor, dim: int, *_: Value, out: Tensor, **__: Value) -> Cost:
    return softmax_cost(x.numel, _rows(x, dim))


@formula("aten._safe_softmax")
def safe_softmax(x: Tensor, dim: int, *_: Value, out: Tensor, **__: Value) -> Cost:
    """A softmax that looks at each element once more: a row of nothing but -inf gives zeros."""
    return softmax_cost(x.numel, _rows(x, dim)) + Cost(comparisons=x.numel)


@formula("aten._masked_softmax")
def masked_softmax(x: Tensor, mask: Tensor, dim: int | None = None, *_: Value, out: Tensor) -> Cost:
    return softmax_cost(x.numel, _rows(x, -1 if dim is None else dim))


@formula("aten.log_softmax", "aten._log_softmax", "aten.special_log_softmax")
def log_softmax(x: Tensor, dim: int, *_: Value, out: Tensor, **__: Value) -> Cost:
    """(x - max) - log Σ exp(x - max)."""
    rows = _rows(x, dim)
    reduced = max(x.numel - rows, 0)
    return Cost(comparisons=reduced, adds=2 * x.numel + reduced, specials=x.numel + rows)


def _dropout_unit(name: str, unit: Cost) -> None:
    @formula(*(f"aten.{n}" for n in name.split()))
    def dropout(x: Tensor, p: float, train: bool | None, *, out: Value) -> Cost:
        """The identity in inference. In training numbers are drawn, which is not counted, and used, which is."""
        return NO_TRAFFIC if train is False else each(unit, x)


_dropout_unit("dropout feature_dropout native_dropout", Cost(muls=2))  # x·mask·1/(1-p)
# (x·mask + α'·(1 - mask))·a + b, https://arxiv.org/abs/1706.02515, appendix; ATen folds it into three steps
_dropout_unit("alpha_dropout feature_alpha_dropout", Cost(muls=3, adds=3))
