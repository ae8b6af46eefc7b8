"""What did a run read, and is it still the same? Variables of the environment, files, and names in folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import all_suffixes

from profiler.sources.trace_cache import digests

_SMALL = 4 << 20  # bytes up to which a file's content is compared; of a larger one, what the file system says of it
_COMPILED = "__pycache__"
_MODULES = (*all_suffixes(), ".zip", ".egg")


@dataclass(frozen=True, slots=True)
class Reads:
    """Each with what it was: a digest, or None for what was not there.

    variables: of the environment. files: by path. modules: folders, with the names in them that can be imported.
    listings: folders, with all their names.
    """

    variables: Mapping[str, str | None]
    files: Mapping[str, str | None]
    modules: Mapping[str, str | None]
    listings: Mapping[str, str | None]

    def still_hold(self) -> bool:
        return (
            _are(variable, self.variables)
            and _are(fingerprint, self.files)
            and _are(modules_in, self.modules)
            and _are(names_in, self.listings)
        )


def _are(look: Callable[[str], str | None], before: Mapping[str, str | None]) -> bool:
    return all(look(name) == what for name, what in before.items())


def variable(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """A digest of its value, which may be a secret."""
    value = (os.environ if environment is None else environment).get(name)
    return None if value is None else digests.of_text(value)


def fingerprint(path: str) -> str | None:
    """Of what a path leads to now; a small file's says what is in it, whatever its size and times are."""
    try:
        there = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(there.st_mode):
        return f"kind {stat.S_IFMT(there.st_mode)}"
    if there.st_size > _SMALL:
        return status(there)
    try:
        with open(path, "rb") as file:
            return digests.of_bytes(file.read()).hex()
    except OSError as error:
        return f"error {error.errno}"


def status(there: os.stat_result) -> str:
    """What the file system says of a file: whoever writes into it changes its last time, which nobody can set back."""
    return f"{there.st_size} {there.st_mtime_ns} {there.st_ctime_ns} {there.st_ino}"


def names_in(folder: str) -> str | None:
    """All of them, but for Python's own folder."""
    return _names(folder, lambda entry: entry.name != _COMPILED)


def modules_in(folder: str) -> str | None:
    """Files and folders that an import could find there."""
    return _names(folder, lambda entry: entry.name.endswith(_MODULES) or _is_package(entry))


def _names(folder: str, is_meant: Callable[[os.DirEntry[str]], bool]) -> str | None:
    try:
        with os.scandir(folder) as entries:
            return digests.of_text("\0".join(sorted(entry.name for entry in entries if is_meant(entry))))
    except (OSError, ValueError):
        return None


def _is_package(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.name.isidentifier() and entry.name != _COMPILED and entry.is_dir()
    return False
