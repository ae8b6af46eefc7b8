"""How much does an output depend on each layer, and is that worth what the layer costs?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from statistics import fmean, stdev
from typing import TypeVar

from profiler import errors
from profiler.answers.layers.compute import View
from profiler.answers.sensitivity.figure import Saving, savings
from profiler.figures.layers import Layer, summed
from profiler.figures.profile import Profile
from profiler.figures.tied import holders
from profiler.records.patterns import is_in
from profiler.records.sensitivities import Effect, Gradients, OfWeight, Trial
from profiler.records.trace import state_name
from profiler.render.answer import Answer
from profiler.render.charts.data import Chart
from profiler.render.charts.look import Look

R = TypeVar("R", bound="OfLayer")
CHEAP = "costs much, matters little"
_LITTLE = 0.25  # of its share of the MACs: a layer whose share of the importance is less matters little


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the weights of a layer: sums over their elements. squares: of the mean gradient. curvatures: of each probe."""

    elements: int = 0
    squares: float = 0.0
    absolute: float = 0.0
    importance: float = 0.0
    fisher: float = 0.0
    curvatures: tuple[float, ...] = ()

    def __add__(self, other: Sums) -> Sums:
        longer, shorter = sorted((self.curvatures, other.curvatures), key=len, reverse=True)
        curvatures = tuple(map(sum, zip(longer, shorter, strict=True))) if shorter else longer
        return Sums(
            self.elements + other.elements,
            self.squares + other.squares,
            self.absolute + other.absolute,
            self.importance + other.importance,
            self.fisher + other.fisher,
            curvatures,
        )


@dataclass(frozen=True, slots=True)
class OfLayer:
    """What is known of one layer.

    layer: what it costs.
    path, kind, depth: of the layer.
    """

    layer: Layer

    @property
    def path(self) -> str:
        return self.layer.path

    @property
    def kind(self) -> str:
        return self.layer.kind

    @property
    def depth(self) -> int:
        return self.layer.depth


