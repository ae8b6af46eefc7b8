"""Which models does a command line name? Specs, and lists of them, each with its label, its inputs and its metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from profiler import errors
from profiler.answers.common.listed import Listed, ModelList
from profiler.answers.common.options import InputOptions
from profiler.answers.common.outcome import Context
from profiler.answers.common.varying import Varying, dimensions
from profiler.answers.models.compute import Entry
from profiler.answers.models.metrics import Metric
from profiler.counters import conventions
from profiler.engine.processes.foreign_code import at_work
from profiler.figures.profile import Profile
from profiler.records import archive, inputs
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.spec import Feed
from profiler.sources import holds_weights_alone, matching

if TYPE_CHECKING:
    from profiler.answers.check.compute import Limit

_SUFFIX = ".toml"  # of a list of models
_PATTERN = re.compile(r"[\w:.\-*?]*[*?][\w:.\-*?]*", re.ASCII)  # as a shell has it; no path and no arguments


@dataclass(frozen=True, slots=True)
class NamedModel:
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


def lists(specs: Sequence[str]) -> list[ModelList]:
    """Each spec as the models it stands for: itself, those of a list, or those of a zoo that match a pattern."""
    return [_list(spec) for spec in specs]


def _list(spec: str) -> ModelList:
    listed = _read(spec) if spec.endswith(_SUFFIX) else ModelList((Listed(spec),))
    return replace(listed, models=tuple(model for row in listed.models for model in _matching(row)))


def _read(path: str) -> ModelList:
    from profiler.answers.common import model_list  # which a command that names its models does not need

    return model_list.read(path)


def _matching(row: Listed) -> Sequence[Listed]:
    if not _PATTERN.fullmatch(row.spec):
        return [row]
    names = matching(row.spec)
    if len(names) > 1 and (row.label or row.metrics):
        raise _labels_one_model(row.spec, len(names))
    return [replace(row, spec=name) for name in names]


def named_models(
    specs: Sequence[str] | Sequence[ModelList],
    options: InputOptions,
    labels: Sequence[str] = (),
    is_run: bool = True,
    varies: bool = False,
) -> tuple[NamedModel, ...]:
    """All models that specs, or `lists` of them, name. What the command line says goes before what a list says.

    varies: whether something gives values to dimensions that have a name.
    """
    if not specs:
        raise errors.no_model_given()
    several = [spec if isinstance(spec, ModelList) else _list(spec) for spec in specs]
    listed = [model for models in several for model in models.models]
    default = next((s.settings["input"] for s in reversed(several) if "input" in s.settings), ())
    if labels and len(labels) != len(listed):
        raise errors.label_count(len(labels), len(listed))
    named = labels or [model.label or model.spec for model in listed]
    feed = replace(options.feed, is_run=is_run)
    models = tuple(
        _named_model(model, label, tuple(options.input or model.inputs or default), feed)
        for model, label in zip(listed, named, strict=True)
    )
    if not varies and (free := sorted(dimensions([model.shapes for model in models]))):
        raise errors.dimension_without_value(free[0])
    return models


def single_model(spec: str, options: InputOptions, verb: str, varies: bool = False) -> NamedModel:
    """The only model that a spec names; raises `errors.ProfileError` where a list or a pattern names several."""
    models = named_models([spec], options, varies=varies)
    if len(models) > 1:
        raise _takes_one_model(verb, spec, len(models))
    return models[0]


def _named_model(model: Listed, label: str, shapes: tuple[str, ...], feed: Feed) -> NamedModel:
    return NamedModel(model.spec, label, feed if dimensions(shapes) else _with(shapes, feed), shapes, model.metrics)


def _with(shapes: Sequence[str], feed: Feed) -> Feed:
    args, kwargs = inputs.arguments([inputs.parse(shape) for shape in shapes], feed.batch)
    return replace(feed, args=args, kwargs=kwargs)


def check_runs(models: Iterable[NamedModel], what: str) -> None:
    """Raise where a model is a file of weights, which tells nothing of `what`."""
    for model in models:
        if holds_weights_alone(model.spec):
            raise _needs_arun(what, model.spec)


def varying(
    verb: str, model: NamedModel, name: str, context: Context, under: Conditions, convention: str = conventions.DEFAULT
) -> Varying[Profile]:
    """A model of which something varies."""
    if model.spec.endswith(archive.SUFFIXES):
        raise errors.saved_is_fixed(model.spec, verb)
    rest = replace(model.feed, args=(), kwargs={})
    return Varying(context.run, model.spec, name, model.shapes or None, {}, rest, convention, under)


# Running them ---------------------------------------------------------------------------------------------------------


def entries(
    models: Sequence[NamedModel], context: Context, convention: str, under: Conditions = AS_IT_IS, holds: bool = False
) -> tuple[list[Entry], list[errors.ProfileError]]:
    """Every model that can be profiled, and why the others cannot.

    holds: of one that waits for an input, take what it holds.
    """
    rows: list[Entry] = []
    failures: list[errors.ProfileError] = []
    for model in context.with_progress(models, [model.label for model in models]):
        profile: Profile | None = None
        failure = None
        try:
            with at_work(model.label):
                profile = context.run(model.spec, model.feed, convention, AS_IT_IS if model.is_saved else under)
        except errors.ProfileError as error:
            failures.append(error)
            failure = str(error)
            profile = _without_run(error, context) if holds else None
        rows.append(Entry(model.spec, model.label, profile, failure, model.metrics))
    return rows, failures


def _without_run(error: errors.ProfileError, context: Context) -> Profile | None:
    """What is known of a model that waits for an input: its layers."""
    if not isinstance(error, errors.InputsNeeded) or error.held is None:
        return None
    return context.profile(error.held())


def profiles(rows: Iterable[Entry]) -> list[Profile]:
    return [entry.profile for entry in rows if entry.profile is not None]


# Limits ---------------------------------------------------------------------------------------------------------------


def over(rows: Iterable[Entry], limits: Sequence[Limit]) -> Iterator[errors.ProfileError]:
    """What is over a limit."""
    if not limits:
        return
    from profiler.answers.check.compute import failures, verdicts

    for entry in rows:
        if entry.profile is not None:
            yield from failures(verdicts(entry.profile, entry.label, limits))


# Error messages -------------------------------------------------------------------------------------------------------


def _labels_one_model(pattern: str, models: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{pattern} stands for {models} models, and a label or metrics are one model's; list them one by one"
    )


def _takes_one_model(verb: str, spec: str, models: int) -> errors.ProfileError:
    return errors.ProfileError(f"{verb} is about one model, and {spec} names {models}; name one of them")


def _needs_arun(option: str, spec: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{option} is about a run, and {spec} holds weights without code, which nothing can run; name the model itself"
    )
