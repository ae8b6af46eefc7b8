"""What do random draws cost, and the gradients of those that have one?

A draw is not counted: how many numbers a generator makes, and what it does with them, differs from one to the next.
What is computed with the drawn numbers is.
"""

from __future__ import annotations

from profiler.ops.cost import Cost
from profiler.ops.registry import formula, free
from profiler.records.trace import Tensor, Value

_FROM_PARAMETERS = """
    bernoulli multinomial poisson binomial _standard_gamma _philox_normal _philox_uniform normal_functional
    _philox_key_split _philox_key_fold_in
"""
_FROM_NOTHING = """
    rand rand_like randn randn_like randint randint_like randperm normal uniform exponential random cauchy geometric
    log_normal bernoulli_ _philox_normal_ _philox_uniform_
"""

free("draws random numbers", *(f"aten.{name}" for name in _FROM_NOTHING.split()), writes=True)
free(
    "draws random numbers from given distributions", *(f"aten.{name}" for name in _FROM_PARAMETERS.split()),
    reads=True, writes=True,
)  # fmt: skip


@formula("aten._sample_dirichlet")
def dirichlet(concentration: Tensor, *_: Value, out: Tensor) -> Cost:
    """Gamma variates over their sum. https://doi.org/10.1007/978-1-4613-8643-8, chapter XI, section 4."""
    width = concentration.shape[-1] if concentration.ndim else 1
    rows = out.numel // width if width else 0
    return Cost(adds=max(out.numel - rows, 0), divs=out.numel)


@formula("aten._standard_gamma_grad", "aten._dirichlet_grad")
def implicit_gradient(x: Tensor, *_: Value, out: Tensor) -> Cost:
    """The derivative of the quantile by the parameter, a special function. https://arxiv.org/abs/1805.08498"""
    return Cost(specials=out.numel)
