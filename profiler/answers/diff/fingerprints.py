"""Which subtrees are alike? Each layer with everything inside it as two small numbers, equal where the subtrees are.

`structure` is of what a subtree is: kinds, settings, shapes and dtypes of parameters and buffers. `whole` is also of
what it did when it ran: calls, results' shapes, costs. The names of modules are in neither: a renamed module is alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from profiler.figures.layers import Layer
from profiler.records.trace import Weight, tensors


@dataclass(frozen=True, slots=True)
class Node:
    """A layer in its tree: rows of its parent and children, how many layers it is, and its fingerprints."""

    layer: Layer
    parent: int | None
    children: tuple[int, ...]
    size: int
    structure: int
    whole: int


@dataclass(slots=True)
class Fingerprints:
    """Numbers what it has not seen before; models that are compared share one, so that equal numbers mean alike.

    `with_settings` is whether modules' settings count, which not every source of models knows.
    """

    with_settings: bool = True
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def nodes(self, layers: Sequence[Layer]) -> list[Node]:
        """The layers, in preorder, as nodes."""
        rows = {layer.path: row for row, layer in enumerate(layers)}
        parents = [rows[layer.path.rpartition(".")[0]] if layer.path else None for layer in layers]
        children: list[list[int]] = [[] for _ in layers]
        nodes: list[Node | None] = [None] * len(layers)
        for row in range(len(layers) - 1, -1, -1):
            inside = tuple(reversed(children[row]))
            nodes[row] = self._node(layers[row], parents[row], inside, [n for i in inside if (n := nodes[i])])
            parent = parents[row]
            if parent is not None:
                children[parent].append(row)
        return [node for node in nodes if node is not None]

    def _node(self, layer: Layer, parent: int | None, rows: tuple[int, ...], inside: Sequence[Node]) -> Node:
        what, did = _identity(layer, self.with_settings), _did(layer)
        structure = self._number((what, tuple(node.structure for node in inside)))
        whole = self._number((what, did, tuple(node.whole for node in inside)))
        return Node(layer, parent, rows, 1 + sum(node.size for node in inside), structure, whole)

    def _number(self, content: Hashable) -> int:
        return self._numbers.setdefault(content, len(self._numbers))


def _identity(layer: Layer, with_settings: bool) -> Hashable:
    all_weights = tuple(map(_weight, layer.weights)), tuple(map(_weight, layer.buffers))
    return layer.kind, layer.module.attributes if with_settings else (), all_weights, layer.shared_with is not None


def _weight(weight: Weight) -> Hashable:
    tied = weight.same_as is not None
    return (
        weight.name,
        weight.tensor.shape,
        weight.tensor.dtype,
        weight.trainable,
        weight.persistent,
        tied,
        weight.packing,
    )


def _did(layer: Layer) -> Hashable:
    shapes = tuple(t.shape for t in tensors(layer.output))
    return layer.calls, shapes, layer.own.activation_bytes, layer.own.unknown_calls, layer.own_flops, layer.own.cost
