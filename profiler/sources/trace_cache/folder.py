"""Where are traces kept? A file each, in one folder, of which those that were not used for longest go first."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from profiler import errors
from profiler.records.files import reading, writing
from profiler.sources.trace_cache.entry import Entry, unpacked

VARIABLE, OFF = "PROFILE_MODEL_CACHE", "off"
BOUND = 256 << 20  # bytes: of some ten thousand models
_LARGEST = 64 << 20  # bytes of one file
_NAME = re.compile(r"[0-9a-f]{40}\.trace")
_UNFINISHED = re.compile(r"\.profile-model-\d+-[0-9a-f]+\.tmp")  # of a process that was killed as it wrote
_PATIENCE_S = 3600.0  # for one that writes still
_LOOKS_EVERY = 16  # traces, to see whether they are more than the bound allows


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of the folder. used: when it was last read or written, in seconds since 1970."""

    path: str
    size_bytes: int
    used: float

    def entry(self) -> Entry | None:
        return read(self.path)


def place() -> str | None:
    """The folder, which may not be there yet; None where nothing is to be kept."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == OFF:
        return None
    if chosen:
        return os.path.abspath(chosen)
    from platformdirs import user_cache_dir

    return os.path.abspath(os.path.join(user_cache_dir("profile-model", appauthor=False), "traces"))


def path_of(folder: str, key: str) -> str:
    return os.path.join(folder, f"{key}.trace")


def read(path: str) -> Entry | None:
    """None where there is none, whatever stands in its place."""
    try:
        return unpacked(reading.content(path, _LARGEST))
    except Exception:  # there is no end to what a file can be
        return None


def touch(path: str) -> None:
    """Note that it was used."""
    with suppress(OSError):
        os.utime(path)


def make(folder: str) -> None:
    """Where it cannot be made, nothing is kept."""
    with suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)


def put(folder: str, key: str, content: bytes) -> None:
    """Write it, whole or not at all; where that cannot be, the next run does without."""
    make(folder)
    with suppress(OSError, errors.ProfileError):
        writing.replace(path_of(folder, key), content)
        if int(key[:8], 16) % _LOOKS_EVERY == 0:
            shrink(folder, BOUND)


def shrink(folder: str, bound: int) -> None:
    """Remove files, those first that were not used for longest, until the rest is within the bound."""
    kept = sorted(files(folder), key=lambda file: file.used)
    size = sum(file.size_bytes for file in kept)
    for file in kept:
        if size <= bound:
            break
        size -= file.size_bytes
        _remove(file.path)
    _remove_unfinished(folder, time.time() - _PATIENCE_S)


def clear(folder: str) -> int:
    """Remove all that was kept, and nothing else that is there; returns how many traces."""
    removed = sum(_remove(file.path) for file in files(folder))
    _remove_unfinished(folder, time.time())
    return removed


def files(folder: str) -> list[KeptFile]:
    return [KeptFile(path, there.st_size, there.st_mtime) for path, there in _entries(folder, _NAME)]


def _remove_unfinished(folder: str, before: float) -> None:
    for path, there in _entries(folder, _UNFINISHED):
        if there.st_mtime <= before:
            _remove(path)


def _entries(folder: str, name: re.Pattern[str]) -> Iterator[tuple[str, os.stat_result]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # another process removed it
                if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.stat(follow_symlinks=False)


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
