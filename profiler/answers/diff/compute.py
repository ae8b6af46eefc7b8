"""What changed between two models? Totals, and the layers that were added, removed, changed, renamed or moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, partial

from profiler import errors
from profiler.answers.diff.blocks import by_blocks
from profiler.answers.diff.changes import OF_LAYERS, Change, changed_layers
from profiler.answers.diff.increase import Growth, GrowthLimits, growth_limits, growths
from profiler.answers.diff.matching import Matching, matching
from profiler.figures.profile import Profile, Totals
from profiler.records.times import Timer, Times
from profiler.render import numbers
from profiler.render.answer import Answer
from profiler.render.tables import Unit

TOP = 20


@dataclass(frozen=True, slots=True)
class Total:
    """A figure of both models: its name, as in `--max-increase`; sizes are bytes, and times nanoseconds."""

    name: str
    heading: str
    before: int | None
    after: int | None
    unit: Unit = Unit.EXACT

    @property
    def difference(self) -> int | None:
        return None if self.after is None or self.before is None else self.after - self.before

    @property
    def growth(self) -> float | None:
        """As a share of what it was; None where that was nothing, or is not known."""
        return self.difference / self.before if self.before and self.difference is not None else None


_TOTALS = (
    ("params", "Parameters", "params", Unit.EXACT),
    ("trainable", "Trainable parameters", "trainable_params", Unit.EXACT),
    ("buffers", "Buffers", "buffers", Unit.EXACT),
    ("macs", "MACs", "macs", Unit.EXACT),
    ("flops", "FLOPs", "flops", Unit.EXACT),
    ("size", "Parameter bytes", "param_bytes", Unit.BYTES),
    ("activations", "Activation bytes", "activation_bytes", Unit.BYTES),
    ("peak", "Peak activation bytes", "peak_activation_bytes", Unit.BYTES),
    ("memory", "Peak memory bytes", "peak_memory_bytes", Unit.BYTES),
)
TIME = "time"  # which there is on a device
FIGURES = (*(name for name, *_ in _TOTALS), TIME)


class Diff(Answer):
    """Two profiles, and what changed from one to the other. `print` it, or look at `totals`, `layers` and `blocks`.

    before, after: the profiles, in the convention of the second.
    first: the first one, as it was.
    top: how many blocks are shown (None: all).
    columns: what is shown of each, by the names that `--columns` takes.
    """

    def __init__(self, before: Profile, after: Profile, top: int | None = TOP, columns: Sequence[str] = ()) -> None:
        self.first = before
        timer = after.timer or before.timer
        before, after = (profile if profile.timer is timer else profile.on(timer) for profile in (before, after))
        self.before = before if before.convention.name == after.convention.name else before.under(after.convention.name)
        self.after = after
        self.top = top
        self.columns = tuple(columns)

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """Every figure of both models, in the convention of the second."""
        totals = tuple(Total(name, heading, *_both(self, field), unit) for name, heading, field, unit in _TOTALS)
        return totals if self.after.timer is None else (*totals, _time(self.before.times, self.after.times))

    @cached_property
    def layers(self) -> tuple[Change, ...]:
        """Every layer that differs, with its own amounts; what matters most first.

        The amounts add up to the differences of the totals. What is in a renamed or moved layer is not named again.
        """
        changes = map(self._timed, changed_layers(self._matching))
        if self.is_of_weights:
            changes = filter(_is_of_weights, changes)  # type: ignore[assignment]
        return tuple(sorted(changes, key=self._weight, reverse=True))

    def _timed(self, change: Change) -> Change:
        """With how much longer it takes. A time that differs alone makes no change: kernels wait for each other."""
        before, after = self.before.times, self.after.times
        if before is None or after is None:
            return change
        was = 0.0 if change.before is None else before.own[change.before.index].seconds
        now = 0.0 if change.after is None else after.own[change.after.index].seconds
        return replace(change, seconds=now - was)

    @property
    def unchanged_seconds(self) -> float | None:
        """How much longer the layers take that are as they were; None where no time is known."""
        before, after = self.before.times, self.after.times
        if before is None or after is None:
            return None
        return after.whole.seconds - before.whole.seconds - sum(change.seconds or 0.0 for change in self.layers)

    @cached_property
    def blocks(self) -> tuple[Change, ...]:
        """The same, with whole blocks as one: those added, removed, and put in the place of a block of another kind."""
        return tuple(sorted(by_blocks(self.layers, self._matching), key=self._weight, reverse=True))

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.layers and not any(total.difference for total in self.totals)

    def check(self, max_increase: str | GrowthLimits) -> None:
        """Raise `errors.CheckFailed` where a total grew by more than is allowed.

        max_increase: a share of what it was, `"2%"`, or `"0"`; or one for some totals, `"params=0,macs=5%"`.
        """
        for failure in self.failures(max_increase):
            raise failure

    def failures(self, max_increase: str | GrowthLimits) -> Iterator[errors.ProfileError]:
        """One for each total that grew by more than is allowed; or that has a limit of its own, and is not known.

        max_increase: as `check` takes it.
        """
        allowed = growth_limits(max_increase, FIGURES) if isinstance(max_increase, str) else max_increase
        check_growth_limits(allowed, self.after.timer)
        amounts = {t.name: (t.before, t.after) for t in self.totals if t.before is not None and t.after is not None}
        for total in self.totals:
            if total.name in allowed.named and total.name not in amounts:
                limit = f"{allowed.named[total.name]} % more"
                yield errors.not_known(self.not_run.model, total.heading, limit, "--max-increase")
        for growth in growths(allowed, amounts):
            yield self._grew(growth)
        if {"macs", "flops", TIME} & set(allowed.names(FIGURES)) and (unknown := self._newly_unknown()):
            yield _grew_unknown(self.after.model, unknown)

    def _grew(self, growth: Growth) -> errors.CheckFailed:
        (heading,) = (total.heading for total in self.totals if total.name == growth.name)
        before, after, allowed = growth.before, growth.after, growth.allowed
        is_short = growth.name == TIME and numbers.is_distinguishable(after, before, Unit.NANOSECONDS)
        write = partial(numbers.text, unit=Unit.NANOSECONDS) if is_short else numbers.exact
        by = numbers.grown(before, after, allowed, Unit.NANOSECONDS if is_short else Unit.EXACT)
        figures = write(before), write(after)
        return _grew_too_much(self.after.model, heading, by, *figures, allowed, self._most(growth))

    def _most(self, growth: Growth) -> list[str]:
        """The blocks that a figure grew by most."""
        if growth.name not in (*OF_LAYERS, TIME):
            return []
        by = {block.path: _amount(block, growth.name) for block in self.blocks}
        return sorted((path for path, amount in by.items() if amount > 0), key=lambda path: -by[path])

    @property
    def not_run(self) -> Profile:
        """The model that was read from a file alone, where one was."""
        return self.after if not self.after.trace.was_run else self.before

    @property
    def is_of_weights(self) -> bool:
        """Whether weights alone can be compared, for a model was not run."""
        return not (self.before.trace.was_run and self.after.trace.was_run)

    def _newly_unknown(self) -> dict[str, int]:
        calls_before = self.before.unknown_ops
        return {op: times for op, times in self.after.unknown_ops.items() if times > calls_before.get(op, 0)}

    @cached_property
    def _matching(self) -> Matching:
        with_settings = not (self.before.trace.is_graph or self.after.trace.is_graph)
        return matching(self.before.layers, self.after.layers, with_settings)

    def _weight(self, change: Change) -> tuple[float, ...]:
        """How much a change matters: its part of the MACs or parameters, then of the rest."""
        whole = (max(total.before or 0, total.after or 0, 1) for total in self.totals if total.name in OF_LAYERS)
        shares = (abs(a or 0) / w for a, w in zip(change.amounts.all, whole, strict=True))
        parts = dict(zip(FIGURES, shares, strict=False))
        return max(parts["macs"], parts["params"]), max(parts.values())

    def __repr__(self) -> str:
        return f"<Diff {self.before.model} to {self.after.model}: changed: {len(self.blocks)}>"


def _amount(change: Change, figure: str) -> float:
    return (change.seconds if figure == TIME else getattr(change.amounts, figure)) or 0


def check_growth_limits(allowed: GrowthLimits, timer: Timer | None) -> None:
    """Raise where the time has a limit of its own, and no device is named."""
    if TIME in allowed.named and timer is None:
        raise errors.only_with(f"--max-increase {TIME}={allowed.named[TIME]}%", "--device")


def _time(before: Times | None, after: Times | None) -> Total:
    word = next((f", {times.word}" for times in (after, before) if times is not None), "")
    amounts = [None if times is None else round(times.whole.seconds * 1e9) for times in (before, after)]
    return Total(TIME, f"Time{word}", amounts[0], amounts[1], Unit.NANOSECONDS)


def _is_of_weights(change: Change) -> bool:
    """A checkpoint has no layers that hold no weights."""
    now = change.now.total
    return change.status not in ("added", "removed") or bool(now.stored_params or now.buffers)


def _both(diff: Diff, field: str) -> tuple[int | None, int | None]:
    totals: tuple[Totals, Totals] = diff.before.totals, diff.after.totals
    return getattr(totals[0], field), getattr(totals[1], field)


# Error messages -------------------------------------------------------------------------------------------------------


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
