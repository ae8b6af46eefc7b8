"""What the user asked for, parsed once: nobody behind this sees the command line's strings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from profiler import errors
from profiler.answers.check import compute as budget
from profiler.answers.check import file as budget_file
from profiler.answers.check import init as budget_init
from profiler.answers.check.compute import Limit
from profiler.answers.check.file import Budgeted, BudgetFile
from profiler.answers.check.init import Plan
from profiler.answers.common.varying import BATCH, SEQ, Varying, dimensions
from profiler.answers.cross_check.compute import DEFAULT_TOOLS, tool_names
from profiler.answers.diff.compute import FIGURES, TOP
from profiler.answers.diff.table import CHANGE_COLUMNS
from profiler.answers.generate.generating import Wish, wished
from profiler.answers.generate.phases import BOTH
from profiler.answers.generate.table import PHASE_COLUMNS, length_columns
from profiler.answers.largest.compute import limit
from profiler.answers.layers.compute import View
from profiler.answers.models import compute as comparison
from profiler.answers.models import metrics
from profiler.answers.models.compute import Layout
from profiler.answers.models.metrics import Metric, Metrics
from profiler.answers.models.table import check_layout
from profiler.answers.scan import compute as scans
from profiler.answers.scan.table import SCAN_COLUMNS
from profiler.answers.which.compute import Number, number
from profiler.cli import model_list
from profiler.cli.model_list import Listed, ModelList
from profiler.counters import conventions
from profiler.counters.running.run import TIME_LIMIT_S
from profiler.records import archive, conditions, inputs, units
from profiler.records.conditions import Conditions
from profiler.records.files import writing
from profiler.records.increase import Limits, limits
from profiler.records.schemes import SCHEMES, named
from profiler.records.spec import Feed
from profiler.render import format_of, renderer
from profiler.render.tables import Better, chosen_columns
from profiler.sources import holds_weights_alone

PUBLISHED = "published"  # --metrics without a file
COMMON = "default"  # --cross-check without tools
EVERYTHING = "*"  # --bold without columns
NEAREST = ""  # --check without a file
HEAD_ROOM = "10%"
_LIMITS = tuple(f"--max-{name}" for name in budget.FIGURES)
_FED = ("--input", "--batch", "--seq", "--trust-remote-code")
_RUN = ("--dtype", "--train", "--optimizer", "--amp", "--freeze", "--checkpoint", "--zeros")
_GENERATED = (*_FED, "--dtype", "--strict", "--convention", "--columns")
_OF_RUNS = (
    *_FED, *_RUN, "--memory", "--scan", "--largest", "--cross-check", "--which", "--convention", "--strict",
    "--phase", "--new-tokens", "--cache",
)  # fmt: skip
# What has a table of its own, and which options mean something with it all the same.
_ALONE: Mapping[str, tuple[str, ...]] = {
    "--cross-check": (*_FED, "--label"),
    "--which": (*_FED, "--label"),
    "--memory": (*_FED, *_RUN, "--phase", "--cache", "--save", "--strict", "--convention", "--top", *_LIMITS),
    "--baseline": (*_FED, *_RUN, "--save", "--strict", "--convention", "--columns", "--top", *_LIMITS),
    "--diff": (*_FED, *_RUN, "--strict", "--convention", "--columns", "--top", *_LIMITS),
    "--phase": ("--new-tokens", "--cache", "--scan", "--memory", "--top", *_GENERATED, "--save"),
    "--new-tokens": ("--phase", "--cache", *_GENERATED, "--save"),
    "--weights": (*_FED, "--dtype", "--label", "--top"),
    "--check-values": ("--label",),
    "--scan": (*_FED, *_RUN, "--phase", "--cache", "--strict", "--convention", "--columns", "--caption", "--tex-label"),
    "--largest": ("--fits", *_FED, *_RUN),
    "--check": (),
    "--init-budgets": (*_FED, "--label", "--convention"),  # which are written with the limits
}
_ANCHOR = re.compile(r"[\w:./+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One model: its spec, its row's label, what it is fed, and metrics that came with it.

    `shapes` are its inputs as they were written; where a dimension has a name, nothing else says what it is fed.
    `is_saved` is for one that was run before, beside one that is run now: how that is run is not about it.
    """

    spec: str
    label: str
    feed: Feed
    shapes: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    is_saved: bool = False


