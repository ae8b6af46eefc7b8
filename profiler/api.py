"""From a model or a spec to its profile: sources, then the trace. torch is imported when a model has to be run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from profiler import errors, sources
from profiler.answers.models.compute import Comparison, Entry, Layout, check_reference, comparison
from profiler.answers.models.metrics import Metrics, check_some_match, published, read
from profiler.answers.models.metrics import given as metrics_given
from profiler.answers.models.table import check_layout
from profiler.counters.conventions import DEFAULT
from profiler.figures.profile import Profile
from profiler.records.conditions import AS_IT_IS, Asked, Conditions, conditions
from profiler.records.inputs import TensorSpec, parse
from profiler.records.spec import Feed
from profiler.records.trace import GRAPHS, Trace
from profiler.render.tables import Better

if TYPE_CHECKING:
    from torch import nn

MetricsGiven: TypeAlias = "bool | str | os.PathLike[str] | Mapping[str, Mapping[str, Any]] | Sequence[Any] | None"


def profile(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    convention: str = DEFAULT,
    **asked: Unpack[Asked],
) -> Profile:
    """Run a model once, on the meta device where that is possible, and give its profile.

    model: a `torch.nn.Module`, which comes back untouched, or a spec such as "resnet34" or "timm:dpn92".
    inputs: a shape, as a string "1x3x224x224:float16" or a tuple of ints; a tensor, or any other object, which is
        passed as it is; a list or dict of shapes; or a tuple of such, for several positional arguments. A spec has
        inputs of its own, and so has a model of transformers. None: a model that says no input, and takes some, is not
        run: its parameters are known, its MACs are `None`.
    kwargs: keyword arguments of the forward pass.
    convention: whose FLOPs the profile's `flops` are; see `Profile.under`.
    asked: the conditions of the run: dtype, train, optimizer, amp, freeze, checkpoint; see `conditions.Asked`.

    Raises `profiler.errors.ProfileError`, whose text is one line that says what to do.
    """
    under = conditions(**asked)
    if isinstance(model, str):
        positional, named = arguments(inputs, kwargs)
        found: Callable[[], Any] = partial(sources.load, model, Feed(positional, named))
    else:
        found = partial(sources.subject_of, model, Feed(*arguments(inputs, kwargs)))
    return _profile(_found_or_held(found, under), convention, under)


def _found_or_held(find: Callable[[], Any], under: Conditions) -> Any:
    """What is found; where it cannot be run for want of inputs, the record of what the model holds."""
    try:
        return find()
    except errors.InputsNeeded as needed:
        if needed.held is None or under != AS_IT_IS:
            raise
        return needed.held()


def profile_spec(spec: str, feed: Feed, convention: str, under: Conditions = AS_IT_IS) -> Profile:
    """The profile of what a spec names, run under some conditions."""
    return _profile(sources.load(spec, feed), convention, under)


def profile_live(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], convention: str, under: Conditions = AS_IT_IS
) -> Profile:
    """The profile of a model that is there, fed with these arguments."""
    return _profile(sources.subject_of(model, Feed(args, kwargs)), convention, under)


def compare(
    models: Sequence[Profile | str],
    columns: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    metrics: MetricsGiven = None,
    relative_to: str | None = None,
    bold: bool | Sequence[str] | Mapping[str, Better | None] = False,
    caption: str = "",
    tex_label: str = "",
) -> Comparison:
    """Several models side by side, one row each.

    models: profiles, or specs such as "resnet34".
    columns: their names, in order; by default the usual ones, and all metrics.
    labels: the rows' names, in the order of the models; by default their specs.
    metrics: what is known of how good they are. `True`: as torchvision publishes it for its weights; the path of a CSV
        file; a mapping `{"resnet34": {"accuracy": 73.3}}`, by spec or label; or several of these in a list, of which a
        later one is preferred.
    relative_to: the spec or label of the row that the columns `rel_params`, ... are relative to; by default the first.
    bold: mark the best of each column (`True`), of some columns, or of columns with "min" or "max".
    caption, tex_label: what stands above the table, and the label that LaTeX refers to it by.

    `print` what it returns, or take `to_latex()`, `to_markdown()`, `to_csv()`, `to_json()` or `to_html()`. Raises
    `profiler.errors.ProfileError`.
    """
    if not models:
        raise errors.NoModelGiven()
    profiles = [profiled(model) for model in models]
    if labels and len(labels) != len(profiles):
        raise errors.LabelCount(len(labels), len(profiles))
    named = labels or [found.model for found in profiles]
    entries = [Entry(found.model, label, found) for found, label in zip(profiles, named, strict=True)]
    pairs = [(entry.model, entry.label) for entry in entries]
    check_reference(relative_to, pairs)
    marked = bold if isinstance(bold, Mapping) else dict.fromkeys(() if isinstance(bold, bool) else bold)
    layout = Layout(columns, relative_to, None if bold is False else marked, caption, tex_label)
    compared = comparison(entries, layout, _sources(metrics, profiles, pairs))
    check_layout(layout, compared.metric_names)
    return compared


def profiled(model: Any) -> Profile:
    """A profile as it is, or that of a spec; raises `errors.NotAProfile`."""
    if isinstance(model, Profile):
        return model
    if not isinstance(model, str):
        raise errors.NotAProfile(type(model).__name__)
    return profile(model)


def _sources(given: MetricsGiven, profiles: Sequence[Profile], pairs: Sequence[tuple[str, str]]) -> list[Metrics]:
    several = given if isinstance(given, (list, tuple)) else [given]
    return [_source(one, profiles, pairs) for one in several if one is not None and one is not False]


def _source(given: Any, profiles: Sequence[Profile], pairs: Sequence[tuple[str, str]]) -> Metrics:
    if given is True:
        return published(profiles)
    if isinstance(given, Mapping):
        return metrics_given(given)
    found = read(str(given))
    check_some_match(str(given), found, pairs)
    return found


def _profile(found: Any, convention: str, under: Conditions) -> Profile:
    if under.training is not None and found.source in GRAPHS:
        raise errors.GraphIsFixed(_name(found), "as a training step")
    if isinstance(found, Trace):
        if under != AS_IT_IS and not found.was_run:
            raise errors.NothingRan(found.model, "another dtype or a training step has no effect")
        if under != AS_IT_IS and found.is_graph:
            raise errors.GraphIsFixed(found.model, "in another dtype")
        if under != AS_IT_IS:
            raise errors.SavedIsFixed(found.model, "another dtype, a training step or a count of zeros")
        return Profile(found, convention)
    if under.zeros and found.source in sources.PREFIXES:
        raise errors.ZerosNeedWeights(found.name, "its weights are not fetched")
    from profiler.engine.run.running import trace

    return Profile(trace(found, under), convention)


def _name(found: Any) -> str:
    return str(found.model if isinstance(found, Trace) else found.name)


def arguments(inputs: Any, kwargs: Mapping[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a forward pass takes, from what `profile` takes: positional and keyword arguments."""
    named = {name: _written_shape(value) for name, value in (kwargs or {}).items()}
    if inputs is None:
        return (), named
    is_several = type(inputs) is tuple and not _is_shape(inputs)
    positional = []
    for given in inputs if is_several else (_shapes_inside(inputs),):
        spec = given if is_several and _is_word(given) else _spec(given)
        if isinstance(spec, TensorSpec) and spec.name is not None:
            named[spec.name] = spec
        else:
            positional.append(spec)
    return tuple(positional), named


