"""How does an exported graph compute sizes? On numbers alone, and none grows beyond what a tensor can have."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from profiler.records.files.limits import LARGEST_INTEGER

_MOST_DECIMALS = 20  # that a number may be rounded to
_ON_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "torch.sym_float": float,
    "torch.sym_int": int,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
    "torch.sym_ite": lambda condition, then, other: then if condition else other,
    "torch._sym_sqrt": math.sqrt,
    "math.floor": math.floor,
    "math.ceil": math.ceil,
    "math.trunc": math.trunc,
    "builtins.round": lambda number, decimals=0: round(number, max(-_MOST_DECIMALS, min(decimals, _MOST_DECIMALS))),
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            "add", "sub", "mul", "truediv", "floordiv", "mod", "neg", "pos", "and_", "or_", "not_", "eq", "ne", "lt",
            "le", "gt", "ge",
        )
    },
}  # fmt: skip
_OF_TENSORS: Mapping[str, Callable[..., Any]] = {
    "torch.ops.aten.sym_size.int": lambda tensor, dim: tensor.shape[dim],
    "torch.ops.aten.sym_stride.int": lambda tensor, dim: tensor.stride(dim),
    "torch.ops.aten.sym_numel.default": lambda tensor: tensor.numel(),
    "torch.ops.aten.sym_storage_offset.default": lambda tensor: tensor.storage_offset(),
}


def size_function(target: str) -> Callable[..., Any] | None:
    """The function of a name that computes sizes; None for an operator, which is called in torch."""
    if target in _OF_TENSORS:
        return _on_tensor(_OF_TENSORS[target])
    return _on_numbers(_ON_NUMBERS[target]) if target in _ON_NUMBERS else None


def _on_tensor(function: Callable[..., Any]) -> Callable[..., Any]:
    def read(tensor: Any, *rest: Any) -> Any:
        if not isinstance(tensor, Tensor):
            raise ValueError("it asks for the size of what is no tensor")
        return function(tensor, *rest)

    return read


def _on_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    def compute(*numbers: Any) -> Any:
        if not all(type(number) in (int, float, bool) for number in numbers):
            raise ValueError("it computes a size from what is no number")
        result = function(*numbers)
        if type(result) is int and abs(result) > LARGEST_INTEGER:
            raise ValueError("it computes a size that is larger than any tensor")
        return result

    return compute
