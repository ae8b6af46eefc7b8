"""What do models cost beside each other, in Python? `compare`, `diff`, and a page about several: `report`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from profiler import errors
from profiler.answers.models.compute import Comparison, Entry, Layout, check_reference, comparison
from profiler.answers.models.metrics import MetricSources, metric_sources
from profiler.answers.models.table import check_layout
from profiler.api.profiling import OnDevice, profiled
from profiler.figures import profile as figures
from profiler.render.answer import Answer
from profiler.render.tables import Better

if TYPE_CHECKING:
    from profiler.answers.diff.compute import Diff

Bold: TypeAlias = bool | Sequence[str] | Mapping[str, Better | None]


def compare(
    models: Sequence[figures.Profile | str],
    columns: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    metrics: MetricSources = None,
    relative_to: str | None = None,
    bold: Bold = False,
    sort: str | None = None,
    caption: str = "",
    tex_label: str = "",
    device: OnDevice = None,
) -> Comparison:
    """Several models side by side, one row each.

    models: profiles, or specs such as "resnet34".
    columns: their names, in order; by default the usual ones, and all metrics.
    labels: the rows' names, in the order of the models; by default their specs.
    metrics: what is known of how good they are. `True`: as torchvision publishes it for its weights; the path of a
        file of metrics or of predictions; a mapping `{"resnet34": {"accuracy": 73.3}}`, by spec or label; or several
        of these in a list, of which a later one is preferred.
    relative_to: the spec or label of the row that the columns `rel_params`, ... are relative to; by default the first.
    bold: mark the best of each column (`True`), of some columns, or of columns with "min" or "max".
    sort: the column that rows are sorted by, the largest first, or by name.
    caption, tex_label: what stands above the table, and the label that LaTeX refers to it by.
    device: see `Profile.on`; by default that of the profiles.

    `print` what it returns, or take `to_latex()`, `to_markdown()`, `to_csv()`, `to_json()` or `to_html()`. Raises
    `profiler.errors.ProfileError`.
    """
    if not models:
        raise errors.no_model_given()
    profiles = [profiled(model, device) for model in models]
    if labels and len(labels) != len(profiles):
        raise errors.label_count(len(labels), len(profiles))
    named = labels or [profile.model for profile in profiles]
    entries = [Entry(profile.model, label, profile) for profile, label in zip(profiles, named, strict=True)]
    pairs = [(entry.model, entry.label) for entry in entries]
    check_reference(relative_to, pairs)
    timer = next((profile.timer for profile in profiles if profile.timer is not None), None)
    layout = Layout(columns, relative_to, marked(bold), caption, tex_label, sort, timer)
    compared = comparison(entries, layout, metric_sources(metrics, profiles, pairs))
    check_layout(layout, compared.metric_names)
    return compared


def marked(bold: Bold) -> Mapping[str, Better | None] | None:
    """The columns whose best is marked, as a layout has them."""
    if isinstance(bold, Mapping):
        return bold
    return None if bold is False else dict.fromkeys(() if isinstance(bold, bool) else bold)


def diff(
    before: figures.Profile | str,
    after: figures.Profile | str,
    *,
    top: int | None = 20,
    columns: Sequence[str] = (),
    device: OnDevice = None,
) -> Diff:
    """What changed from one model to another.

    before, after: profiles, or specs such as "resnet34" or "before.json".
    top: how many changes are shown (None: all); `Diff.layers` and `Diff.blocks` always have all of them.
    columns: what is shown of each change, by the names that `--columns` takes.
    device: see `Profile.on`; by default that of the profiles.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.diff.compute import Diff

    return Diff(profiled(before, device), profiled(after, device), top, columns)


def report(
    subject: Comparison | Diff | figures.Profile | str | Sequence[figures.Profile | str],
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> None:
    """Write a page to look into, as one HTML file that needs no network.

    subject: a profile or a spec; several of them, which are compared; or what `compare` or `diff` returns.
    path: the file, which is written whole or not at all.
    title: what stands above; by default the models' names.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.report.file import write

    if isinstance(subject, Sequence) and not isinstance(subject, str):
        subject = compare(subject)
    elif not isinstance(subject, Answer):
        subject = profiled(subject)
    write(subject, path, title)
