"""What do activations, softmax and dropout cost?

A function with branches (ELU, softplus, ...) costs each element its dearer branch: which one is taken depends on the
data. Sigmoid and tanh are special functions, one each, like exp.
"""

from __future__ import annotations

from profiler.ops.complex_numbers import COMPLEX
from profiler.ops.cost import NO_TRAFFIC, NOTHING, Cost
from profiler.ops.elements import each, first
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value

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


# What one element of the gradient costs, g being the gradient that arrives, x the input, y the output of the forward.
GRADIENT = {
    "threshold": Cost(comparisons=1),  # x > 0 ? g : 0
    "hardtanh": Cost(comparisons=2),
    "leaky_relu": Cost(comparisons=1, muls=1),
    "_prelu_kernel": Cost(comparisons=1, muls=2),  # of the input g·slope, of the slope g·x, on one side of 0 each
    "sigmoid": Cost(adds=1, muls=2),  # g·(1 - y)·y
    "tanh": Cost(adds=1, muls=2),  # g·(1 - y·y)
    "silu": Cost(specials=1, adds=2, muls=3),  # g·σ·(1 + x·(1 - σ)), σ = σ(x)
    "mish": Cost(specials=4, adds=2, muls=4),  # g·(t + x·σ(x)·(1 - t·t)), t = tanh(log1p(exp(x)))
    "softplus": Cost(
        comparisons=1, muls=2, specials=1, adds=1, divs=1
    ),  # z = exp(βx); βx > threshold ? g : g·z / (z + 1)
    "hardsigmoid": Cost(comparisons=2, divs=1),  # -3 < x < 3 ? g / 6 : 0
    "hardswish": Cost(comparisons=2, divs=1, adds=1, muls=1),  # x < -3 ? 0 : x ≤ 3 ? g·(x/3 + ½) : g
    "hardshrink": Cost(comparisons=2),
    "softshrink": Cost(comparisons=2),
}

GELU_GRADIENT = {
    # g·(Φ(x) + x·φ(x)) with Φ(x) = ½·(1 + erf(x·√½)) and φ(x) = exp(x·x·-½)·1/√(2π)
    "none": Cost(muls=2 + 3 + 2, adds=1 + 1, specials=2),
    # t = tanh(√(2/π)·(x + 0.044715·x·x·x)); g·(½·(1 + t) + ½x·(1 - t·t)·√(2/π)·(1 + 3·0.044715·x²)), x² at hand
    "tanh": Cost(muls=4 + 1 + 1 + 1 + 4 + 1, adds=1 + 1 + 1 + 1 + 1, specials=1),
}


def _register(name: str, unit: Cost) -> None:
    @formula(f"aten.{name}")
    def activation(x: Tensor, *_: Value, out: Value) -> Cost:
        result = first(out)
        if name in COMPLEX and result.is_complex:
            return COMPLEX[name] * result.numel
        return each(unit, result)


for _name, _unit in PER_ELEMENT.items():
    _register(_name, _unit)
for _name, _unit in GRADIENT.items():
    _register(f"{_name}_backward", _unit)


@formula("aten.gelu")
def gelu(x: Tensor, *, out: Tensor, approximate: str = "none") -> Cost:
    return each(GELU[approximate], out)


@formula("aten.elu")
def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1, *, out: Tensor) -> Cost:
    """x > 0 ? x : α·(exp(x) - 1); the two other factors are only there for SELU and CELU."""
    muls = 1 + int(scale != 1) + int(input_scale != 1)
    return each(Cost(comparisons=1, specials=1, adds=1, muls=muls), out)


@formula("aten.elu_backward")
def elu_backward(
    grad: Tensor, alpha: float, scale: float, input_scale: float, is_result: bool, x: Tensor, *, out: Tensor
) -> Cost:
    """x > 0 ? g : g·α·exp(x), or g·(y + α) when the forward overwrote x. SELU and CELU fold their scale into α."""
    muls = int(input_scale != 1)
    if is_result:
        return each(Cost(comparisons=1, adds=1, muls=1 + muls), out)
    return each(Cost(comparisons=1, specials=1, muls=2 + 2 * muls), out)


@formula("aten.gelu_backward")
def gelu_backward(grad: Tensor, x: Tensor, *, out: Tensor, approximate: str = "none") -> Cost:
    return each(GELU_GRADIENT[approximate], out)


@formula("aten.glu_backward")
def glu_backward(grad: Tensor, x: Tensor, dim: int, *, out: Tensor) -> Cost:
    """For each a·σ(b): of a it is g·σ(b), and of b that times a·(1 - σ(b))."""
    return each(Cost(specials=1, adds=1, muls=3), grad)


