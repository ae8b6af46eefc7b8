"""How are the arguments of an exported graph's operators, tagged JSON, turned into what torch takes?

Which function a name means, and whether it may be called, is in `operators` and `arithmetic`.
"""

from __future__ import annotations

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


def value(tagged: Mapping[str, Any], by_name: Mapping[str, Any]) -> Any:
    """The value that a tagged value stands for; names are looked up in `by_name`."""
    ((tag, content),) = tagged.items()
    if tag in _PLAIN:
        return content
    if tag not in _READERS:
        raise ValueError(f"an argument of the kind {tag}")
    return _READERS[tag](content, by_name)


def _named(content: Any, by_name: Mapping[str, Any]) -> Any:
    """A tensor or a size by its name, or a plain value beside such."""
    if "as_tensor" in content:
        return by_name[content["as_tensor"]["name"]]
    if "as_none" in content:
        return None
    name = content.get("as_name", content.get("name"))
    return by_name[name] if name is not None else next(iter(content.values()))


def _each_named(content: Any, by_name: Mapping[str, Any]) -> list[Any]:
    return [_named(item, by_name) for item in content]


def _dtype(content: Any, by_name: Mapping[str, Any]) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, DTYPES[content])
    return dtype


_READERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "as_none": lambda content, by_name: None,
    "as_float": lambda content, by_name: float(content),  # "Infinity" is a string
    "as_floats": lambda content, by_name: [float(item) for item in content],
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
    "as_nested_tensors": lambda content, by_name: [_each_named(item, by_name) for item in content],
    "as_scalar_type": _dtype,
    "as_memory_format": lambda content, by_name: _MEMORY_FORMATS[content],
    "as_layout": lambda content, by_name: torch.strided,
    "as_device": lambda content, by_name: torch.device("cpu"),  # whatever device it was exported on
    "as_complex": lambda content, by_name: complex(content["real"], content["imag"]),
}


def names(tagged: Any) -> Iterator[str]:
    """The names of the tensors and sizes that a tagged value refers to."""
    if isinstance(tagged, list):
        for item in tagged:
            yield from names(item)
    elif isinstance(tagged, dict):
        for tag, content in tagged.items():
            if tag in ("name", "as_name"):
                yield content
            elif isinstance(content, (dict, list)):
                yield from names(content)
