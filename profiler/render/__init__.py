"""How is a table written? One short file a format; a format's name is its file's name.

Each has `SUFFIXES`, and functions that return text: `answer(answer)`, and `write(table)` for any table. For
people, `answer` also takes which `notes` stand under a table. Those of `IN_BYTES` return bytes, and `check()` raises
what keeps them from being written; those of `CHARTS` are about answers that are charts.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import PurePath
from typing import Any

from profiler import errors

FORMATS = ("text", "markdown", "csv", "json", "latex", "html", "github")
CHARTS = ("pdf", "svg", "png", "pgf")
PARQUET = "parquet"  # of answers whose rows are for programs
IN_BYTES = (*CHARTS, PARQUET)  # for no terminal
WITHOUT_NOTES = ("csv", "json", *IN_BYTES)  # for programs: JSON has notes of its own, whatever a table shows


def renderer(name: str, formats: Iterable[str] = (*FORMATS, *IN_BYTES)) -> Any:
    """The module that writes one of some formats."""
    if name not in formats:
        raise _no_such_format(name, formats)
    return import_module(f"profiler.render.formats.{name}")


def format_of(path: str, formats: Iterable[str] = FORMATS) -> str:
    """The one of some formats that a file's suffix stands for."""
    suffix = PurePath(path).suffix.lower()
    for name in formats:
        if suffix in renderer(name).SUFFIXES:
            return name
    raise _unknown_suffix(path, formats)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_format(name: str, formats: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"no format is called {name!r}; choose one of {', '.join(formats)}")


def _unknown_suffix(path: str, formats: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{path}: its suffix stands for no format; add --format, one of {', '.join(formats)}")
