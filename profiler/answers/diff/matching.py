"""Which layer of one model is which of another? Alike subtrees first, the largest of them first of all; then names.

A subtree that is alike at the same path stays itself. One that is alike elsewhere was renamed or moved, with all that
is in it. What is left is paired by name under parents that are paired, and what is left then was removed or added. The
order of the two models does not matter: the pairs are the same. The two phases, alike subtrees from the largest down
and then containers from the innermost up, are those of Falleri et al., Fine-grained and Accurate Source Code
Differencing (ASE 2014).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from profiler.answers.diff.fingerprints import Fingerprints, Node
from profiler.figures.layers import Layer

Key: TypeAlias = Callable[[Node], Hashable]  # None: it has no part in this

_ALIKE: tuple[Key, ...] = (
    lambda node: (node.layer.name, node.whole),
    lambda node: node.whole,
    lambda node: (node.layer.name, node.structure),
)
_UNDER_ONE_PARENT: tuple[Key, ...] = (
    *_ALIKE,
    lambda node: (node.layer.name, node.layer.kind),
    lambda node: node.structure,
    lambda node: node.layer.name,
)


@dataclass(slots=True)
class Matching:
    """Two models' layers as nodes; which row of `before` is which of `after`, and the other way round."""

    before: list[Node]
    after: list[Node]
    partners: dict[int, int] = field(default_factory=dict)
    origins: dict[int, int] = field(default_factory=dict)
    with_settings: bool = True


def matching(before: Sequence[Layer], after: Sequence[Layer], with_settings: bool = True) -> Matching:
    """Pair the layers of two models, each given in preorder; `with_settings`: both know all settings of modules."""
    numbered = Fingerprints(with_settings)
    match = Matching(numbered.nodes(before), numbered.nodes(after), with_settings=with_settings)
    _pair_alike(match)
    _align_all(match)
    _pair_containers(match)
    _align_all(match)
    return match


# Alike subtrees -------------------------------------------------------------------------------------------------------


def _pair_alike(match: Matching) -> None:
    """From the largest down, so that whatever is in an alike subtree is paired with it."""
    sizes = {node.size for node in match.before} & {node.size for node in match.after}
    by_size = [_by_size(nodes) for nodes in (match.before, match.after)]
    for size in sorted(sizes, reverse=True):
        for key in _anywhere(match):
            for pair in _zipped(match, by_size[0][size], by_size[1][size], key):
                _pair(match, *pair)


def _anywhere(match: Matching) -> Iterator[Key]:
    """In place; under the same parent; anywhere."""
    yield lambda node: (node.layer.path, node.whole)
    yield lambda node: (node.layer.path, node.structure)
    yield lambda node: (_parent(node), node.whole) if _tells(node) else None
    yield lambda node: (_parent(node), node.structure) if _tells(node) else None
    kinds = _kinds_in_place(match)
    yield lambda node: node.whole if _stands_out(node, kinds) else None
    yield lambda node: node.structure if _stands_out(node, kinds) and node.size > 1 else None


def _parent(node: Node) -> str | None:
    return node.layer.path.rpartition(".")[0] if node.layer.path else None


def _tells(node: Node) -> bool:
    """Whether it is so much that an alike one is the same: one ReLU is like another."""
    return node.size > 1 or bool(node.layer.weights)


def _stands_out(node: Node, in_place: set[tuple[str, str]]) -> bool:
    """Of a single layer it is more likely that it changed where it is than that it moved."""
    return _tells(node) and (node.size > 1 or (node.layer.path, node.layer.kind) not in in_place)


def _kinds_in_place(match: Matching) -> set[tuple[str, str]]:
    """Paths at which both models have an unpaired layer of the same kind."""
    before = {(n.layer.path, n.layer.kind) for row, n in enumerate(match.before) if row not in match.partners}
    return before & {(n.layer.path, n.layer.kind) for row, n in enumerate(match.after) if row not in match.origins}


def _by_size(nodes: Sequence[Node]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = defaultdict(list)
    for row, node in enumerate(nodes):
        rows[node.size].append(row)
    return rows


# What is under paired parents -----------------------------------------------------------------------------------------


def _align_all(match: Matching) -> None:
    """The models themselves, and by name what is under layers that are paired."""
    if 0 not in match.partners and 0 not in match.origins:
        _pair(match, 0, 0)
    waiting = list(match.partners.items())
    while waiting:
        waiting += _align(match, *waiting.pop(), _UNDER_ONE_PARENT)


def _pair(match: Matching, before: int, after: int) -> None:
    """Two layers, and what is alike in them."""
    waiting = [(before, after)]
    match.partners[before], match.origins[after] = after, before
    while waiting:
        waiting += _align(match, *waiting.pop(), _ALIKE)


def _align(match: Matching, before: int, after: int, keys: Iterable[Key]) -> list[tuple[int, int]]:
    """Pair children of a pair, but not what is in them; the new pairs."""
    new = []
    for key in keys:
        for pair in _zipped(match, match.before[before].children, match.after[after].children, key):
            match.partners[pair[0]], match.origins[pair[1]] = pair[1], pair[0]
            new.append(pair)
    return new


def _zipped(match: Matching, before: Iterable[int], after: Iterable[int], key: Key) -> list[tuple[int, int]]:
    """The unpaired ones of both that have the same key, in their order."""
    groups: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, (rows, nodes, paired) in enumerate(
        ((before, match.before, match.partners), (after, match.after, match.origins))
    ):
        for row in rows:
            if row not in paired and (value := key(nodes[row])) is not None:
                groups[value][side].append(row)
    return [pair for left, right in groups.values() for pair in zip(left, right, strict=False)]


# Containers that were renamed and changed -----------------------------------------------------------------------------


def _pair_containers(match: Matching) -> None:
    """Unpaired layers of one kind, where more than half of the children of each are in the other; inner ones first."""
    for row in range(len(match.before) - 1, -1, -1):
        if row not in match.partners and (other := _home(match, row)) is not None:
            match.partners[row], match.origins[other] = other, row


def _home(match: Matching, row: int) -> int | None:
    node = match.before[row]
    homes = Counter(match.after[match.partners[child]].parent for child in node.children if child in match.partners)
    for home, times in homes.items():
        if home is None or home in match.origins or match.after[home].layer.kind != node.layer.kind:
            continue
        if 2 * times > max(len(node.children), len(match.after[home].children)):
            return home
    return None
