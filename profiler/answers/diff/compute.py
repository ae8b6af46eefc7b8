"""What changed between two models? Totals, and the layers that were added, removed, changed, renamed or moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, TypeAlias

from profiler import errors
from profiler.answers.diff.fingerprints import Node
from profiler.answers.diff.increase import Growth, GrowthLimits, growth_limits, growths
from profiler.answers.diff.matching import Matching, matching
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile, Totals
from profiler.records.trace import Value, Weight, tensors
from profiler.render import numbers
from profiler.render.answer import Answer

Status: TypeAlias = Literal["added", "removed", "changed", "renamed", "moved"]
TOP = 20


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


_OF_LAYERS = tuple(Amounts.__dataclass_fields__)  # what layers add up to; a peak is none of it


@dataclass(frozen=True, slots=True)
class Reason:
    """In what a layer differs: "kind", the name of a setting or parameter, "output", "calls"; and how it was and is."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """A layer that is not as it was. `amounts` are its own, without the layers in it.

    `layers` is how many layers it stands for: a block is one change, its amounts those of all that changed in it.
    """

    status: Status
    before: Layer | None
    after: Layer | None
    reasons: tuple[Reason, ...]
    amounts: Amounts
    layers: int = 1

    @property
    def path(self) -> str:
        """Where it is, or was."""
        return self.now.path

    @property
    def now(self) -> Layer:
        layer = self.before if self.after is None else self.after
        assert layer is not None
        return layer


@dataclass(frozen=True, slots=True)
class Total:
    """A figure of both models: its name, as in `--max-increase`; sizes are bytes."""

    name: str
    heading: str
    before: int | None
    after: int | None

    @property
    def difference(self) -> int | None:
        return None if self.after is None or self.before is None else self.after - self.before

    @property
    def growth(self) -> float | None:
        """As a share of what it was; None where that was nothing, or is not known."""
        return self.difference / self.before if self.before and self.difference is not None else None


_TOTALS = (
    ("params", "Parameters", "params"),
    ("trainable", "Trainable parameters", "trainable_params"),
    ("buffers", "Buffers", "buffers"),
    ("macs", "MACs", "macs"),
    ("flops", "FLOPs", "flops"),
    ("size", "Parameter bytes", "param_bytes"),
    ("activations", "Activation bytes", "activation_bytes"),
    ("peak", "Peak activation bytes", "peak_activation_bytes"),
    ("memory", "Peak memory bytes", "peak_memory_bytes"),
)
FIGURES = tuple(name for name, *_ in _TOTALS)


class Diff(Answer):
    """Two profiles, and what changed from one to the other. `print` it, or look at `totals`, `layers` and `blocks`.

    top: how many blocks are shown (None: all).
    columns: what is shown of each, by the names that `--columns` takes.
    """

    def __init__(self, before: Profile, after: Profile, top: int | None = TOP, columns: Sequence[str] = ()) -> None:
        self.given = before
        self.before = before if before.convention.name == after.convention.name else before.under(after.convention.name)
        self.after = after
        self.top = top
        self.columns = tuple(columns)

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """Every figure of both models, in the convention of the second."""
        return tuple(Total(name, heading, *_both(self, field)) for name, heading, field in _TOTALS)

    @cached_property
    def layers(self) -> tuple[Change, ...]:
        """Every layer that differs, with its own amounts; what matters most first.

        The amounts add up to the differences of the totals. What is in a renamed or moved layer is not named again.
        """
        found = _changes(self._matching)
        if self.is_of_weights:
            found = filter(_is_of_weights, found)
        return tuple(sorted(found, key=self._weight, reverse=True))

    @cached_property
    def blocks(self) -> tuple[Change, ...]:
        """The same, with whole blocks as one: those added, removed, and put in the place of a block of another kind."""
        return tuple(sorted(_blocks(self.layers, self._matching), key=self._weight, reverse=True))

    @property
    def is_empty(self) -> bool:
        return not self.layers and not any(total.difference for total in self.totals)

    def check(self, max_increase: str | GrowthLimits) -> None:
        """Raise `errors.CheckFailed` where a total grew by more than this, as `"2%"`, `"0"` or `"params=0,macs=5%"`."""
        for failure in self.failures(max_increase):
            raise failure

    def failures(self, max_increase: str | GrowthLimits) -> Iterator[errors.ProfileError]:
        """One for each total that grew by more than is allowed; or that has a limit of its own, and is not known."""
        allowed = growth_limits(max_increase, FIGURES) if isinstance(max_increase, str) else max_increase
        known = {t.name: (t.before, t.after) for t in self.totals if t.before is not None and t.after is not None}
        for total in self.totals:
            if total.name in allowed.named and total.name not in known:
                limit = f"{allowed.named[total.name]} % more"
                yield errors.not_known(self.not_run.model, total.heading, limit, "--max-increase")
        for growth in growths(allowed, known):
            yield self._grew(growth)
        if {"macs", "flops"} & set(allowed.names(FIGURES)) and (unknown := self._newly_unknown()):
            yield _grew_unknown(self.after.model, unknown)

    def _grew(self, growth: Growth) -> errors.CheckFailed:
        (heading,) = (total.heading for total in self.totals if total.name == growth.name)
        before, after, allowed = growth.before, growth.after, growth.allowed
        by = numbers.grown(before, after, allowed)
        figures = (numbers.exact(before), numbers.exact(after))
        return _grew_too_much(self.after.model, heading, by, *figures, allowed, self._most(growth))

    def _most(self, growth: Growth) -> list[str]:
        """The blocks that a figure grew by most."""
        if growth.name not in _OF_LAYERS:
            return []
        grown = [block for block in self.blocks if (getattr(block.amounts, growth.name) or 0) > 0]
        grown.sort(key=lambda block: -getattr(block.amounts, growth.name))
        return [block.path for block in grown]

    @property
    def not_run(self) -> Profile:
        """The model that was read from a file alone, where one was."""
        return self.after if not self.after.trace.was_run else self.before

    @property
    def is_of_weights(self) -> bool:
        """Whether weights alone can be compared, for a model was not run."""
        return not (self.before.trace.was_run and self.after.trace.was_run)

    def _newly_unknown(self) -> dict[str, int]:
        known = self.before.unknown_ops
        return {op: times for op, times in self.after.unknown_ops.items() if times > known.get(op, 0)}

    @cached_property
    def _matching(self) -> Matching:
        with_settings = not (self.before.trace.is_graph or self.after.trace.is_graph)
        return matching(self.before.layers, self.after.layers, with_settings)

    def _weight(self, change: Change) -> tuple[float, ...]:
        """How much a change matters: its part of the MACs or parameters, then of the rest."""
        whole = (max(total.before or 0, total.after or 0, 1) for total in self.totals if total.name in _OF_LAYERS)
        shares = (abs(a or 0) / w for a, w in zip(change.amounts.all, whole, strict=True))
        parts = dict(zip(FIGURES, shares, strict=False))
        return max(parts["macs"], parts["params"]), max(parts.values())

    def __repr__(self) -> str:
        return f"<Diff {self.before.model} to {self.after.model}: changed: {len(self.blocks)}>"


def _is_of_weights(change: Change) -> bool:
    """A checkpoint has no layers that hold no weights."""
    now = change.now.total
    return change.status not in ("added", "removed") or bool(now.stored_params or now.buffers)


def _both(found: Diff, field: str) -> tuple[int | None, int | None]:
    totals: tuple[Totals, Totals] = found.before.totals, found.after.totals
    return getattr(totals[0], field), getattr(totals[1], field)


# Layer by layer -------------------------------------------------------------------------------------------------------


def _changes(found: Matching) -> Iterator[Change]:
    for row, node in enumerate(found.before):
        if row not in found.partners:
            yield Change("removed", node.layer, None, (), Amounts() - _own(node.layer))
    for row, node in enumerate(found.after):
        if row not in found.origins:
            yield Change("added", None, node.layer, (), _own(node.layer))
        elif (change := _changed(found, found.before[found.origins[row]], node)) is not None:
            yield change


def _changed(found: Matching, before: Node, after: Node) -> Change | None:
    reasons, amounts = tuple(_reasons(found, before, after)), _own(after.layer) - _own(before.layer)
    status: Status = _whereabouts(found, before, after) or "changed"
    if status == "changed" and not reasons and not any(amounts.all):
        return None
    size = after.size if status != "changed" else 1
    return Change(status, before.layer, after.layer, reasons, amounts, size)


def _whereabouts(found: Matching, before: Node, after: Node) -> Literal["renamed", "moved"] | None:
    """Not of what is in a renamed or moved layer: its parent is the same as before."""
    if before.parent is None and after.parent is None:
        return None
    if before.parent is None or after.parent is None or found.partners.get(before.parent) != after.parent:
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


def _reasons(found: Matching, before: Node, after: Node) -> Iterator[Reason]:
    old, new = before.layer, after.layer
    if old.was_run and new.was_run:
        yield from _reasons_of_class(found, old, new)
    for held in ((old.weights, new.weights), (old.buffers, new.buffers)):
        yield from _items(*map(_tensors, held))
        yield from _shared_items(*map(_flags, held))
    if old.was_run and new.was_run:
        yield from _reasons_of_run(found, before, after)


def _reasons_of_class(found: Matching, old: Layer, new: Layer) -> Iterator[Reason]:
    if old.kind != new.kind:
        yield Reason("kind", old.kind, new.kind)
    settings = dict(old.module.attributes), dict(new.module.attributes)
    yield from _items(*settings) if found.with_settings else _known_to_both(*settings)


def _reasons_of_run(found: Matching, before: Node, after: Node) -> Iterator[Reason]:
    old, new = before.layer, after.layer
    if not before.children and not after.children and _shapes(old.output) != _shapes(new.output):
        yield Reason("output", _shapes(old.output), _shapes(new.output))
    if old.calls != new.calls:
        yield Reason("calls", old.calls, new.calls)
    if _sharer(found, old) != new.shared_with:
        yield Reason("shared with", old.shared_with, new.shared_with)


def _sharer(found: Matching, old: Layer) -> str | None:
    """The path where the layer that this one is shared with is now."""
    if old.module.same_as is None:
        return None
    row = found.partners.get(old.module.same_as)
    return old.shared_with if row is None else found.after[row].layer.path


def _items(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Reason]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Reason(name, old.get(name), new.get(name))


def _shared_items(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Reason]:
    """Of what both have."""
    yield from _items(
        {name: old[name] for name in old if name in new}, {name: new[name] for name in new if name in old}
    )


def _known_to_both(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Reason]:
    """Of settings that both have: `3` is `(3, 3)` to an operator."""
    for reason in _shared_items(old, new):
        before, after = (value if isinstance(value, tuple) else (value,) for value in (reason.before, reason.after))
        if set(before) != set(after) or 1 not in (len(before), len(after)):
            yield reason


def _tensors(weights: Iterable[Weight]) -> dict[str, Any]:
    return {weight.name: replace(weight.tensor, strides=None) for weight in weights}


def _flags(weights: Iterable[Weight]) -> dict[str, Any]:
    found = {}
    for weight in weights:
        found[f"{weight.name} trainable"] = weight.trainable
        found[f"{weight.name} tied"] = weight.same_as is not None
    return found


def _shapes(value: Value) -> tuple[tuple[int, ...], ...]:
    return tuple(t.shape for t in tensors(value))


# Block by block -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    """The changes by their rows in the two models, and the rows, in the second, of blocks that took another's place."""

    old: dict[int, Change]
    new: dict[int, Change]
    replaced: frozenset[int]