@dataclass(frozen=True, slots=True)
class LayerSensitivity(OfLayer):
    """A layer, and how much the output depends on its weights.

    sums: over its weights.
    is_own: without what is in it.
    costs_much: whether it takes much and matters little; see `Sensitivity`.
    params, macs: of the layer, with what is in it unless `is_own`; MACs are None where they are not known.
    importance_per_param: the sum of |w·g|, for each weight.
    """

    sums: Sums
    is_own: bool
    costs_much: bool = False

    @property
    def params(self) -> int:
        return self.layer.own.params if self.is_own else self.layer.params

    @property
    def macs(self) -> int | None:
        """None where they are not known."""
        return int(self.layer.own.cost.macs) if self.is_own and self.layer.macs is not None else self.layer.macs

    @property
    def norm(self) -> float:
        """The 2-norm of the gradient of all its weights."""
        return sqrt(self.sums.squares)

    @property
    def mean_absolute(self) -> float:
        """The mean of |g| over its weights."""
        return self.sums.absolute / self.sums.elements

    @property
    def importance(self) -> float:
        """The sum of |w·g|."""
        return self.sums.importance

    @property
    def fisher(self) -> float:
        """The sum over its weights of the empirical Fisher diagonal."""
        return self.sums.fisher

    @property
    def importance_per_param(self) -> float:
        return self.sums.importance / self.sums.elements

    @property
    def importance_per_mac(self) -> float | None:
        """None of a layer without MACs."""
        return self.sums.importance / self.macs if self.macs else None

    @property
    def trace(self) -> float | None:
        """The estimate of the trace of its block of the Hessian; None where that was not asked for."""
        return fmean(self.sums.curvatures) if self.sums.curvatures else None

    @property
    def trace_error(self) -> float | None:
        """The standard error of `trace`; None of fewer than two probes."""
        probes = len(self.sums.curvatures)
        return stdev(self.sums.curvatures) / sqrt(probes) if probes > 1 else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What was measured, in words: the target, the samples and their number, the weights, and what of it is random."""

    target: str
    samples: str
    number: int
    weights: str
    is_random: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sensitivity(Answer):
    """How much the target depends on weights and inputs.

    profile: what the layers cost.
    gradients: of each parameter and input.
    asked: the target and the samples.
    view: which layers are shown.
    per_sample: whether the table is that of the inputs, sample by sample.
    chart: the picture of the inputs that matter, where one was asked for.
    look: of the picture.

    A layer costs much and matters little where its share of the MACs is that of an average layer or more, and its share
    of the importance less than a quarter of that. A weight that several layers hold counts at the first of them, so of
    the others that is not said.
    """

    profile: Profile
    gradients: Gradients
    asked: Asked
    view: View = field(default_factory=View)
    per_sample: bool = False
    chart: Chart | None = None
    look: Look = field(default_factory=Look)

    @cached_property
    def _sums(self) -> tuple[list[Sums], list[Sums]]:
        """Of each module of the trace: its own weights, and those with what is in it."""
        by_name = {weight.name: weight for weight in self.gradients.weights}
        own = [_own(layer, by_name) for layer in self.profile.layers]
        return own, summed(self.profile.trace.modules, own)

    @cached_property
    def layers(self) -> tuple[LayerSensitivity, ...]:
        """Every layer with weights, with what is in it; the first is the model."""
        _, total = self._sums
        return self._judged([LayerSensitivity(layer, total[layer.index], False) for layer in self.profile.layers])

    @cached_property
    def own(self) -> tuple[LayerSensitivity, ...]:
        """Every layer that has weights of its own, without what is in it."""
        own, _ = self._sums
        return self._judged([LayerSensitivity(layer, own[layer.index], True) for layer in self.profile.layers])

    def __getitem__(self, path: str) -> LayerSensitivity:
        """A layer with what is in it.

        path: of the layer; "" is the model.
        """
        return _row(self.layers, self.profile[path].path, "it has no floating-point weights")

    @cached_property
    def borrowing(self) -> frozenset[str]:
        """The paths of layers with a weight that counts at another layer, outside of them."""
        firsts = [(name.rpartition(".")[0], paths) for name, paths in holders(self.profile.trace).items()]
        return frozenset(
            layer.path
            for layer in self.profile.layers
            for first, paths in firsts
            if not is_in(first, layer.path) and any(is_in(path, layer.path) for path in paths)
        )

    def _judged(self, rows: Sequence[LayerSensitivity]) -> tuple[LayerSensitivity, ...]:
        macs, importance = self.profile.totals.macs, self._sums[1][0].importance
        layers = sum(sums.elements > 0 for sums in self._sums[0])

        def costs_much(row: LayerSensitivity) -> bool:
            if not macs or not importance or not row.macs or not row.path or row.path in self.borrowing:
                return False
            share = row.macs / macs
            return share * layers >= 1 and row.importance / importance < _LITTLE * share

        return tuple(
            LayerSensitivity(row.layer, row.sums, row.is_own, costs_much(row)) for row in rows if row.sums.elements
        )

    def importance_share(self, row: LayerSensitivity) -> float | None:
        """The share of a layer of the importance of all.

        row: one of `layers` or `own`.
        """
        whole = self._sums[1][0].importance
        return row.importance / whole if whole else None

    def seconds(self, row: LayerSensitivity) -> float | None:
        """The time of a layer on the device; None without one.

        row: one of `layers` or `own`.
        """
        times = self.profile.times
        if times is None:
            return None
        return (times.own if row.is_own else times.total)[row.layer.index].seconds


def _own(layer: Layer, by_name: dict[str, OfWeight]) -> Sums:
    """Of its own weights, without those that another layer holds already."""
    names = [state_name(layer.path, weight.name) for weight in layer.weights if weight.same_as is None]
    sums = Sums()
    for weight in (by_name[name] for name in names if name in by_name):
        sums += Sums(
            weight.elements, weight.norm**2, weight.absolute, weight.importance, weight.fisher, weight.curvatures
        )
    return sums


# Trials ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LayerTrial(OfLayer):
    """One layer changed alone: what that saves, and what it does to the output.

    trial: what the change did.
    saved_bytes, saved_macs: None where the change is not about them.
    effect: on the output; None where the layer could not be changed.
    """

    trial: Trial
    saved_bytes: int | None
    saved_macs: int | None

    @property
    def effect(self) -> Effect | None:
        return self.trial.effect


@dataclass(frozen=True)
class Trials(Answer):
    """Each layer changed alone, the one that changes least first; what could not be changed comes last.

    profile: what the layers cost.
    by: the change, as it was asked for.
    how: what it does, in words.
    before: the loss and score of the model as it is.
    rows: of the layers.
    asked: the target and the samples.
    view: which layers are shown.
    look: of the picture.
    """

    profile: Profile
    by: str
    how: str
    before: Effect
    rows: tuple[LayerTrial, ...]
    asked: Asked
    view: View = field(default_factory=View)
    look: Look = field(default_factory=Look)

    def __getitem__(self, path: str) -> LayerTrial:
        """The trial of a layer.

        path: of the layer.
        """
        return _row(self.rows, self.profile[path].path, f"--by {self.by} does not change it by itself")

    def loss(self, row: LayerTrial) -> float | None:
        """By how much the loss changes; None without labels.

        row: one of `rows`.
        """
        return _change(self.before.loss, None if row.effect is None else row.effect.loss)

    def score(self, row: LayerTrial) -> float | None:
        """By how much the score changes; None without labels that are classes.

        row: one of `rows`.
        """
        return _change(self.before.score, None if row.effect is None else row.effect.score)

    @property
    def chart(self) -> Chart:
        """What the changes save against what they change."""
        effects = [(row, row.effect) for row in self.rows]
        return savings(
            self.by,
            [Saving(r.path, r.saved_bytes, r.saved_macs, None if e is None else e.change) for r, e in effects],
        )


def _row(rows: Sequence[R], path: str, reason: str) -> R:
    found = next((row for row in rows if row.path == path), None)
    if found is None:
        raise _has_no_row(path, reason, [row.path for row in rows])
    return found


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def ordered(rows: Sequence[LayerTrial]) -> tuple[LayerTrial, ...]:
    """The least change first, then what could not be tried."""

    def key(row: LayerTrial) -> tuple[bool, float]:
        change = None if row.effect is None else row.effect.change
        return (change is None, change or 0.0)

    return tuple(sorted(rows, key=key))


# Error messages -------------------------------------------------------------------------------------------------------


class NoSuchRow(errors.ProfileError, KeyError):
    """A layer that the answer says nothing of."""

    __str__ = Exception.__str__


def _has_no_row(path: str, reason: str, there: Sequence[str]) -> NoSuchRow:
    return NoSuchRow(f"{path!r} is not among the rows: {reason}; there are {errors.some([repr(p) for p in there])}")
