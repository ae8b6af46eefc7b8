"""What does an optimiser's step cost? By operators over lists of tensors, or by one operator that makes it all.

`_foreach_NAME` is NAME for each tensor of its lists. In place it returns nothing, and writes what it was given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import each
from profiler.ops.registry import formula, formula_of
from profiler.records.trace import Tensor, Value, tensors

Tensors = tuple[Tensor, ...]

FOREACH = """
    add sub mul div pow maximum minimum clamp_min clamp_max lerp addcmul addcdiv abs neg sign reciprocal sqrt rsqrt exp
    expm1 log log1p log2 log10 erf erfc sin cos tan sinh cosh tanh asin acos atan lgamma sigmoid floor ceil round trunc
    frac norm max
"""


def _size_bytes(values: Value) -> int:
    return sum(t.size_bytes for t in tensors(values))


def _nth(arguments: tuple[Value, ...], n: int) -> list[Any]:
    """What the n-th tensor of the lists meets: its part of a list, and whatever is shared."""
    return [argument[n] if isinstance(argument, tuple) else argument for argument in arguments]


def _register(name: str) -> None:
    @formula(f"aten._foreach_{name}")
    def foreach(*arguments: Value, out: Tensors | None, **kwargs: Value) -> Cost:
        results = arguments[0] if out is None else out
        assert isinstance(results, tuple)
        cost = NOTHING
        for n, result in enumerate(results):
            own, named = _nth(arguments, n), dict(kwargs)
            if name in ("addcmul", "addcdiv") and len(own) > 3:
                named["value"] = own.pop()  # of one tensor it is a keyword
            cost += formula_of(f"aten.{name}")(*own, out=result, **named)
        return replace(cost, bytes_written=_size_bytes(results))


for _name in FOREACH.split():
    _register(_name)


@formula("aten._foreach_copy")
def foreach_copy(x: Tensors, sources: Tensors, *_: Value, out: Tensors | None) -> Cost:
    """What stood in `x` is overwritten unread."""
    return Cost(bytes_read=_size_bytes(sources), bytes_written=_size_bytes(x))


@formula("aten._foreach_zero")
def foreach_zero(x: Tensors, *, out: Tensors | None) -> Cost:
    return Cost(bytes_read=0, bytes_written=_size_bytes(x))


@formula("aten._foreach_mm")
def foreach_mm(x: Tensors, y: Tensors, *, out: Tensors) -> Cost:
    products = (formula_of("aten.mm")(a, b, out=result) for a, b, result in zip(x, y, out, strict=True))
    return sum(products, NOTHING)


@formula("aten._foreach_powsum")
def foreach_powsum(x: Tensors, p: float = 2, *_: Value, out: Tensors) -> Cost:
    powers = (formula_of("aten.linalg__powsum")(tensor, p, out=result) for tensor, result in zip(x, out, strict=True))
    return sum(powers, NOTHING)


@formula("aten._amp_foreach_non_finite_check_and_unscale_")
def unscale(grads: Tensors, found: Tensor, inverse: Tensor, *, out: Value) -> Cost:
    """Each gradient times the inverse of the scale, and looked at: is it finite?"""
    cost = Cost(muls=1, comparisons=1) * sum(grad.numel for grad in grads)
    return replace(cost, bytes_written=_size_bytes(grads))


@formula("aten._amp_update_scale_")
def update_scale(scale: Tensor, *_: Value, out: Value) -> Cost:
    """One number grows or falls by a factor."""
    return Cost(muls=1, comparisons=2)


def _fused(unit: Cost, parameters: Tensors, *states: Tensors) -> Cost:
    """A step of `unit` for each element; parameters and states are written."""
    cost = NOTHING
    for parameter in parameters:
        cost += each(unit, parameter)
    return replace(cost, bytes_written=_size_bytes((parameters, states)))


def _prepared(weight_decay: Value, maximize: Value, grad_scale: Value) -> Cost:
    """The gradient of what is minimised: unscaled, negated, and with the penalty λ·p added."""
    return Cost(
        muls=1 if weight_decay else 0,
        adds=(1 if weight_decay else 0) + (1 if maximize else 0),
        divs=1 if grad_scale is not None else 0,
    )


# m + (1 - β₁)·(g - m); β₂·v + (1 - β₂)·g·g; p - lr·m / (√v / √(1 - β₂ᵗ) + ε). Factors of the step are one number.
ADAM = Cost(adds=2, muls=1) + Cost(adds=1, muls=3) + Cost(adds=2, muls=1, divs=2, specials=1)


@formula("aten._fused_adam")
def fused_adam(
    parameters: Tensors, grads: Tensors, averages: Tensors, squares: Tensors, largest: Tensors, steps: Tensors,
    *, out: Value, weight_decay: float, amsgrad: bool, maximize: bool, grad_scale: Tensor | None = None, **_: Value,
) -> Cost:  # fmt: skip
    """https://arxiv.org/abs/1412.6980, algorithm 1, with λ·p added to the gradient; AMSGrad keeps the largest v."""
    unit = _prepared(weight_decay, maximize, grad_scale) + ADAM + Cost(comparisons=int(amsgrad))
    return _fused(unit, parameters, averages, squares, largest)


@formula("aten._fused_adamw")
def fused_adamw(
    parameters: Tensors, grads: Tensors, averages: Tensors, squares: Tensors, largest: Tensors, steps: Tensors,
    *, out: Value, weight_decay: float, amsgrad: bool, maximize: bool, grad_scale: Tensor | None = None, **_: Value,
) -> Cost:  # fmt: skip
    """https://arxiv.org/abs/1711.05101: the weight decays by itself, times 1 - lr·λ."""
    decay = Cost(muls=1 if weight_decay else 0, comparisons=int(amsgrad))
    unit = _prepared(0, maximize, grad_scale) + decay + ADAM
    return _fused(unit, parameters, averages, squares, largest)


@formula("aten._fused_sgd")
def fused_sgd(
    parameters: Tensors, grads: Tensors, momenta: Tensors, *, out: Value, weight_decay: float, momentum: float,
    dampening: float, nesterov: bool, maximize: bool, is_first_step: bool, grad_scale: Tensor | None = None, **_: Value,
) -> Cost:  # fmt: skip
    """p - lr·d, d being g; or b = μ·b + (1 - τ)·g, which is g in the first step; or Nesterov's g + μ·b."""
    unit = _prepared(weight_decay, maximize, grad_scale) + Cost(adds=1, muls=1)
    if momentum and not is_first_step:
        unit += Cost(adds=1, muls=1 + int(dampening != 0))
    if momentum and nesterov:
        unit += Cost(adds=1, muls=1)
    return _fused(unit, parameters, momenta)


@formula("aten._fused_adagrad")
def fused_adagrad(
    parameters: Tensors, grads: Tensors, sums: Tensors, steps: Tensors, *, out: Value, weight_decay: float,
    maximize: bool, grad_scale: Tensor | None = None, **_: Value,
) -> Cost:  # fmt: skip
    """s + g·g; p - lr·g / (√s + ε). https://jmlr.org/papers/v12/duchi11a.html"""
    unit = Cost(adds=1, muls=1) + Cost(adds=2, muls=1, divs=1, specials=1)
    return _fused(_prepared(weight_decay, maximize, grad_scale) + unit, parameters, sums)
