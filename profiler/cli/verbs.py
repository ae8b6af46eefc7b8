"""Which verbs are there? The folders of `answers/` that have a `verb.py`, and those that other packages add."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from cyclopts import App

import profiler.answers
from profiler import errors

SHELLS = ("bash", "zsh", "fish")
MAIN = "models"  # the main job, which has no verb
GROUP = "profile_model.answers"  # of entry points: NAME = "package.module", as a `verb.py` is


@cache
def built_in() -> dict[str, str]:
    """The modules of our own verbs, by their names."""
    folders = (path.parent.name for path in Path(profiler.answers.__path__[0]).glob("*/verb.py"))
    return {folder.replace("_", "-"): folder for folder in sorted(folders) if folder != MAIN}


@cache
def added() -> dict[str, EntryPoint]:
    """Those of other packages that are installed."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in built_in()}


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


def app(name: str | None) -> App:
    """What reads the options of one verb; None: of the main job."""
    words = "profile-model" if name is None else f"profile-model {name}"
    application = App(name=words, help_flags=[], version_flags=[], help_on_error=False)
    application.default(module(name).run)
    return application


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