@dataclass(frozen=True, slots=True)
class Comparing:
    """How several models are shown side by side, and where their metrics are from: files, and what is published."""

    layout: Layout
    metrics: tuple[Metrics, ...]
    published: bool


@dataclass(frozen=True, slots=True)
class Checking:
    """Which counters are run against ours, for how long each, and whether each term's layers are shown."""

    tools: tuple[str, ...]
    time_limit_s: float
    verbose: bool


@dataclass(frozen=True, slots=True)
class Budgets:
    """What the models may cost: `limits` for each, or a whole `file` to check; or limits are `to_write`."""

    limits: tuple[Limit, ...]
    file: BudgetFile | None
    to_write: Plan | None


@dataclass(frozen=True, slots=True)
class Diffing:
    """By how much the second of two models may exceed the first (None: it may), and what is shown of the changes."""

    max_increase: Limits | None
    top: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scanning:
    """A model at several values of what varies of it."""

    varying: Varying
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Generating:
    """What is asked about a language model's phases, and at which lengths of its prompt where there are several."""

    wish: Wish
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fitting:
    """How much of a model fits into a memory: what varies of it, and the memory in bytes and as it was written."""

    varying: Varying
    limit_bytes: int
    words: str


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the command. `comparing` is None where one model is shown by its layers."""

    models: tuple[Wanted, ...]
    convention: str
    conditions: Conditions
    view: View
    comparing: Comparing | None
    format: str
    output: str | None
    explain: str | None
    memory: bool
    checking: Checking | None
    which: Number | None
    diffing: Diffing | None
    schemes: tuple[str, ...] | None
    checkpoint: str | None
    check_values: bool
    scanning: Scanning | None
    fitting: Fitting | None
    generating: Generating | None
    save: str | None
    strict: bool
    budgets: Budgets
    traceback: bool = False


def options(
    specs: Sequence[str],
    *,
    shapes: Sequence[str],
    feed: Feed,
    convention: str,
    columns: str | None,
    depth: int | None,
    sort: str | None,
    top: int | None,
    filter: str | None,
    labels: Sequence[str],
    metrics: Sequence[str],
    relative_to: str | None,
    bold: str | None,
    caption: str | None,
    tex_label: str | None,
    format: str | None,
    output: str | None,
    explain: str | None,
    memory: bool,
    run: Mapping[str, Any],
    check_values: bool,
    what_if: Mapping[str, Any],
    cross_check: str | None,
    time_limit: float | None,
    verbose: bool,
    which: str | None,
    baseline: str | None,
    diff: bool,
    max_increase: str | None,
    save: str | None,
    strict: bool,
    limits: Mapping[str, str | None],
    check: str | None,
    init_budgets: bool,
    head_room: str | None,
    traceback: bool = False,
) -> Options:
    """Check what can be checked before any model is built; raises `errors.ProfileError`.

    What the command line says goes before what a list of models says.
    """
    conventions.named(convention)
    chosen = format or (format_of(output) if output else "text")
    renderer(chosen)
    if explain is not None and chosen != "text":
        raise errors.ExplainIsText(chosen)
    given = {
        "columns": _names(columns),
        "metrics": tuple(metrics),
        "relative-to": relative_to,
        "bold": _names(bold),
        "caption": caption,
        "tex-label": tex_label,
    }
    lists = [_list(spec) for spec in specs]
    said = {key: value for found in lists for key, value in found.settings.items()}
    said |= {key: value for key, value in given.items() if value not in (None, ())}
    models = _models([model for found in lists for model in found.models], labels, shapes, said.get("input", ()), feed)
    reasons = _reasons(specs, labels, said)
    diffing = _diffing(len(models), baseline, diff, max_increase, top, _names(columns))
    if diffing is None and what_if["weights"] is None and (len(models) > 1 or reasons):
        _check_no_layers(len(models), reasons, depth=depth, sort=sort, top=top, filter=filter)
    if save is not None:
        _check_save(save, len(models) if diffing is None else 1)
    asked = {
        "--cross-check": cross_check,
        "--which": which,
        "--baseline": baseline,
        "--diff": diff or None,
        "--explain": explain,
        "--memory": memory or None,
        **{f"--{name}": value for name, value in run.items()},
        **{f"--{name}": value for name, value in what_if.items()},
        "--check-values": check_values or None,
        "--save": save,
        "--strict": strict or None,
        "--convention": None if convention == conventions.DEFAULT else convention,
        **{f"--{key}": value or None for key, value in given.items()},
        "--depth": depth,
        "--sort": sort,
        "--top": top,
        "--filter": filter,
        **{f"--max-{name}": value for name, value in limits.items()},
        "--check": check,
        "--init-budgets": init_budgets or None,
        "--label": tuple(labels) or None,
        "--input": tuple(shapes) or None,
        "--batch": feed.batch,
        "--seq": feed.seq,
        "--trust-remote-code": feed.trusts_code or None,
        "--no-input": None if feed.is_run else True,
    }
    checkpoint = _checkpoint(models, what_if["weights"])
    schemes = _schemes(None if checkpoint is not None else what_if["weights"])
    scanned = _scanned(what_if["scan"])
    _check_dimensions(models, scanned, what_if["largest"])
    if head_room is not None and not init_budgets:
        raise errors.OnlyWith("--head-room", "--init-budgets")
    if check is not None and specs:
        raise errors.CheckTakesNone(specs[0])
    _check_alone(asked, bool(specs))
    if diffing is None:
        _check_run(models, asked)
    if memory and len(models) > 1:
        raise errors.OneModelOnly("--memory", len(models))
    under = conditions.conditions(**{name: value for name, value in run.items() if value is not None})
    shaped = {**what_if, "columns": said.get("columns", ())}
    generating = _generating(models, shaped, scanned, under, convention)
    if generating is not None:
        _check_one_phase(generating, **{"--save": save, "--memory": memory or None})
        scanned = None
    budgets = Budgets(
        _limits(limits),
        None if check is None else budget_file.limited(check),
        _plan(models, convention, head_room) if init_budgets else None,
    )
    view = View(said.get("columns", ()), depth, sort, top, filter, said.get("caption", ""), _anchor(said))
    return Options(
        models=models if diffing is None else _before_and_after(models, baseline),
        convention=convention,
        conditions=under,
        view=view,
        comparing=_comparing(said, view, models) if diffing is None and (len(models) > 1 or reasons) else None,
        format=chosen,
        output=output,
        explain=explain,
        memory=memory,
        checking=_checking(cross_check, time_limit, verbose),
        which=None if which is None else number(which),
        diffing=diffing,
        schemes=schemes,
        checkpoint=checkpoint,
        check_values=check_values,
        scanning=None if scanned is None else _scanning(models, *scanned, under, convention, said.get("columns", ())),
        fitting=_fitting(models, what_if, under),
        generating=generating,
        save=save,
        strict=strict,
        budgets=budgets,
        traceback=traceback,
    )


# Which models ---------------------------------------------------------------------------------------------------------


def _list(spec: str) -> ModelList:
    return model_list.read(spec) if spec.endswith(model_list.SUFFIX) else ModelList((Listed(spec),))


def _models(
    listed: Sequence[Listed], labels: Sequence[str], shapes: Sequence[str], default: Sequence[str], feed: Feed
) -> tuple[Wanted, ...]:
    """`shapes` are those of the command line, and `default` those of models that have none of their own."""
    if labels and len(labels) != len(listed):
        raise errors.LabelCount(len(labels), len(listed))
    named = labels or [model.label or model.spec for model in listed]
    return tuple(
        _wanted(model, label, tuple(shapes or model.inputs or default), feed)
        for model, label in zip(listed, named, strict=True)
    )


def _wanted(model: Listed, label: str, shapes: tuple[str, ...], feed: Feed) -> Wanted:
    return Wanted(model.spec, label, feed if dimensions(shapes) else _feed(shapes, feed), shapes, model.metrics)


def _feed(shapes: Sequence[str], feed: Feed) -> Feed:
    args, kwargs = inputs.arguments([inputs.parse(shape) for shape in shapes], feed.batch)
    return replace(feed, args=args, kwargs=kwargs)


def _reasons(specs: Sequence[str], labels: Sequence[str], said: Mapping[str, Any]) -> list[str]:
    """What asks for one row a model, even for a single model."""
    asked = [f"--{key}" for key in ("metrics", "relative-to", "bold") if key in said]
    return asked + ["--label"] * bool(labels) + [spec for spec in specs if spec.endswith(model_list.SUFFIX)]


def _check_alone(asked: Mapping[str, object], has_models: bool) -> None:
    """What has a table of its own is shaped by few of the other options, and by none where a file has the models."""
    for option, allowed in _ALONE.items():
        fitting = (option, *(allowed if has_models else ()))
        others = [name for name, value in asked.items() if value is not None and name not in fitting]
        if asked[option] is not None and others:
            raise errors.NotTogether(option, others[0])


# Before and after -----------------------------------------------------------------------------------------------------


def _diffing(
    models: int,
    baseline: str | None,
    diff: bool,
    max_increase: str | None,
    top: int | None,
    columns: tuple[str, ...],
) -> Diffing | None:
    if baseline is None and not diff:
        if max_increase is not None:
            raise errors.OnlyWith("--max-increase", "--baseline or --diff")
        return None
    if baseline is not None and not diff and models != 1:
        raise errors.BaselineTakesOne(models)
    if baseline is None and models != 2:
        raise errors.DiffTakesTwo(models)
    allowed = None if max_increase is None else limits(max_increase, FIGURES)
    chosen_columns(columns, CHANGE_COLUMNS)
    return Diffing(allowed, TOP if top is None else top, columns)


def _before_and_after(models: Sequence[Wanted], baseline: str | None) -> tuple[Wanted, ...]:
    """What is fed is for the one that is run, where the other was saved."""
    both = [*([Wanted(baseline, baseline, models[0].feed)] if baseline is not None else ()), *models]
    saved = [model.spec.endswith(archive.SUFFIXES) or holds_weights_alone(model.spec) for model in both]
    if all(saved):
        return tuple(both)
    return tuple(
        replace(model, feed=Feed(), is_saved=True) if was else model for model, was in zip(both, saved, strict=True)
    )


# Checkpoints ----------------------------------------------------------------------------------------------------------


def _check_run(models: Sequence[Wanted], asked: Mapping[str, object]) -> None:
    """Nothing can be asked of a checkpoint that only a run tells."""
    for model in models:
        wanted = [option for option in _OF_RUNS if asked[option] is not None]
        if wanted and holds_weights_alone(model.spec):
            raise errors.NeedsARun(wanted[0], model.spec)
        if asked["--check-values"] is not None and not holds_weights_alone(model.spec):
            raise errors.NotACheckpoint("--check-values", model.spec)


def _checkpoint(models: Sequence[Wanted], weights: str | None) -> str | None:
    """`--weights FILE` is about whether the file fits the model."""
    if weights is None or not holds_weights_alone(weights):
        return None
    if len(models) != 1:
        raise errors.VariesOne(f"--weights {weights}", len(models))
    return weights


# What if --------------------------------------------------------------------------------------------------------------


def _fitting(models: Sequence[Wanted], said: Mapping[str, Any], under: Conditions) -> Fitting | None:
    name, fits = said["largest"], said["fits"]
    if name is None:
        if fits is not None:
            raise errors.OnlyWith("--fits", "--largest")
        return None
    if fits is None:
        raise errors.LargestNeedsFits(name)
    varying = _varying("--largest", models, name, under)
    if not varying.is_a_dimension and name != BATCH:
        raise errors.LargestOfWhat(name)
    return Fitting(varying, *limit(fits))


def _schemes(given: str | None) -> tuple[str, ...] | None:
    """By name, all of them where none is named; None where nobody asks."""
    if given is None:
        return None
    chosen = tuple(SCHEMES) if given == EVERYTHING else _names(given)
    return tuple(named(name).name for name in chosen or ("",))


def _scanned(given: Sequence[str] | None) -> tuple[str, tuple[Any, ...]] | None:
    """One name with its values."""
    found = [scans.read(text) for text in given or ()]
    if len(found) > 1:
        raise errors.ScanTakesOne([name for name, _ in found])
    return found[0] if found else None


def _scanning(
    models: Sequence[Wanted],
    name: str,
    values: tuple[Any, ...],
    under: Conditions,
    convention: str,
    columns: Sequence[str],
) -> Scanning:
    chosen_columns(columns, SCAN_COLUMNS)
    varying = _varying("--scan", models, name, under, convention)
    return Scanning(varying, scans.checked(varying, values))


def _check_dimensions(models: Sequence[Wanted], scanned: object, largest: str | None) -> None:
    """A dimension with a name is for what gives it values."""
    named = sorted(dimensions([model.shapes for model in models]))
    if named and scanned is None and largest is None:
        raise errors.DimensionWithoutValue(named[0])


def _varying(
    option: str, models: Sequence[Wanted], name: str, under: Conditions, convention: str = conventions.DEFAULT
) -> Varying:
    if len(models) != 1:
        raise errors.VariesOne(option, len(models))
    (model,) = models
    if model.spec.endswith(archive.SUFFIXES):
        raise errors.SavedIsFixed(model.spec, option)
    from profiler.api import run

    return Varying(
        run,
        model.spec,
        name,
        model.shapes or None,
        {},
        model.feed.batch,
        convention,
        under,
        replace(model.feed, args=(), kwargs={}),
    )


# Language models ------------------------------------------------------------------------------------------------------


def _generating(
    models: Sequence[Wanted],
    said: Mapping[str, Any],
    scanned: tuple[str, tuple[Any, ...]] | None,
    under: Conditions,
    convention: str,
) -> Generating | None:
    """The phases of one model; a scan of another thing than the prompt's length is none of theirs."""
    phase, new_tokens, cache = said["phase"], said["new-tokens"], said["cache"]
    if phase is None and new_tokens is None:
        if cache is not None:
            raise errors.OnlyWith("--cache", "--phase or --new-tokens")
        return None
    option = "--new-tokens" if phase is None else "--phase"
    if len(models) != 1:
        raise errors.VariesOne(option, len(models))
    wish = wished(phase=phase or BOTH, new_tokens=new_tokens, cache=cache, dtype=under.dtype, convention=convention)
    chosen_columns(said["columns"], PHASE_COLUMNS if scanned is None else length_columns(wish.phase))
    wish = replace(wish, columns=tuple(said["columns"]))
    if scanned is None:
        return Generating(wish, ())
    name, values = scanned
    if name != SEQ:
        raise errors.ScansSeqAlone(name)
    return Generating(wish, scans.checked(_varying("--scan", models, name, under, convention), values))