@formula("aten.log_sigmoid_backward")
def log_sigmoid_backward(grad: Tensor, x: Tensor, buffer: Tensor, *, out: Tensor) -> Cost:
    """g·((x < 0 ? 1 : 0) - sign(x)·z/(1 + z)), z = exp(-|x|), which the forward pass keeps in `buffer` on CPU."""
    remembered = buffer.numel > 0
    z = NOTHING if remembered else Cost(comparisons=1, adds=1, specials=1)
    return each(z + Cost(comparisons=1, adds=2, divs=1, muls=2), out)


@formula("aten.rrelu")
def rrelu(x: Tensor, *_: Value, out: Tensor) -> Cost:
    """A leaky ReLU: its slope is drawn at random in training, and the mean one in inference."""
    return each(PER_ELEMENT["leaky_relu"], out)


@formula("aten.rrelu_with_noise", "aten.rrelu_with_noise_functional")
def rrelu_with_noise(x: Tensor, noise: Tensor, *_: Value, out: Value) -> Cost:
    return rrelu(x, out=first(out))


@formula("aten.rrelu_with_noise_backward")
def rrelu_with_noise_backward(
    grad: Tensor, x: Tensor, noise: Tensor, lower: float, upper: float, training: bool, *_: Value, out: Tensor
) -> Cost:
    """In training `noise` holds every element's slope."""
    return each(Cost(muls=1) if training else GRADIENT["leaky_relu"], out)


@formula("aten.logit", "aten.special_logit")
def logit(x: Tensor, eps: float | None = None, *, out: Tensor) -> Cost:
    """log(x / (1 - x)), x clamped to [eps, 1 - eps]."""
    return each(Cost(adds=1, divs=1, specials=1, comparisons=0 if eps is None else 2), out)


@formula("aten.logit_backward")
def logit_backward(grad: Tensor, x: Tensor, eps: float | None = None, *, out: Tensor) -> Cost:
    """g / (x·(1 - x)), and 0 outside of [eps, 1 - eps]."""
    return each(Cost(adds=1, muls=1, divs=1, comparisons=0 if eps is None else 2), out)


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


@formula("aten._softmax_backward_data")
def softmax_backward(grad: Tensor, y: Tensor, dim: int, *_: Value, out: Tensor) -> Cost:
    """y·(g - Σ g·y) in each row."""
    n, sums = y.numel, max(y.numel - _rows(y, dim), 0)
    return Cost(muls=2 * n, adds=sums + n)


@formula("aten._masked_softmax_backward")
def masked_softmax_backward(
    grad: Tensor, y: Tensor, mask: Tensor, dim: int | None = None, *_: Value, out: Tensor
) -> Cost:
    return softmax_backward(grad, y, -1 if dim is None else dim, out=out)


@formula("aten._log_softmax_backward_data")
def log_softmax_backward(grad: Tensor, y: Tensor, dim: int, *_: Value, out: Tensor) -> Cost:
    """g - exp(y)·Σ g in each row."""
    n, sums = y.numel, max(y.numel - _rows(y, dim), 0)
    return Cost(specials=n, muls=n, adds=sums + n)


@formula("aten.native_dropout_backward")
def native_dropout_backward(grad: Tensor, mask: Tensor, scale: float, *, out: Tensor) -> Cost:
    """g·mask·1/(1-p)"""
    return each(Cost(muls=2), out)


@formula("aten._fused_dropout")
def fused_dropout(x: Tensor, p: float, *_: Value, out: Value) -> Cost:
    """x·mask·1/(1-p); only training calls it."""
    return each(Cost(muls=2), x)


@formula("aten._masked_scale")
def masked_scale(x: Tensor, mask: Tensor, scale: float, *, out: Tensor) -> Cost:
    return each(Cost(muls=2), out)


def _dropout_unit(name: str, unit: Cost) -> None:
    @formula(*(f"aten.{n}" for n in name.split()))
    def dropout(x: Tensor, p: float, train: bool | None, *, out: Value) -> Cost:
        """The identity in inference. In training numbers are drawn, which is not counted, and used, which is."""
        return NO_TRAFFIC if train is False else each(unit, x)


_dropout_unit("dropout feature_dropout native_dropout", Cost(muls=2))  # x·mask·1/(1-p)
# (x·mask + α'·(1 - mask))·a + b, https://arxiv.org/abs/1706.02515, appendix; ATen folds it into three steps
_dropout_unit("alpha_dropout feature_alpha_dropout", Cost(muls=3, adds=3))
