"""Which limits does a first budget have? What models cost when measured, and head-room, for the user to commit.

Limits that stand already are never changed, and neither is anything else in the file: what is written is read again
before it takes the file's place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.answers.check import file as budget_file
from profiler.answers.check.compute import BudgetCheck, Checked, verdicts
from profiler.answers.check.file import Budgeted, BudgetFile
from profiler.answers.check.run import measured
from profiler.answers.common.limitable import FIGURES
from profiler.answers.common.outcome import ProgressLoop
from profiler.answers.common.varying import Run
from profiler.counters import conventions
from profiler.figures.profile import Profile
from profiler.records import inputs, quantities
from profiler.records.files import writing
from profiler.records.files.toml_files import BadTomlFile
from profiler.records.spec import Feed
from profiler.render import numbers
from profiler.render.tables import Unit

LIMITED = ("params", "size", "macs", "peak-memory")


class LimitsExist(errors.ProfileError):
    def __init__(self, place: str, model: str) -> None:
        super().__init__(f"{place}: there are limits for {model!r} already; change them there, or delete them first")


class ListedAlready(errors.ProfileError):
    def __init__(self, place: str, model: str) -> None:
        super().__init__(f"{place}: {model!r} is listed already; run check --init without a model to give it limits")


@dataclass(frozen=True, slots=True)
class LimitsPlan:
    """What is to be written: limits with head-room, for models that are new to the file or stand in it without any."""

    file: BudgetFile
    models: tuple[Budgeted, ...]
    are_new: bool
    head_room: Decimal


def plan(named: Sequence[Budgeted], head_room: Decimal) -> LimitsPlan:
    """Which models to measure, and the file to write to; raises where limits of one stand there already."""
    file = budget_file.nearest()
    if not named:
        if file is None:
            raise budget_file.no_budget_file(str(Path.cwd()))
        bare = tuple(model for model in file.models if not model.limits)
        if not bare:
            raise _nothing_to_limit(budget_file.shown(file.path))
        writing.check_writable(file.path)
        return LimitsPlan(file, bare, False, head_room)
    file = file or BudgetFile(Path.cwd() / budget_file.NAME, "", "[[models]]", ())
    listed = {model.label: model for model in file.models}
    labels = [model.label for model in named]
    for label in labels:
        if labels.count(label) > 1:
            raise _same_label(label)
        _check_missing(file, listed.get(label), is_new=True)
    writing.check_writable(file.path)
    return LimitsPlan(file, tuple(named), True, head_room)


def write(plan: LimitsPlan, run: Run, with_progress: ProgressLoop) -> BudgetCheck:
    """Measure the models, write their limits, and hold them to what is written. A model that fails gets no limits."""
    path = plan.file.path
    measurements = list(measured(plan.models, path.parent, run, with_progress))
    lines = {
        model.label: [*(_keys(model) if plan.are_new else ()), *limits(profile, plan.head_room)]
        for model, profile in measurements
        if isinstance(profile, Profile)
    }
    if not lines:
        return BudgetCheck(tuple(_checked(plan.file, model, profile) for model, profile in measurements))
    with writing.alone_in(path.parent):
        now = _as_it_is_now(plan)
        refusals = dict(_refusals(now, lines))
        written = _written(now, {label: lines[label] for label in lines if label not in refusals})
    return BudgetCheck(
        tuple(_checked(written, model, refusals.get(model.label, profile)) for model, profile in measurements)
    )


def _as_it_is_now(plan: LimitsPlan) -> LimitsPlan:
    """The plan for the file as somebody else may have left it meanwhile."""
    path = plan.file.path
    file = budget_file.read(path) if path.exists() else plan.file
    listed = {model.label: model for model in file.models}
    models = plan.models if plan.are_new else tuple(listed[m.label] for m in plan.models if m.label in listed)
    return replace(plan, file=file, models=models)


def _refusals(plan: LimitsPlan, labels: Iterable[str]) -> Iterator[tuple[str, errors.ProfileError]]:
    """The models that somebody else has given limits meanwhile: those stay, as all do that stand in the file."""
    listed = {model.label: model for model in plan.file.models}
    for label in labels:
        try:
            _check_missing(plan.file, listed.get(label), plan.are_new)
        except (LimitsExist, ListedAlready) as error:
            yield label, error


def _written(plan: LimitsPlan, lines: Mapping[str, Sequence[str]]) -> BudgetFile:
    """The file with these lines of models, which has taken the place of the one that was there."""
    if not lines:
        return plan.file
    file = _with(plan, lines)
    writing.replace(file.path, file.text.encode())
    return file


def _check_missing(file: BudgetFile, model: Budgeted | None, is_new: bool) -> None:
    """Raises where limits of a model are in the file already, or a model that is to be new."""
    if model is not None and model.limits:
        raise LimitsExist(model.limits[0].place, model.label)
    if model is not None and is_new:
        raise ListedAlready(file.place(model.line), model.label)


def _checked(file: BudgetFile, model: Budgeted, profile: Profile | errors.ProfileError) -> Checked:
    if isinstance(profile, errors.ProfileError):
        return Checked(model.label, problem=profile)
    (now,) = (one for one in file.models if one.label == model.label)
    return Checked(model.label, verdicts(profile, model.label, now.limits))


# Lines of the file ----------------------------------------------------------------------------------------------------


def limits(profile: Profile, head_room: Decimal) -> Iterator[str]:
    """What limits a model to what it costs now, and head-room."""
    for name in LIMITED:
        figure = FIGURES[name]
        value = figure.of(profile)
        if value is None:
            continue
        most = (quantities.size_up if figure.unit is Unit.BYTES else quantities.count_up)(value * (1 + head_room))
        yield f'{figure.key} = "{most}"  # measured {numbers.quantity((value, figure.unit))}'
    if profile.coverage.unknown:  # none where nothing ran
        yield f"max-unknown = {profile.coverage.unknown}  # calls without a formula: {', '.join(profile.unknown_ops)}"


def _keys(model: Budgeted) -> Iterator[str]:
    """What the model is, and what it is fed. A batch size is in the shapes, where there are some."""
    row: dict[str, Any] = {"model": model.spec}
    if model.label != model.spec:
        row["label"] = model.label
    if model.feed.is_given:
        shapes = [inputs.written(spec) for spec in (*model.feed.args, *model.feed.kwargs.values())]
        row["input"] = shapes[0] if len(shapes) == 1 else shapes
    elif model.feed.batch is not None:
        row["batch"] = model.feed.batch
    if model.feed.seq is not None:
        row["seq"] = model.feed.seq
    if model.convention != conventions.DEFAULT:
        row["convention"] = model.convention
    return (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in row.items())


def _with(plan: LimitsPlan, lines: Mapping[str, Sequence[str]]) -> BudgetFile:
    """The file with the lines of each model, read again; raises `CannotAddLimits` where it would say anything else."""
    before = plan.file
    rows = before.text.replace("\r\n", "\n").split("\n")
    if plan.are_new:
        while rows and not rows[-1].strip():
            rows.pop()
        for label in lines:
            rows += [*([""] if rows else []), before.header, *lines[label]]
        rows.append("")
    else:
        for model in sorted(plan.models, key=lambda model: -model.line):
            rows[model.line : model.line] = lines.get(model.label, ())
    text = ("\r\n" if "\r\n" in before.text else "\n").join(rows)
    try:
        after = budget_file.parsed(text, before.path)
    except BadTomlFile:
        raise _cannot_add_limits(budget_file.shown(before.path), before.header) from None
    if not _is_as_meant(plan, lines, after):
        raise _cannot_add_limits(budget_file.shown(before.path), before.header)
    return after


def _is_as_meant(plan: LimitsPlan, lines: Mapping[str, Sequence[str]], after: BudgetFile) -> bool:
    """Whether every model is what it was, has the limits that it had, and the new limits are where they belong."""
    new = [model for model in plan.models if model.label in lines] if plan.are_new else []
    expected = [_essence(model) for model in (*plan.file.models, *new)]
    are_filled = [model.label for model in after.models if model.limits] == [
        model.label for model in (*plan.file.models, *new) if model.limits or model.label in lines
    ]
    are_unchanged = all(
        [(limit.figure.name, limit.most) for limit in old.limits]
        == [(limit.figure.name, limit.most) for limit in now.limits]
        for old, now in zip(plan.file.models, after.models, strict=False)
        if old.limits
    )
    return [_essence(model) for model in after.models] == expected and are_filled and are_unchanged


def _essence(model: Budgeted) -> tuple[object, ...]:
    feed = model.feed if not model.feed.is_given else Feed(model.feed.args, model.feed.kwargs)
    return model.spec, model.label, feed, model.convention, model.conditions, model.phase


# Error messages -------------------------------------------------------------------------------------------------------


def _same_label(label: str) -> errors.ProfileError:
    return errors.ProfileError(f"two models are called {label!r}; give each a --label of its own")


def _nothing_to_limit(path: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path}: every model has limits already; delete those that are to be measured again")


def _cannot_add_limits(path: str, header: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path}: limits can be added to models that are written as {header} tables; write them so"
    )
