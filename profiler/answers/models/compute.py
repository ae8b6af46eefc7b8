"""What is compared of several models? What each was asked for as, its profile or why there is none; and the layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from profiler import errors
from profiler.answers.models.metrics import Metric, Metrics, names
from profiler.figures.profile import Profile, Totals
from profiler.records.times import Timer, Times
from profiler.records.trace import Trace
from profiler.render.answer import Answer
from profiler.render.tables import Better


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: its spec, its label, and its profile, or why there is none."""

    model: str
    label: str
    profile: Profile | None
    failure: str | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def totals(self) -> Totals:
        return self._profile.totals

    @property
    def trace(self) -> Trace:
        return self._profile.trace

    @property
    def times(self) -> Times | None:
        return self._profile.times

    @property
    def _profile(self) -> Profile:
        assert self.profile is not None, f"{self.label} has no profile"
        return self.profile


@dataclass(frozen=True, slots=True)
class Layout:
    """What the user wants to see of a comparison.

    relative_to: the label or spec of the row that `rel_` columns are relative to (None: the first).
    bold: the columns whose best is marked, each with which value that is (None: by the column's nature); empty for all
        that have a best, None for no column.
    sort: the column that rows are sorted by, the largest first, or by name; None: they stay in their order.
    timer: the device that the models are on; None where they are on none, and have no times.
    usual: the columns where none is chosen; empty for those of a comparison.
    """

    columns: Sequence[str] = ()
    relative_to: str | None = None
    bold: Mapping[str, Better | None] | None = None
    caption: str = ""
    anchor: str = ""
    sort: str | None = None
    timer: Timer | None = None
    usual: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Comparison(Answer):
    """Several models as a table with one row each. `print` it, or take it in the format you need.

    entries: the rows, each a model's spec, label, metrics, and profile or the reason that there is none.
    layout: what is shown of them.
    metric_names: the metrics that some model has.
    remarks: where the metrics are from.
    """

    entries: tuple[Entry, ...]
    layout: Layout = Layout()
    metric_names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def profiles(self) -> list[Profile]:
        """Of the models that could be profiled."""
        return [entry.profile for entry in self.entries if entry.profile is not None]

    @property
    def reference(self) -> Entry:
        """The row that others are relative to."""
        return self.entries[_index(self.layout.relative_to, [(e.model, e.label) for e in self.entries])]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


def comparison(entries: Iterable[Entry], layout: Layout, sources: Iterable[Metrics] = ()) -> Comparison:
    """Put models side by side with what is known of how good they are; what a later source says is preferred.

    The metrics that entries bring themselves are preferred to all.
    """
    entries, sources = tuple(entries), tuple(sources)
    named = names(sources, [entry.metrics for entry in entries])
    joined = tuple(replace(entry, metrics=_joined(entry, sources)) for entry in entries)
    models = [_names(entry) for entry in entries]
    remarks = tuple(remark for source in sources for remark in source.said(models))
    return Comparison(joined, layout, named, remarks)


def _joined(entry: Entry, sources: Iterable[Metrics]) -> Mapping[str, Metric]:
    published: dict[str, Metric] = {}
    for source in sources:
        published |= source.of(*_names(entry))
    return {**published, **entry.metrics}


def _names(entry: Entry) -> Sequence[Profile | str]:
    """What a source of metrics may call it, what is preferred first."""
    return [entry.label, entry.model] + ([entry.profile] if entry.profile is not None else [])


def check_reference(name: str | None, models: Sequence[tuple[str, str]]) -> None:
    """Raise `NoSuchRow` where no model, given as (spec, label), has that label or spec."""
    _index(name, models)


def _index(name: str | None, models: Sequence[tuple[str, str]]) -> int:
    if name is None:
        return 0
    for names_of_rows in ([label for _, label in models], [spec for spec, _ in models]):
        if name in names_of_rows:
            return names_of_rows.index(name)
    raise _no_such_row(name, [label for _, label in models])


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_row(name: str, labels: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"--relative-to {name}: no row is called so; choose from {', '.join(labels)}")
