"""Which layers are not as they were, in what, and by how much?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from profiler.answers.diff.fingerprints import Node
from profiler.answers.diff.matching import Matching
from profiler.figures.layers import Layer
from profiler.records.trace import Value, Weight, tensors

Status: TypeAlias = Literal["added", "removed", "changed", "renamed", "moved"]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much more of each figure there is; sizes are bytes. None: not known, for one of the models was not run."""

    params: int = 0
    trainable: int = 0
    buffers: int = 0
    macs: int | None = 0
    flops: int | None = 0
    size: int = 0
    activations: int | None = 0

    def __add__(self, other: Amounts) -> Amounts:
        return self._with(other, 1)

    def __sub__(self, other: Amounts) -> Amounts:
        return self._with(other, -1)

    def _with(self, other: Amounts, sign: int) -> Amounts:
        pairs = zip(self.all, other.all, strict=True)
        sums: list[Any] = [None if a is None or b is None else a + sign * b for a, b in pairs]
        return Amounts(*sums)

    @property
    def all(self) -> tuple[int | None, ...]:
        return self.params, self.trainable, self.buffers, self.macs, self.flops, self.size, self.activations


OF_LAYERS = tuple(Amounts.__dataclass_fields__)  # what layers add up to; a peak is none of it


@dataclass(frozen=True, slots=True)
class Reason:
    """In what a layer differs: "kind", the name of a setting or parameter, "output", "calls"; and how it was and is."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """A layer that is not as it was. `amounts` are its own, without the layers in it.

    `seconds` is how much longer it takes itself, on a device; None where that is not known, or there is none.
    `layers` is how many layers it stands for: a block is one change, its amounts those of all that changed in it.
    """

    status: Status
    before: Layer | None
    after: Layer | None
    reasons: tuple[Reason, ...]
    amounts: Amounts
    layers: int = 1
    seconds: float | None = None

    @property
    def path(self) -> str:
        """Where it is, or was."""
        return self.now.path

    @property
    def now(self) -> Layer:
        layer = self.before if self.after is None else self.after
        assert layer is not None
        return layer


# Layer by layer -------------------------------------------------------------------------------------------------------


def changed_layers(match: Matching) -> Iterator[Change]:
    for row, node in enumerate(match.before):
        if row not in match.partners:
            yield Change("removed", node.layer, None, (), Amounts() - _own(node.layer))
    for row, node in enumerate(match.after):
        if row not in match.origins:
            yield Change("added", None, node.layer, (), _own(node.layer))
        elif (change := _changed(match, match.before[match.origins[row]], node)) is not None:
            yield change


def _changed(match: Matching, before: Node, after: Node) -> Change | None:
    reasons, amounts = tuple(_reasons(match, before, after)), _own(after.layer) - _own(before.layer)
    status: Status = _whereabouts(match, before, after) or "changed"
    if status == "changed" and not reasons and not any(amounts.all):
        return None
    size = after.size if status != "changed" else 1
    return Change(status, before.layer, after.layer, reasons, amounts, size)


def _whereabouts(match: Matching, before: Node, after: Node) -> Literal["renamed", "moved"] | None:
    """Not of what is in a renamed or moved layer: its parent is the same as before."""
    if before.parent is None and after.parent is None:
        return None
    if before.parent is None or after.parent is None or match.partners.get(before.parent) != after.parent:
        return "moved"
    return "renamed" if before.layer.name != after.layer.name else None


def _own(layer: Layer) -> Amounts:
    own = layer.own
    return Amounts(
        own.params,
        own.trainable_params,
        own.buffers,
        int(own.cost.macs) if layer.was_run else None,
        layer.own_flops if layer.was_run else None,
        own.param_bytes,
        own.activation_bytes if layer.was_run else None,
    )


def _reasons(match: Matching, before: Node, after: Node) -> Iterator[Reason]:
    old, new = before.layer, after.layer
    if old.was_run and new.was_run:
        yield from _reasons_of_class(match, old, new)
    for weights in ((old.weights, new.weights), (old.buffers, new.buffers)):
        yield from _items(*map(_tensors, weights))
        yield from _shared_items(*map(_flags, weights))
    if old.was_run and new.was_run:
        yield from _reasons_of_run(match, before, after)


def _reasons_of_class(match: Matching, old: Layer, new: Layer) -> Iterator[Reason]:
    if old.kind != new.kind:
        yield Reason("kind", old.kind, new.kind)
    settings = dict(old.module.attributes), dict(new.module.attributes)
    yield from _items(*settings) if match.with_settings else _settings_of_both(*settings)


def _reasons_of_run(match: Matching, before: Node, after: Node) -> Iterator[Reason]:
    old, new = before.layer, after.layer
    if not before.children and not after.children and _shapes(old.output) != _shapes(new.output):
        yield Reason("output", _shapes(old.output), _shapes(new.output))
    if old.calls != new.calls:
        yield Reason("calls", old.calls, new.calls)
    if _sharer(match, old) != new.shared_with:
        yield Reason("shared with", old.shared_with, new.shared_with)


def _sharer(match: Matching, old: Layer) -> str | None:
    """The path where the layer that this one is shared with is now."""
    if old.module.same_as is None:
        return None
    row = match.partners.get(old.module.same_as)
    return old.shared_with if row is None else match.after[row].layer.path


def _items(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Reason]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Reason(name, old.get(name), new.get(name))


def _shared_items(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Reason]:
    """Of what both have."""
    yield from _items(
        {name: old[name] for name in old if name in new}, {name: new[name] for name in new if name in old}
    )


def _settings_of_both(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Reason]:
    """Of settings that both have: `3` is `(3, 3)` to an operator."""
    for reason in _shared_items(old, new):
        before, after = (value if isinstance(value, tuple) else (value,) for value in (reason.before, reason.after))
        if set(before) != set(after) or 1 not in (len(before), len(after)):
            yield reason


def _tensors(weights: Iterable[Weight]) -> dict[str, Any]:
    return {weight.name: replace(weight.tensor, strides=None) for weight in weights}


def _flags(weights: Iterable[Weight]) -> dict[str, Any]:
    flags = {}
    for weight in weights:
        flags[f"{weight.name} trainable"] = weight.trainable
        flags[f"{weight.name} tied"] = weight.same_as is not None
    return flags


def _shapes(value: Value) -> tuple[tuple[int, ...], ...]:
    return tuple(t.shape for t in tensors(value))
