"""Arguments of an exported graph's operators, from tagged JSON to what torch takes, and the functions they go to.

Only operators of torch's own libraries, and arithmetic on sizes, are ever called for a file; see `resolve`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from profiler.sources.exported.archive import DTYPES

_MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}
_PLAIN = {
    "as_int", "as_ints", "as_string", "as_strings", "as_bool", "as_bools", "as_int_lists",
}  # fmt: skip
_LIBRARIES = {"aten", "prims", "torchvision"}
_KEPT_OUT = {"from_file"}  # opens a file by its name
_SIZES: Mapping[str, Callable[..., Any]] = {
    "torch.ops.aten.sym_size.int": lambda tensor, dim: tensor.shape[dim],
    "torch.ops.aten.sym_stride.int": lambda tensor, dim: tensor.stride(dim),
    "torch.ops.aten.sym_numel.default": lambda tensor: tensor.numel(),
    "torch.ops.aten.sym_storage_offset.default": lambda tensor: tensor.storage_offset(),
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
    "builtins.round": round,
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            "add", "sub", "mul", "truediv", "floordiv", "mod", "neg", "pos", "and_", "or_", "not_", "eq", "ne", "lt",
            "le", "gt", "ge",
        )
    },
}  # fmt: skip
# What compilers check or are told about sizes; nothing is computed.
_CHECKS = {
    "_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range", "_functional_assert_async",
    "sym_constrain_range_for_size", "_functional_sym_constrain_range", "_functional_sym_constrain_range_for_size",
    "_functional_assert_scalar",
}  # fmt: skip


def size_function(target: str) -> Callable[..., Any] | None:
    """Arithmetic on sizes, which is no operator call."""
    return _SIZES.get(target)


def is_check(target: str) -> bool:
    match = re.fullmatch(r"torch\.ops\.aten\.(\w+)\.\w+", target)
    return match is not None and match[1] in _CHECKS


def resolve(target: str) -> Any:
    """The operator of that name, of torch's own libraries; None for any other."""
    match = re.fullmatch(r"torch\.ops\.(\w+)\.(\w+)\.(\w+)", target)
    if match is None or match[1] not in _LIBRARIES or match[2] in _KEPT_OUT:
        return None
    found = getattr(getattr(getattr(torch.ops, match[1]), match[2], None), match[3], None)
    return found if isinstance(found, torch._ops.OpOverload) else None


def value(tagged: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """What a tagged value stands for; names are looked up in `known`."""
    ((tag, said),) = tagged.items()
    if tag in _PLAIN:
        return said
    if tag not in _READERS:
        raise ValueError(f"an argument of the kind {tag}")
    return _READERS[tag](said, known)


def _named(said: Any, known: Mapping[str, Any]) -> Any:
    """A tensor or a size by its name, or a plain value beside such."""
    if "as_tensor" in said:
        return known[said["as_tensor"]["name"]]
    if "as_none" in said:
        return None
    name = said.get("as_name", said.get("name"))
    return known[name] if name is not None else next(iter(said.values()))


def _each_named(said: Any, known: Mapping[str, Any]) -> list[Any]:
    return [_named(item, known) for item in said]


def _dtype(said: Any, known: Mapping[str, Any]) -> torch.dtype:
    found: torch.dtype = getattr(torch, DTYPES[said])
    return found


_READERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "as_none": lambda said, known: None,
    "as_float": lambda said, known: float(said),  # "Infinity" is a string
    "as_floats": lambda said, known: [float(item) for item in said],
    "as_tensor": _named,
    "as_optional_tensor": _named,
    "as_sym_int": _named,
    "as_sym_float": _named,
    "as_sym_bool": _named,
    "as_tensors": _each_named,
    "as_optional_tensors": _each_named,
    "as_sym_ints": _each_named,
    "as_sym_floats": _each_named,
    "as_sym_bools": _each_named,
    "as_nested_tensors": lambda said, known: [_each_named(item, known) for item in said],
    "as_scalar_type": _dtype,
    "as_memory_format": lambda said, known: _MEMORY_FORMATS[said],
    "as_layout": lambda said, known: torch.strided,
    "as_device": lambda said, known: torch.device("cpu"),  # wherever it was exported
    "as_complex": lambda said, known: complex(said["real"], said["imag"]),
}


def names(tagged: Any) -> Iterator[str]:
    """The names of the tensors and sizes that a tagged value refers to."""
    if isinstance(tagged, list):
        for item in tagged:
            yield from names(item)
    elif isinstance(tagged, dict):
        for tag, said in tagged.items():
            if tag in ("name", "as_name"):
                yield said
            elif isinstance(said, (dict, list)):
                yield from names(said)
