"""How are the variants of a model run? The one model is changed for a run, and put back, variant by variant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.ablate.compute import Ablation, CannotBeLeftOut, ablation
from profiler.answers.ablate.named import Layers
from profiler.answers.ablate.table import USUAL_COLUMNS
from profiler.answers.ablate.variants import Asked, Variant
from profiler.answers.common.tracing import runnable
from profiler.answers.models import metrics
from profiler.answers.models.compute import Entry, Layout, check_reference
from profiler.answers.models.metrics import MetricSources
from profiler.answers.models.table import check_layout
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile
from profiler.figures.removal import NotRemovable, entries_behind
from profiler.records.conditions import Conditions
from profiler.records.spec import Feed
from profiler.records.trace import GRAPHS, Trace

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.changing.subjects import Maker
    from profiler.engine.run.subject import Subject


@dataclass(frozen=True, slots=True)
class Rows:
    """How the rows are shown.

    layout: of the table; by default relative to the model's row.
    labels: the rows' names, the model's first; by default its spec, and what was changed.
    metrics: what is known of how good the variants are, by what was changed or by label.
    """

    layout: Layout
    labels: Sequence[str] = ()
    metrics: MetricSources = None


def ablated(
    model: nn.Module | str,
    feed: Feed,
    under: Conditions,
    asked: Asked,
    shown: Rows,
    profile: Callable[[Trace], Profile],
    with_progress: Callable[[Sequence[Any], Sequence[str]], Iterable[Any]] = lambda items, names: items,
) -> Ablation:
    """The model, and its variants, run under some conditions.

    profile: makes a profile of a trace. Raises `errors.ProfileError`, also where the model does not run as it is.
    """
    with at_work(_name(model)):
        runs = _Runs(runnable(model, feed, _has_no_layers), under, profile)
    variants = asked.variants(runs.layers)
    names = [runs.baseline.model, *(variant.label for variant in variants)]
    if shown.labels and len(shown.labels) != len(names):
        raise errors.label_count(len(shown.labels), len(names))
    labels = shown.labels or names
    pairs = list(zip(names, labels, strict=True))
    check_reference(shown.layout.relative_to, pairs)
    layout = replace(shown.layout, relative_to=shown.layout.relative_to or labels[0], usual=USUAL_COLUMNS)
    sources = metrics.metric_sources(shown.metrics, [runs.baseline], pairs)
    check_layout(layout, metrics.names(sources, ()))
    rows, reasons = [Entry(names[0], labels[0], runs.baseline)], []
    for variant, label in with_progress(list(zip(variants, labels[1:], strict=True)), labels[1:]):
        entry, reason = runs.entry(variant, label)
        rows.append(entry)
        reasons.append(reason)
    return ablation(rows, layout, sources, variants, reasons)


class _Runs:
    """The runs of one model, as it is and changed."""

    def __init__(self, subject: Subject, under: Conditions, profile: Callable[[Trace], Profile]) -> None:
        if subject.source in GRAPHS:
            raise _has_no_layers(subject.name)
        self._subject, self._under, self._profile = subject, under, profile
        self.baseline = self._run(subject)

    @property
    def layers(self) -> Layers:
        return Layers(self.baseline.trace.modules, self.baseline.model, self._subject.model)

    def entry(self, variant: Variant, label: str) -> tuple[Entry, errors.ProfileError | None]:
        """A variant's row, and why it has no figures where that is so."""
        try:
            with at_work(label):
                return Entry(variant.label, label, self._changed(variant)), None
        except errors.ModelFailed as error:
            return Entry(variant.label, label, None, error.reason), error
        except errors.ProfileError as error:
            return Entry(variant.label, label, None, str(error)), error

    def _changed(self, variant: Variant) -> Profile:
        from profiler.engine.changing.subjects import changed

        with changed(self._subject, self._makers(variant)) as subject:
            return self._run(subject)

    def _run(self, subject: Subject) -> Profile:
        from profiler.engine.run.running import trace

        profile = self._profile(trace(subject, self._under))
        _ = profile.times  # what keeps it from running on a device is raised here
        return profile

    def _makers(self, variant: Variant) -> Mapping[str, Maker]:
        """What makes a layer for each path; raises `CannotBeLeftOut`."""
        if variant.make is not None:
            return dict.fromkeys(variant.paths, variant.make)
        makers: dict[str, Maker] = {}
        reasons: list[str] = []
        for path in variant.paths:
            try:
                makers[path] = _identity(entries_behind(self.baseline.trace, path))
            except NotRemovable as reason:
                reasons.append(str(reason) if variant.paths == (path,) else f"{path}: {reason}")
        if reasons:
            raise CannotBeLeftOut(reasons)
        return makers


def _identity(more: int | None) -> Maker:
    from profiler.engine.changing.identity import Identity

    return lambda old, model: Identity(more)


def _name(model: nn.Module | str) -> str:
    return model if isinstance(model, str) else type(model).__name__


# Error messages -------------------------------------------------------------------------------------------------------


def _has_no_layers(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} holds no code that could be run with other layers; name the model itself, such as FILE.py:CALLABLE"
    )
