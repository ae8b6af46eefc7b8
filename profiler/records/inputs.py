"""What do I feed the model? Shapes as a person writes them: "1x3x224x224", "1x3x224x224:float16", "ids=1x128:int64"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from profiler import errors
from profiler.records.trace import DTYPE_BITS

_PATTERN = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*|scalar)(?::(?P<dtype>\w+))?", re.ASCII)
_LONGEST = 4000  # characters; Python reads no number of more than 4,300 digits
_MOST_BYTES = 2**63 - 1
_SHORT = {"half": "float16", "float": "float32", "double": "float64", "int": "int32", "long": "int64"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor to be made: its shape and dtype, and the keyword it is passed by (None: positional)."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str | None = None

    def __post_init__(self) -> None:
        if any(size < 0 for size in self.shape):
            raise errors.NegativeSize(self.shape)
        if prod(self.shape) * DTYPE_BITS.get(self.dtype, 8) > 8 * _MOST_BYTES:
            raise errors.TooLarge(self.shape)


def parse(text: str) -> TensorSpec:
    """Read one `--input`: `[NAME=]DIMxDIMx...[:DTYPE]`, or `scalar` for a shape without dimensions."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None or len(text) > _LONGEST:
        raise errors.BadInputShape(text)
    dtype = match["dtype"] or "float32"
    dtype = _SHORT.get(dtype, dtype)
    if dtype not in DTYPE_BITS:
        raise errors.BadInputDtype(text, dtype)
    shape = () if match["shape"] == "scalar" else tuple(map(int, match["shape"].split("x")))
    return TensorSpec(shape, dtype, match["name"])


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
