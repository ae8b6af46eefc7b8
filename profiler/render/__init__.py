"""How is a table written? One short file a format; a format's name is its file's name.

Each has `SUFFIXES`, and functions that return text: `answer(answer)`, and `write(table)` for any table. For
people, `answer` also takes which `notes` stand under a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import PurePath
from typing import Any

from profiler import errors

FORMATS = ("text", "markdown", "csv", "json", "latex", "html", "github")
WITHOUT_NOTES = ("csv", "json")  # for programs: JSON has notes of its own, whatever a table shows


def renderer(name: str) -> Any:
    """The module that writes a format."""
    if name not in FORMATS:
        raise _no_such_format(name, FORMATS)
    return import_module(f"profiler.render.formats.{name}")


def format_of(path: str) -> str:
    """The format that a file's suffix stands for."""
    suffix = PurePath(path).suffix.lower()
    for name in FORMATS:
        if suffix in renderer(name).SUFFIXES:
            return name
    raise _unknown_suffix(path, FORMATS)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_format(name: str, formats: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"no format is called {name!r}; choose one of {', '.join(formats)}")


def _unknown_suffix(path: str, formats: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{path}: its suffix stands for no format; add --format, one of {', '.join(formats)}")
