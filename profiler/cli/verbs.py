"""Which verbs are there? The folders of `answers/` that have a `verb.py`, and those that other packages add."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from importlib import import_module
from inspect import BoundArguments, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cyclopts import App

import profiler.answers
from profiler import errors

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SHELLS = ("bash", "zsh", "fish")
MAIN = "models"  # the main job, which has no verb
_UNUSED = cast("Any", object())  # errors are printed by us; without a console cyclopts imports rich to make one
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

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in built_in()}


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
    try:
        return added()[name].load()
    except (Exception, SystemExit) as error:
        raise _cannot_be_loaded(name, added()[name].value, error) from error


def read(name: str | None, words: Sequence[str]) -> BoundArguments:
    """What a verb is to be called with; raises `cyclopts.CycloptsError`.

    Where no word begins with a dash none is an option, and what cyclopts does for each of a hundred is spared.
    """
    run = module(name).run
    has_options = any(word.startswith("-") for word in words)
    reader = _app(name, run if has_options else _without_options(run))
    _, bound, _ = reader.parse_args(words, exit_on_error=False, print_error=False)
    return signature(run).bind_partial(*bound.args, **bound.kwargs)


def app(name: str | None) -> App:
    """What reads the options of one verb; None: of the main job."""
    return _app(name, module(name).run)


def _app(name: str | None, run: Callable[..., Any]) -> App:
    words = "profile-model" if name is None else f"profile-model {name}"
    application = App(name=words, help_flags=[], version_flags=[], help_on_error=False, error_console=_UNUSED)
    application.default(run)
    return application


def _without_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """A verb as one that has nothing but its models, files and the like, and what it cannot do without."""
    whole = signature(run)
    kept = [
        each for each in whole.parameters.values() if each.kind is not each.KEYWORD_ONLY or each.default is each.empty
    ]

    @wraps(run)
    def short(*args: Any, **kwargs: Any) -> Any:
        return run(*args, **kwargs)

    short.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]
    return short


def completion(shell: str) -> str:
    """The script that lets a shell complete verbs and options; raises `errors.ProfileError`."""
    if shell not in SHELLS:
        raise errors.no_such_choice("--completion", shell, SHELLS)
    whole = App(name="profile-model")
    whole.default(module(None).run)
    for name in names():
        whole.command(module(name).run, name=name)
    return whole.generate_completion(shell=cast("Any", shell))


def _cannot_be_loaded(name: str, place: str, error: BaseException) -> errors.ProfileError:
    return errors.ProfileError(
        f"the verb {name!r} of another package cannot be loaded from {place} ({type(error).__name__}: "
        f"{errors.first_line(error)}); mend or remove that package"
    )
