"""In whose currency? A convention is the only thing that turns a cost, a vector, into the one number called `flops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from profiler import errors
from profiler.ops.cost import Cost


@dataclass(frozen=True, slots=True)
class Convention:
    """A way of counting: its name, one sentence that says what counts, and the sum itself."""

    name: str
    says: str
    of: Callable[[Cost], int]


DEFAULT = "flops"

_ALL = (
    Convention(
        "flops",
        "a FLOP is one floating-point addition, multiplication, division or special function; a MAC is two",
        lambda cost: 2 * cost.macs + cost.adds + cost.muls + cost.divs + cost.specials,
    ),
    Convention(
        "macs",
        "a FLOP is one multiply-accumulate of a convolution, matrix product or attention, as vision papers print it",
        lambda cost: cost.macs,
    ),
)

CONVENTIONS: Mapping[str, Convention] = {convention.name: convention for convention in _ALL}


def named(name: str) -> Convention:
    """The convention of that name; raises `errors.NoSuchConvention`."""
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise errors.NoSuchConvention(name, CONVENTIONS) from None
