"""How is a layer described in a few words ("Conv2d 64→128 3×3 /2"), and a parameter count as its formula?

The words are a layer's class name and what its nearest known ancestor in torch.nn is usually told apart by. `/2` is a
stride (left out when 1), `d2` a dilation, `g32` groups, `k3` a kernel in one dimension, `→` leads to the output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from profiler.ops.cost import Count, Factors
from profiler.ops.layers.kind import joined, words_of
from profiler.records.trace import Module, Weight

# MultiheadAttention's output projection: a Linear in all but the quantiser's eyes.
ALIASES = {"NonDynamicallyQuantizableLinear": "Linear"}


def describe(module: Module, own: Sequence[Weight] = ()) -> str:
    """A layer's class with its shape; "tied" when one of its own parameters belongs to an earlier layer."""
    tied = "tied" if any(weight.same_as is not None for weight in own) else ""
    return joined(ALIASES.get(module.kind, module.kind), words_of(module), tied)


def render_formula(count: Count) -> str:
    """A count as "names = numbers = result": "in·out + out = 4096·1000 + 1000 = 4,097,000".

    A term that occurs twice is written once, with a 2. Products bind tighter than sums, so nothing needs brackets. A
    lone number is written once, and so is nothing: "0".
    """
    result = f"{int(count):,}"
    if not count.terms:
        return result
    terms = Counter(count.terms)  # the layers of a recurrent network repeat theirs
    names = " + ".join(_product(_times(n) + [name for name, _ in term]) for term, n in terms.items())
    if _is_lone(count.terms):
        return f"{names} = {result}"
    numbers = " + ".join(_product(_times(n) + [str(value) for _, value in term]) for term, n in terms.items())
    return f"{names} = {numbers} = {result}"


def _times(n: int) -> list[str]:
    return [] if n == 1 else [str(n)]


def _product(factors: Sequence[str]) -> str:
    return "·".join(factors) or "1"


def _is_lone(terms: tuple[Factors, ...]) -> bool:
    return len(terms) == 1 and len(terms[0]) <= 1