def _check_one_phase(generating: Generating, **given: object) -> None:
    """A trace is saved, or its memory shown, of one phase."""
    for option, value in given.items():
        if value is not None and generating.wish.phase == BOTH:
            raise errors.NotTogether("--phase both", option)
        if value is not None and generating.lengths:
            raise errors.NotTogether("--scan", option)


# Other counters -------------------------------------------------------------------------------------------------------


def _checking(tools: str | None, time_limit: float | None, verbose: bool) -> Checking | None:
    if tools is None:
        if verbose or time_limit is not None:
            raise errors.OnlyWith("--verbose" if verbose else "--time-limit", "--cross-check")
        return None
    chosen = tool_names(_names(tools) if tools != COMMON else DEFAULT_TOOLS)
    return Checking(chosen, TIME_LIMIT_S if time_limit is None else time_limit, verbose)


# Budgets --------------------------------------------------------------------------------------------------------------


def _limits(given: Mapping[str, str | None]) -> tuple[Limit, ...]:
    named = {name: f"--max-{name}" for name in given}
    return tuple(
        budget.limit(name, value, named[name], f"{named[name]} {value}")
        for name, value in given.items()
        if value is not None
    )


def _plan(models: Sequence[Wanted], convention: str, head_room: str | None) -> Plan:
    named = [Budgeted(model.spec, model.label, model.feed, convention, (), 0) for model in models]
    return budget_init.plan(named, _head_room(head_room))


