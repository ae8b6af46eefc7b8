"""Arguments of an exported graph's operators, from tagged JSON to what torch takes.

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
