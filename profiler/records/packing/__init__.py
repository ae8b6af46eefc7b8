"""Which tensors of a quantised model are packed, and what do they stand for?

Told from names, shapes and dtypes, and from what a file or the configuration beside it says of them.

`read(tensors)` takes tensors by their full names, as a state_dict or a checkpoint has them
(`model.layers.0.mlp.up_proj.qweight`), and gives a `Packing` by name for each that is not what it seems: its format,
and the shape of the weights that it holds, as the layer's user sees it (outputs first); None for what only helps to
unpack others. A name that is not in the answer is that of a plain tensor, whose elements are its weights.

One file a family of layouts, each with `read(layer)`, which finds nothing in a layer of another family; the first that
finds something is believed. Where shapes allow two readings and nobody says which it is, there is a `Doubt` besides,
with how many weights more the largest would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import NamedTuple, TypeAlias

from profiler.records.packing import (
    bitsandbytes,
    blocks,
    codebooks,
    compressed,
    hqq,
    mlx,
    quanto,
    scaled,
    torchao,
    unread,
    words,
)
from profiler.records.packing.layer import Finding, PackedLayer, Shapes, Tensors, layers
from profiler.records.packing.told import NOTHING, Told
from profiler.records.trace import Doubt, Packing

__all__ = ["NOTHING", "Packings", "Told", "packings", "read"]

Family: TypeAlias = Callable[[PackedLayer], Iterator[Finding]]
# In the order in which they are asked: those with names of their own first, plain `weight`s with scales later.
FAMILIES: tuple[Family, ...] = (
    torchao.read,
    bitsandbytes.read,
    words.read,
    compressed.read,
    mlx.read,
    blocks.read,
    codebooks.read,
    hqq.read,
    quanto.read,
    scaled.read,
    unread.read,
)


class Packings(NamedTuple):
    """How each tensor is packed that is, and where that is not sure."""

    packings: Mapping[str, Packing]
    doubts: tuple[Doubt, ...] = ()


def read(
    tensors: Tensors, shapes: Shapes | None = None, told: Told = NOTHING, known: Set[str] = frozenset()
) -> Packings:
    """See this package's opening text.

    shapes: those of weights by the names of the tensors that hold them, where somebody knows them.
    told: what a file's metadata or its configuration says. known: names whose packing is known without it.
    """
    packings: dict[str, Packing] = {}
    doubts: list[Doubt] = []
    for layer in layers(tensors, shapes or {}, told, known):
        for finding in _of(layer, packings):
            if isinstance(finding, Doubt):
                doubts.append(finding)
            else:
                packings.setdefault(*finding)
    return Packings(packings, tuple(doubts))


def packings(tensors: Tensors, shapes: Shapes | None = None) -> Mapping[str, Packing]:
    """The same without doubts: for models that are there."""
    return read(tensors, shapes).packings


def _of(layer: PackedLayer, packings: Mapping[str, Packing]) -> list[Finding]:
    for family in FAMILIES:
        findings = [f for f in family(layer) if isinstance(f, Doubt) or f[0] not in packings]
        if findings:
            return findings
    return []