def _head_room(text: str | None) -> Decimal:
    try:
        return units.share(HEAD_ROOM if text is None else text)
    except units.Malformed:
        raise errors.BadHeadRoom(str(text)) from None


# What to show ---------------------------------------------------------------------------------------------------------


def _comparing(said: Mapping[str, Any], view: View, models: Sequence[Wanted]) -> Comparing:
    """Raises what can be known to be wrong without running a model."""
    pairs = [(model.spec, model.label) for model in models]
    relative_to = said.get("relative-to")
    comparison.check_reference(relative_to, pairs)
    paths = [path for path in said.get("metrics", ()) if path != PUBLISHED]
    sources = tuple(metrics.read(path) for path in paths)
    for path, source in zip(paths, sources, strict=True):
        metrics.check_some_match(path, source, pairs)
    published = PUBLISHED in said.get("metrics", ())
    layout = Layout(view.columns, relative_to, _bold(said.get("bold")), view.caption, view.anchor)
    if not published:  # whose columns are known when the models are
        check_layout(layout, metrics.names(sources, [model.metrics for model in models]))
    return Comparing(layout, sources, published)


def _bold(names: Sequence[str] | None) -> Mapping[str, Better | None] | None:
    """`acc@1,loss:min` as a mapping; "*" is all."""
    if names is None or tuple(names) == (EVERYTHING,):
        return None if names is None else {}
    found: dict[str, Better | None] = {}
    for name in names:
        column, _, direction = name.rpartition(":")
        if column and direction in ("min", "max"):
            found[column] = "min" if direction == "min" else "max"
        else:
            found[name] = None
    return found


def _anchor(said: Mapping[str, Any]) -> str:
    anchor = str(said.get("tex-label", ""))
    if anchor and not _ANCHOR.fullmatch(anchor):
        raise errors.BadAnchor(anchor)
    return anchor


def _check_no_layers(models: int, reasons: Sequence[str], **given: object) -> None:
    for option, value in given.items():
        if value is not None and models > 1:
            raise errors.OneModelOnly(f"--{option}", models)
        if value is not None:
            raise errors.LayersOrModels(f"--{option}", reasons[0])


def _check_save(path: str, models: int) -> None:
    if models > 1:
        raise errors.SaveTakesOne(models)
    if not path.endswith(archive.SUFFIXES):
        raise errors.SaveNeedsJson(path)
    writing.check_writable(path)


def _names(columns: str | None) -> tuple[str, ...]:
    return tuple(name for part in (columns or "").split(",") if (name := part.strip()))
