"""What does an operator return, or overwrite, where a rule is sure? The rules are registered here.

A rule returns None in every case that it is not sure of, and torch is asked: so torch alone decides what is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from torch import Tensor

from profiler.engine.containers.layouts import TensorLayout, layout_of

Answer: TypeAlias = "TensorLayout | tuple[TensorLayout, ...]"
Rule: TypeAlias = "Callable[..., Answer | None]"
R = TypeVar("R", bound=Rule)
SHAPES: dict[Any, Rule] = {}


def rule(*operators: Any) -> Callable[[R], R]:
    """Make a function the rule of operators; None stands for one that the installed torch does not have."""

    def register(function: R) -> R:
        SHAPES.update((each, function) for each in operators if each is not None)
        return function

    return register


def alike(*tensors: Tensor | None) -> bool:
    """Floating-point, of one dtype, with exactly the strides of a new tensor: the case the rules below are sure of.

    `is_contiguous` says so of more tensors: it looks past the strides of dimensions of size 1, which outputs may keep.
    """
    present = [t for t in tensors if t is not None]
    dtype = present[0].dtype
    return dtype.is_floating_point and all(t.dtype is dtype and layout_of(t).is_row_major for t in present)


def shape(func: Any, args: Any, kwargs: Any) -> Answer | None:
    """What an operator returns, or what it overwrites, where a rule is sure."""
    rule = SHAPES.get(func)
    answer: Answer | None = None if rule is None else rule(*args, **kwargs)
    return answer


def by_rule(func: Any, args: Any, kwargs: Any) -> Any:
    """What an operator returns on meta tensors, where a rule is sure; None elsewhere."""
    answer = shape(func, args, kwargs)
    if answer is None:
        return None
    if func._schema.is_mutable:
        return args[0]
    return tuple(layout.empty() for layout in answer) if isinstance(answer, tuple) else answer.empty()
