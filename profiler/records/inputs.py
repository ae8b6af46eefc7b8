"""What do I feed the model? Shapes as a person writes them: "1x3x224x224", "1x3x224x224:float16", "ids=1x128:int64"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from profiler import errors
from profiler.records import dtypes
from profiler.records.trace import DTYPE_BITS

_PATTERN = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*|scalar)(?::(?P<dtype>\w+))?", re.ASCII)
_TUPLE = re.compile(r"[(\[]\s*(\d+(?:\s*,\s*\d+)*)\s*,?\s*[)\]]", re.ASCII)  # (1, 3, 224, 224), as Python prints it
_TIMES = re.compile(r"(?<=\d)\s*[X×*]\s*(?=\d)")
_LONGEST = 4000  # characters; Python reads no number of more than 4,300 digits
_MOST_BYTES = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor to be made: its shape and dtype, and the keyword it is passed by (None: positional)."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str | None = None

    def __post_init__(self) -> None:
        if any(size < 0 for size in self.shape):
            raise _negative_size(self.shape)
        if prod(self.shape) * DTYPE_BITS.get(self.dtype, 8) > 8 * _MOST_BYTES:
            raise errors.too_large(self.shape)


def parse(text: str) -> TensorSpec:
    """Read one `--input`: `[NAME=]DIMxDIMx...[:DTYPE]`, or `scalar` for a shape without dimensions."""
    if len(text) > _LONGEST:
        raise _bad_input_shape(text)
    match = _match(text)
    if match is None:
        raise _bad_input_shape(text)
    dtype = dtypes.name(match["dtype"] or "float32")
    if dtype not in DTYPE_BITS:
        raise _bad_input_dtype(text, dtype)
    shape = () if match["shape"] == "scalar" else tuple(map(int, match["shape"].split("x")))
    if 0 in shape:
        raise _empty_input(text)
    return TensorSpec(shape, dtype, match["name"])


def _match(text: str) -> re.Match[str] | None:
    return _PATTERN.fullmatch(_TIMES.sub("x", _TUPLE.sub(_as_product, text.strip())))


def _as_product(match: re.Match[str]) -> str:
    return "x".join(size.strip() for size in match[1].split(","))


def written(spec: TensorSpec) -> str:
    """The text that `parse` reads as this."""
    name = "" if spec.name is None else f"{spec.name}="
    dtype = "" if spec.dtype == "float32" else f":{spec.dtype}"
    return f"{name}{'x'.join(map(str, spec.shape)) or 'scalar'}{dtype}"


def arguments(
    specs: Sequence[TensorSpec], batch: int | None = None
) -> tuple[tuple[TensorSpec, ...], dict[str, TensorSpec]]:
    """Positional and keyword arguments, in the order given; `batch` takes the place of their first dimension."""
    sized = [spec if batch is None or not spec.shape else _with_batch(spec, batch) for spec in specs]
    return tuple(s for s in sized if s.name is None), {s.name: s for s in sized if s.name is not None}


def _with_batch(spec: TensorSpec, batch: int) -> TensorSpec:
    return replace(spec, shape=(batch, *spec.shape[1:]))


# In Python ------------------------------------------------------------------------------------------------------------


def positional_and_named(inputs: Any, kwargs: Mapping[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a forward pass takes, from what `profile` takes: positional and keyword arguments."""
    named = {name: _written_shape(value) for name, value in (kwargs or {}).items()}
    if inputs is None:
        return (), named
    is_several = type(inputs) is tuple and not _is_shape(inputs)
    positional = []
    for argument in inputs if is_several else (inputs,):
        spec = _shapes_inside(argument, _unless_setting if is_several else _unless_word)
        spec = spec if is_several and _is_word(spec) else _spec(spec)
        if isinstance(spec, TensorSpec) and spec.name is not None:
            named[spec.name] = spec
        else:
            positional.append(spec)
    return tuple(positional), named


def _spec(value: Any) -> Any:
    """A shape, however it is written, as a `TensorSpec`; anything else as it is."""
    if isinstance(value, str):
        return parse(value)
    return TensorSpec(value) if _is_shape(value) else value


def _is_word(value: Any) -> bool:
    """Whether it is a text that nobody would take for a shape: an argument such as "train" among several."""
    return isinstance(value, str) and value != "scalar" and "=" not in value and not value[:1].isdigit()


def _unless_word(text: str) -> Any:
    """A text in a list or dict that is all there is."""
    return text if _is_word(text) else parse(text)


def _unless_setting(text: str) -> Any:
    """A text in one that stands beside other arguments, where it may be of settings: fewer texts are shapes."""
    return text if _match(text) is None else _written_shape(text)


def _written_shape(value: Any) -> Any:
    """A keyword argument: a text that reads as a shape of several dimensions, or names a dtype, is one."""
    if not isinstance(value, str) or "=" in value or not value[:1].isdigit() or not set("x:") & set(value):
        return value
    return parse(value)


def _shapes_inside(collection: Any, read: Callable[[str], Any]) -> Any:
    """A list or dict in which all that could be a shape is one, with such in their place; anything else as it is.

    Beside a tensor, two numbers are more likely the size of an image, so that is none. read: what a text in it is.
    """
    if type(collection) not in (list, dict) or not collection:
        return collection
    values = list(collection.values()) if isinstance(collection, dict) else collection
    if not all(isinstance(value, str) or _is_shape(value) for value in values):
        return collection
    shapes = [read(value) if isinstance(value, str) else _spec(value) for value in values]
    return dict(zip(collection, shapes, strict=True)) if isinstance(collection, dict) else shapes


def _is_shape(value: Any) -> bool:
    """Whether it is a tuple of integers, whatever methods a class of the user's own has."""
    return isinstance(value, tuple) and tuple.__len__(value) > 0 and all(type(n) is int for n in tuple.__iter__(value))


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_input_shape(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"input {text!r} is not a shape; write it like 1x3x224x224, 1x128:int64 or mask=1x128:bool"
    )


def _empty_input(text: str) -> errors.ProfileError:
    return errors.ProfileError(f"input {text!r} has a dimension of 0, so nothing would be computed; make it 1 or more")


def _bad_input_dtype(text: str, dtype: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"input {text!r}: no dtype is called {dtype!r}; use a torch name such as float16 or int64"
    )


def _negative_size(shape: Sequence[int]) -> errors.ProfileError:
    return errors.ProfileError(
        f"input {'x'.join(map(str, shape))} has a size below 0; give its real sizes, like 1x3x224x224"
    )
