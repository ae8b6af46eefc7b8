"""Which verbs are there? The folders of `answers/` that have a `verb.py`, and those that other packages add."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import profiler.answers
from profiler import errors

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NAME = "profile-model"
SHELLS = ("bash", "zsh", "fish")
MAIN = "models"  # the main job, which has no verb
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


def _cannot_be_loaded(name: str, place: str, error: BaseException) -> errors.ProfileError:
    return errors.ProfileError(
        f"the verb {name!r} of another package cannot be loaded from {place} ({type(error).__name__}: "
        f"{errors.first_line(error)}); mend or remove that package"
    )
