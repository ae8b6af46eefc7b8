"""What a verb takes by options, its function in Python takes by keywords of the same names."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import profiler
import profiler as api
from profiler import ProfileError, profile
from profiler.answers.check.compute import LimitValues
from profiler.answers.common import run_options
from profiler.answers.common.options import Result, Saved, Strict, TraceCacheOption
from profiler.answers.sensitivity import request
from profiler.api import sweeping
from profiler.cli import verbs

# Of the command alone: what a result is written as and to, what makes its exit status, and what is kept between two
# processes; Python has `to_json()`, `save()`, `Profile.check()` and exceptions for these.
_GROUPS = (Result, Strict, Saved, TraceCacheOption)
_COMMAND = {field.name for group in _GROUPS for field in dataclasses.fields(group)} | {"context"}
_MODEL = {"model", "models", "before", "after", "args"}
_NAMES = {"training": "train", "in_": "memory", "with_": "tools", "time_limit": "time_limit_s", "input": "inputs"}
_RUN = {"inputs", "batch", "seq", "trust_remote_code", "dtype", "convention"}  # of what is profiled already
_ARRAYS = {"labels", "predictions", "scores", "weights", "classes"}  # in the place of a file, which names its model
_STEP = {"train", "optimizer", "amp", "freeze", "recompute"}

# By verb: its function or method; how it calls options otherwise; and options that are about something else there.
PAIRS: dict[str, tuple[Callable[..., Any], dict[str, str], set[str]]] = {
    "ablate": (api.ablate, {"label": "labels"}, set()),
    "scan": (api.scan, {}, {"name"}),  # NAME=VALUES is one word of the command's
    "largest": (api.largest, {"as_": "weights"}, {"max_time"}),
    "generate": (api.generate, {"as_": "weights"}, set()),
    "cross-check": (api.cross_check, {}, {"label", "verbose"}),  # one model; its table shows layers by `CrossCheck`
    "explain": (api.Profile.explain, {}, _RUN),
    "time": (
        api.Profile.time,
        {},
        _RUN | _STEP | {"columns", "caption", "tex_label", "depth", "sort", "top", "filter"},
    ),
    "diff": (api.Profile.diff, {}, _RUN | _STEP | {"max_increase", "device"}),  # `Diff.check`, `Profile.on`
    "sweep": (api.sweep, {}, {"output", *LimitValues.__annotations__}),
    "sensitivity": (api.sensitivity, {}, set()),
    "plot": (api.plot, {"label": "labels"}, {"output"}),
    "score": (api.score, {}, {"files", *_ARRAYS, "width", "style", "title"}),  # `Scores.plot` has the last
    "weights": (api.Profile.weights, {"as_": "scheme"}, _RUN | {"label", "sort"}),  # one model in one format
}


def options(verb: str) -> set[str]:
    """Its parameters, and those of its groups of options."""
    names: set[str] = set()
    for name, parameter in inspect.signature(verbs.module(verb).run).parameters.items():
        names |= fields(name, parameter.default)
    return {name for name in names if not name.startswith("max_") or name == "max_increase"} - _COMMAND - _MODEL


def fields(name: str, default: Any) -> set[str]:
    if not dataclasses.is_dataclass(default):
        return {name}
    return {
        inner for field in dataclasses.fields(default) for inner in fields(field.name, getattr(default, field.name))
    }


def keywords(function: Callable[..., Any]) -> set[str]:
    names: set[str] = set()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            named = str(parameter.annotation).removeprefix("Unpack[")[:-1]
            names |= set((vars(run_options) | vars(sweeping) | vars(request))[named].__annotations__)
        else:
            names.add(name)
    return names - {"self", "kwargs"} - _MODEL


@pytest.mark.parametrize("verb", PAIRS)
def test_a_function_takes_what_its_verb_takes(verb: str) -> None:
    function, names, otherwise = PAIRS[verb]
    command = {({**_NAMES, **names}).get(name, name) for name in options(verb)}
    python = keywords(function) - ({"zeros"} if "train" in command else set())  # which the table of layers has
    assert command - otherwise == python - otherwise


def test_sizes_are_those_of_the_command() -> None:
    """Also where a model's own inputs are replaced."""
    assert profile("resnet18", batch=2).trace.inputs[0].shape == (2, 3, 224, 224)
    assert profile("resnet18", (1, 3, 64, 64), batch=3).trace.inputs[0].shape == (3, 3, 64, 64)
    with pytest.raises(ProfileError, match="--seq is for models of transformers"):
        profile("resnet18", seq=5)
    with pytest.raises(ProfileError, match="'bach' is nothing that a run can be asked for"):
        profile("resnet18", bach=2)  # type: ignore[call-arg]
    assert "fc  Linear 512→1000" in profile("resnet18").explain("fc")


def test_all_that_is_public_is_there() -> None:
    assert all(getattr(profiler, name) is not None for name in profiler.__all__)