def _blocks(changes: Sequence[Change], found: Matching) -> list[Change]:
    old = {change.before.index: change for change in changes if change.before is not None}
    new = {change.after.index: change for change in changes if change.after is not None}
    rows = _Rows(old, new, frozenset(row for row in new if _is_replaced(found, row, old, new)))
    groups: dict[int, tuple[Change, list[Change]]] = {}
    for change in changes:
        head = _head(change, found, rows)
        groups.setdefault(id(head), (head, []))[1].append(change)
    return [_block(head, group, found) for head, group in groups.values()]


def _block(head: Change, group: Sequence[Change], found: Matching) -> Change:
    if len(group) == 1:
        return head
    layers = len(group) if head.before is None or head.after is None else found.after[head.after.index].size
    return replace(head, amounts=sum((c.amounts for c in group), Amounts()), layers=layers)


def _head(change: Change, found: Matching, rows: _Rows) -> Change:
    """The outermost block that a change is shown in, or itself."""
    is_old = change.after is None
    nodes, side = (found.before, rows.old) if is_old else (found.after, rows.new)
    head, within = change, change.status in ("added", "removed")
    above = nodes[change.now.index].parent
    while above is not None:
        now = found.partners.get(above) if is_old else above
        within = within and above in side and side[above].status == change.status
        if now in rows.replaced:
            head = rows.new[now]
        elif within:
            head = side[above]
        above = nodes[above].parent
    return head


