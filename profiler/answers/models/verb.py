"""What does `profile-model` do without a verb? The main job: a model layer by layer, or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from profiler import errors
from profiler.answers.common.listed import ModelList
from profiler.answers.common.models import NamedModel, check_runs, entries, lists, named_models, over, profiles
from profiler.answers.common.notes import uncounted
from profiler.answers.common.options import (
    Captions,
    Cast,
    Columns,
    ConventionOption,
    InputOptions,
    Limits,
    Models,
    OnDevice,
    Result,
    Saved,
    Strict,
    TraceCacheOption,
    grouped,
    names,
    number,
    option,
    reading,
)
from profiler.answers.common.outcome import LOOK, Context, Outcome
from profiler.answers.common.shown import anchor
from profiler.answers.layers.compute import Layers, View, depth
from profiler.answers.layers.table import LAYER_COLUMNS, check_times
from profiler.answers.models import compute, metrics
from profiler.answers.models.compute import Entry, Layout, comparison
from profiler.answers.models.metrics import PUBLISHED, Metrics
from profiler.answers.models.table import check_layout
from profiler.records import conditions
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.times import Timer
from profiler.render.answer import Answer
from profiler.render.tables import Better, chosen_columns

JOB = LOOK
ALL = "all"


@grouped("One model's layers")
class LayersShown:
    depth: Annotated[
        int | None,
        option(
            "How deep the tree is shown, or all. On a terminal by default what fits.", "N", converter=reading(depth)
        ),
    ] = None
    sort: Annotated[str | None, option("Sort by a column: layers, or several models.", "COLUMN")] = None
    top: Annotated[int | None, option("Only the first N layers, by FLOPs or by --sort.", "N", converter=number(1))] = (
        None
    )
    filter: Annotated[str | None, option("Only layers whose path or class matches: 'layer1.*', Conv2d.", "PATTERN")] = (
        None
    )

    @property
    def given(self) -> Mapping[str, Any]:
        options = {"--depth": self.depth, "--sort": self.sort, "--top": self.top, "--filter": self.filter}
        return {option: value for option, value in options.items() if value is not None}


@grouped("Several models")
class RowsShown:
    label: Annotated[tuple[str, ...], option("A row's name. Once for each model, in order.", "TEXT")] = ()
    metrics: Annotated[tuple[str, ...], option("Accuracy: CSV by model, predictions, or `published`.", "FILE")] = ()
    relative_to: Annotated[str | None, option("Columns relative to a row.", "NAME")] = None
    bold: Annotated[str | None, option("Mark the best of columns: acc@1,loss:min, or all.", "NAME,...")] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """What shapes the table, from the command line and from lists of models."""

    specs: tuple[str, ...]
    layers: LayersShown
    rows: RowsShown
    settings: Mapping[str, Any]

    @property
    def view(self) -> View:
        settings = self.settings
        shown = self.layers
        columns, caption = tuple(settings.get("columns", ())), settings.get("caption", "")
        return View(
            columns, shown.depth, shown.sort, shown.top, shown.filter, caption, anchor(settings.get("tex-label"))
        )

    @property
    def reasons(self) -> list[str]:
        """What asks for one row a model, even for a single model."""
        options = [f"--{key}" for key in ("metrics", "relative-to", "bold") if key in self.settings]
        return options + ["--label"] * bool(self.rows.label) + [s for s in self.specs if s.endswith(".toml")]

    def comparing(
        self, models: Sequence[NamedModel], timer: Timer | None
    ) -> tuple[Layout, tuple[Metrics, ...], bool] | None:
        """How models are shown side by side, with which metrics; None where one is shown by its layers.

        Raises what can be known to be wrong without running a model.
        """
        if len(models) == 1 and not self.reasons:
            chosen_columns([*self.view.columns, *([self.layers.sort] if self.layers.sort else [])], LAYER_COLUMNS)
            check_times(self.view, timer)
            return None
        for name in self.layers.given:
            if len(models) == 1:
                raise _layers_or_models(name, self.reasons[0])
            if name != "--sort":
                raise _needs_one_model(name, len(models))
        settings, view, pairs = self.settings, self.view, [(model.spec, model.label) for model in models]
        compute.check_reference(settings.get("relative-to"), pairs)
        paths = [path for path in settings.get("metrics", ()) if path != PUBLISHED]
        sources = metrics.sources(paths, pairs)
        layout = Layout(
            view.columns,
            settings.get("relative-to"),
            marked(settings.get("bold")),
            view.caption,
            view.anchor,
            view.sort,
            timer,
        )
        is_published = PUBLISHED in settings.get("metrics", ())
        if not is_published:  # whose columns are known when the models are
            check_layout(layout, metrics.names(sources, [model.metrics for model in models]))
        return layout, sources, is_published


def run(
    *models: Models,
    context: Context,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    no_input: Annotated[
        bool, option("Run nothing: parameters and sizes alone, of a model that says no input.")
    ] = False,
    cast: Cast = Cast(),
    zeros: Annotated[bool, option("Count the weights that are zero, as pruning makes them.")] = False,
    convention: ConventionOption = ConventionOption(),
    device: OnDevice = OnDevice(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    layers: LayersShown = LayersShown(),
    rows: RowsShown = RowsShown(),
    most: Limits = Limits(),
    strict: Strict = Strict(),
    saved: Saved = Saved(),
    result: Result = Result(),
) -> Outcome:
    """What a PyTorch model costs, layer by layer: parameters, FLOPs, MB, memory."""
    under = conditions.conditions(dtype=cast.dtype, zeros=zeros)
    listed = lists(models)
    if no_input and device.device is not None:
        raise _nothing_to_time(device.device)
    shaped = tables(models, listed, columns, captions, layers, rows)
    return look(
        context, named_models(listed, inputs, rows.label, is_run=not no_input), shaped, convention, under, most, saved
    )


def look(
    context: Context,
    models: Sequence[NamedModel],
    tables: Tables,
    convention: ConventionOption,
    under: Conditions,
    most: Limits,
    saved: Saved,
    what: str = "an input, another dtype or convention, or a count of zeros",
) -> Outcome:
    """One model by its layers, or several side by side; held to limits."""
    limits, comparing = most.limits, tables.comparing(models, context.timer)
    if saved.save is not None and len(models) > 1:
        raise _saves_one_model(len(models))
    if under != AS_IT_IS or convention != ConventionOption() or any(m.feed.is_given or m.feed.batch for m in models):
        check_runs(models, what)
    holds = comparing is None and under == AS_IT_IS
    rows, failures = entries(models, context, convention.name, under, holds)
    ran = profiles(rows)
    answer: Answer | None = None
    if ran and comparing is None:
        answer = Layers(ran[0], tables.view)
    elif ran and comparing is not None:
        answer = _compared(rows, *comparing)
    failures += over(rows, limits)
    warnings = [sentence for profile in ran for sentence in uncounted(profile, f"{profile.model}: ")]
    return Outcome(answer, failures, warnings, ran, ran[0] if ran else None)


def _compared(rows: Sequence[Entry], layout: Layout, sources: Sequence[Metrics], published: bool) -> Answer:
    return comparison(rows, layout, [*([metrics.published(profiles(rows))] if published else ()), *sources])


def tables(
    specs: Sequence[str],
    listed: Sequence[ModelList],
    columns: Columns,
    captions: Captions,
    layers: LayersShown,
    rows: RowsShown,
) -> Tables:
    """What the command line says goes before what a list of models says."""
    settings = {key: value for models in listed for key, value in models.settings.items()}
    options = {
        "columns": columns.chosen,
        "metrics": rows.metrics,
        "relative-to": rows.relative_to,
        "bold": names(rows.bold),
        "caption": captions.caption,
        "tex-label": captions.tex_label,
    }
    settings |= {key: value for key, value in options.items() if value not in (None, ())}
    return Tables(specs=tuple(specs), layers=layers, rows=rows, settings=settings)


def marked(columns: Sequence[str] | None) -> Mapping[str, Better | None] | None:
    """`acc@1,loss:min` as a mapping; "all" is all, which is empty."""
    if columns is None:
        return None
    if tuple(columns) in ((ALL,), ("*",)):
        return {}
    directions: dict[str, Better | None] = {}
    for name in columns:
        column, _, direction = name.rpartition(":")
        if column and direction in ("min", "max"):
            directions[column] = "min" if direction == "min" else "max"
        else:
            directions[name] = None
    return directions


# Error messages -------------------------------------------------------------------------------------------------------


def _needs_one_model(option: str, models: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{option} shapes the table of one model's layers, and {models} models are given; name one"
    )


def _layers_or_models(layers: str, models: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{layers} shapes a table of layers, and {models} asks for one row a model; leave one out"
    )


def _nothing_to_time(device: str) -> errors.ProfileError:
    return errors.ProfileError(f"--device {device} is about a run, and --no-input runs nothing; leave one of them out")


def _saves_one_model(models: int) -> errors.ProfileError:
    return errors.ProfileError(f"--save keeps one model and {models} are given; save them one by one")
