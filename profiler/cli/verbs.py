"""Which verbs are there? The folders of `answers/` that have a `verb.py`, and those that other packages add."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib import import_module
from inspect import Parameter, signature, unwrap
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints

import profiler.answers
from profiler import errors

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NAME = "profile-model"
SHELLS = ("bash", "zsh", "fish")
MAIN = "models"  # the main job, which has no verb
CONTEXT = "context"  # the parameter of a verb that is no word of the command line
GROUP = "profile_model.answers"  # of entry points: NAME = "package.module", as a `verb.py` is


@cache
def built_in() -> dict[str, str]:
    """The modules of our own verbs, by their names."""
    folders = (path.parent.name for path in Path(profiler.answers.__path__[0]).glob("*/verb.py"))
    return {folder.replace("_", "-"): folder for folder in sorted(folders) if folder != MAIN}


@cache
def added() -> Mapping[str, EntryPoint]:
    """Those of other packages that are installed."""
    if not any(map(_may_add, sys.path)):
        return {}
    from importlib.metadata import entry_points  # takes as long as all else that a command imports of the library

    try:
        points = entry_points(group=GROUP)
    except Exception as error:
        raise _damaged_entry_points(error) from error
    return {point.name: point for point in points if point.name not in built_in()}


def _may_add(place: str) -> bool:
    """Whether a package of this entry of `sys.path` names our group; of an archive that is not looked up."""
    try:
        installed = [entry.path for entry in os.scandir(place or os.curdir) if entry.name.endswith("-info")]
    except NotADirectoryError:
        return True
    except OSError:
        return False
    return any(GROUP in _text(os.path.join(folder, "entry_points.txt")) for folder in installed)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def is_verb(word: str) -> bool:
    """A verb is a word: what other packages add is not looked up for a file, or for a model with its settings."""
    return word in built_in() or (word.replace("-", "").replace("_", "").isalnum() and word in added())


def names() -> list[str]:
    return sorted({*built_in(), *added()})


def module(name: str | None) -> Any:
    """What a verb's `verb.py` holds; None: the main job's."""
    if name is None or name in built_in():
        return import_module(f"profiler.answers.{MAIN if name is None else built_in()[name]}.verb")
    place = added()[name].value
    try:
        loaded = added()[name].load()
    except (Exception, SystemExit) as error:
        raise _cannot_be_loaded(name, place, error) from error
    lacks = _lacks(loaded)
    if lacks:
        raise _is_no_verb(name, place, lacks)
    return loaded


def _lacks(loaded: Any) -> str:
    """What a module of another package has not that a verb has to have; nothing where it is one."""
    if not callable(getattr(loaded, "run", None)):
        return "has no function `run`"
    if not isinstance(getattr(loaded, "JOB", None), str):
        return "has no heading `JOB`"
    parameters = signature(loaded.run).parameters
    if CONTEXT not in parameters or parameters[CONTEXT].kind is not Parameter.KEYWORD_ONLY:
        return f"takes no {CONTEXT} by its name alone"
    unsaid = [p.name for p in parameters.values() if p.annotation is p.empty and p.name != CONTEXT]
    if unsaid:
        return f"does not say by an annotation what {unsaid[0]} is"
    return "takes any keyword" if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else ""


def hints(run: Callable[..., Any], parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The annotations of some parameters, evaluated where the function was written; raises `errors.ProfileError`."""
    function = unwrap(run)
    while isinstance(function, partial):
        function = unwrap(function.func)
    function = getattr(function, "__func__", function)
    globals_ = getattr(function, "__globals__", None) or getattr(type(function).__call__, "__globals__", {})
    annotated = SimpleNamespace(__annotations__={each.name: each.annotation for each in parameters})
    try:
        return get_type_hints(annotated, globals_, include_extras=True)
    except NameError as error:
        raise _unknown_annotation(run, error) from error


# Error messages -------------------------------------------------------------------------------------------------------


def _cannot_be_loaded(name: str, place: str, error: BaseException) -> errors.ProfileError:
    return errors.ProfileError(
        f"the verb {name!r} of another package cannot be loaded from {place} ({type(error).__name__}: "
        f"{errors.first_line(error)}); mend or remove that package"
    )


def _is_no_verb(name: str, place: str, lacks: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"the verb {name!r} of another package is none, for {place} {lacks} (see docs/extending.md); "
        "mend or remove that package"
    )


def _unknown_annotation(run: Callable[..., Any], error: NameError) -> errors.ProfileError:
    return errors.ProfileError(
        f"what {run.__module__}.run takes cannot be read ({errors.first_line(error)}); import that name at the top of "
        "its file, and not for type checkers alone"
    )


def _damaged_entry_points(error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"entry points of an installed package cannot be read ({type(error).__name__}: {errors.first_line(error)}); "
        f"mend or remove the one whose entry_points.txt is damaged, most likely in its group [{GROUP}]"
    )