def _is_replaced(found: Matching, row: int, old: dict[int, Change], new: dict[int, Change]) -> bool:
    """Whether a block of another kind, most of whose layers are others too, stands where one was."""
    change = new[row]
    if change.before is None or row == 0 or change.before.kind == found.after[row].layer.kind:
        return False
    before = range(change.before.index + 1, change.before.index + found.before[change.before.index].size)
    after = range(row + 1, row + found.after[row].size)
    differing = sum(i in old for i in before if i not in found.partners) + sum(i in new for i in after)
    return 2 * differing > max(len(before), len(after))


# What is said ---------------------------------------------------------------------------------------------------------


def _grew_unknown(model: str, ops: Mapping[str, int]) -> errors.CheckFailed:
    calls = ", ".join(f"{op} ×{times}" for op, times in ops.items())
    return errors.CheckFailed(
        f"{model} calls operators that its baseline does not, and that have no formula: {calls}; how much its MACs "
        "and FLOPs grew is not known; register one (docs/extending.md)"
    )


def _grew_too_much(
    model: str, figure: str, grown: str, before: str, after: str, allowed: Decimal, paths: Sequence[str]
) -> errors.CheckFailed:
    """`grown` and the figures are in words: `102,600, 0.47 %`."""
    where = f"; the most in {errors.some([path or 'the model itself' for path in paths], 3)}" if paths else ""
    return errors.CheckFailed(
        f"{model}: {figure} grew by {grown}, from {before} to {after}, and {allowed} % is allowed{where}"
    )