def _spec(given: Any) -> Any:
    """A shape, however it is written, as a `TensorSpec`; anything else as it is."""
    if isinstance(given, str):
        return parse(given)
    return TensorSpec(given) if _is_shape(given) else given


def _is_word(given: Any) -> bool:
    """Whether it is a text that nobody would take for a shape: an argument such as "train" among several."""
    return isinstance(given, str) and given != "scalar" and "=" not in given and not given[:1].isdigit()


def _written_shape(value: Any) -> Any:
    """A keyword argument: a text that reads as a shape of several dimensions, or names a dtype, is one."""
    if not isinstance(value, str) or "=" in value or not value[:1].isdigit() or not set("x:") & set(value):
        return value
    return parse(value)


def _shapes_inside(given: Any) -> Any:
    """A list or dict in which all that could be a shape is one, with such in their place; anything else as it is."""
    if type(given) not in (list, dict) or not given:
        return given
    values = list(given.values()) if isinstance(given, dict) else given
    if not all(isinstance(value, str) or _is_shape(value) for value in values):
        return given
    shapes = [value if _is_word(value) else _spec(value) for value in values]
    return dict(zip(given, shapes, strict=True)) if isinstance(given, dict) else shapes


def _is_shape(given: Any) -> bool:
    """Whether it is a tuple of integers, whatever methods a class of the user's own has."""
    return isinstance(given, tuple) and tuple.__len__(given) > 0 and all(type(n) is int for n in tuple.__iter__(given))
