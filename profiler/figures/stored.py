"""How are the parameters stored? In which dtypes, packed how, pruned by which masks, and with how many zeros."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from profiler.figures.layers import Figures
from profiler.records.trace import Trace, Weight

_ORIGINAL, _MASK = "_orig", "_mask"  # of torch.nn.utils.prune


class Kind(NamedTuple):
    """What is stored alike: the parameters it stands for, and its bytes with what it takes to unpack them."""

    name: str
    params: int
    size_bytes: int


class Masks(NamedTuple):
    """The buffers that pruning multiplies weights with."""

    tensors: int
    size_bytes: int


def bytes_by_dtype(trace: Trace) -> dict[str, int]:
    """Of all parameters, the largest share first."""
    sizes: Counter[str] = Counter()
    for weight in _each_once(trace.parameters):
        sizes[weight.tensor.dtype] += weight.tensor.size_bytes
    return dict(sizes.most_common())


def kind(weight: Weight) -> str:
    """The format of a packed weight, and the dtype of another."""
    return weight.tensor.dtype if weight.packing is None else weight.packing.format


def kinds(trace: Trace) -> list[Kind]:
    """The kinds of all parameters, the largest first."""
    return _kinds(_each_once(trace.parameters))


def formats(trace: Trace) -> list[Kind]:
    """Those of packed parameters alone."""
    return _kinds([weight for weight in _each_once(trace.parameters) if weight.packing is not None])


def _kinds(weights: Iterable[Weight]) -> list[Kind]:
    params, sizes = Counter[str](), Counter[str]()
    for weight in weights:
        params[kind(weight)] += weight.numel
        sizes[kind(weight)] += weight.tensor.size_bytes
    return [Kind(name, params[name], size) for name, size in sizes.most_common()]


def masks(trace: Trace) -> Masks:
    """A mask is a buffer beside the parameter that it is for."""
    pruned = {(w.module, w.name.removesuffix(_ORIGINAL)) for w in trace.parameters if w.name.endswith(_ORIGINAL)}
    zeros = [
        weight.tensor.size_bytes
        for weight in _each_once(trace.buffers)
        if weight.name.endswith(_MASK) and (weight.module, weight.name.removesuffix(_MASK)) in pruned
    ]
    return Masks(len(zeros), sum(zeros))


def zeros(figures: Figures) -> int | None:
    """None where nobody looked, which is not 0."""
    return figures.zeros if figures.zeros_of else None


def sparsity(figures: Figures) -> float | None:
    """The share of zeros among the parameters that were looked at."""
    return figures.zeros / figures.zeros_of if figures.zeros_of else None


def _each_once(weights: Iterable[Weight]) -> list[Weight]:
    return [weight for weight in weights if weight.same_as is None]
