"""How does a sweep survive that it is killed? Each row goes to the end of a file as soon as it is there.

The file has a line of JSON for what was asked for, and one for each row, in the order in which they ended. A line that
was not written to its end is the last, and is ignored: its model is run again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from profiler import errors
from profiler.answers.sweep.request import difference
from profiler.answers.sweep.row import dumped
from profiler.records.files.writing import refusing

SUFFIX = ".jsonl"
_INDEX = "index"  # of a row's model in the request


class Journal:
    """The file of a sweep that goes on. rows: those that it had when it was opened, by the index of their model."""

    def __init__(self, path: str, descriptor: int, rows: dict[int, dict[str, Any]]) -> None:
        self.rows = rows
        self._path, self._descriptor = path, descriptor

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        """A row that has ended."""
        with refusing(self._path):
            _write(self._descriptor, {_INDEX: index, **row})


@contextmanager
def opened(path: str, head: Mapping[str, Any], is_resumed: bool) -> Iterator[Journal]:
    """The journal of a request, new or resumed; raises `errors.ProfileError`.

    One that is there is gone on with where that is asked for, and where the request is the same.
    """
    with refusing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        _lock(path, descriptor)
        with refusing(path):
            before, rows, whole = _read(path)
        if rows and not is_resumed:
            raise _is_there(path)
        if not rows:  # nothing is lost with a journal that has no row
            before, whole = None, 0
        differs = None if before is None else difference(before, head)
        if differs is not None:
            raise _is_another(path, differs)
        with refusing(path):
            os.ftruncate(descriptor, whole)
            if before is None:
                _write(descriptor, head)
        yield Journal(path, descriptor, rows)
    finally:
        os.close(descriptor)


def _lock(path: str, descriptor: int) -> None:
    """For as long as it is open; it ends with this process. A file system that has no locks goes without."""
    with suppress(ImportError):
        import fcntl  # not everywhere

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _is_in_use(path) from None
        except OSError:
            return


def _write(descriptor: int, content: Mapping[str, Any]) -> None:
    left = memoryview(dumped(content) + b"\n")
    while left:
        left = left[os.write(descriptor, left) :]


def read(path: str) -> tuple[Mapping[str, Any], dict[int, dict[str, Any]]]:
    """What was asked for, and the rows that ended, by index; raises `errors.ProfileError`."""
    try:
        head, rows, _ = _read(path)
    except OSError as error:
        raise errors.unreadable(path, error, _unreadable) from None
    if head is None:
        raise _unreadable(path, "its first line does not say what was asked for")
    return head, rows


def _read(path: str) -> tuple[Mapping[str, Any] | None, dict[int, dict[str, Any]], int]:
    """The head, the rows, and where the last whole line ends."""
    head: dict[str, Any] | None = None
    rows: dict[int, dict[str, Any]] = {}
    whole = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                content = json.loads(line)
                if number == 1:
                    head = {"sweep": content["sweep"], **content}
                else:
                    rows[int(content.pop(_INDEX))] = {"status": content["status"], **content}
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise _unreadable(path, f"line {number} is none of a sweep's") from None
            whole += len(line)
    return head, rows, whole


# Error messages -------------------------------------------------------------------------------------------------------


def _is_there(path: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} is there, of an earlier sweep; go on with it by --resume, or remove it")


def _is_another(path: str, differs: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--resume: {path} is of another request: {differs}; ask for the same, or remove it to begin anew"
    )


def _is_in_use(path: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} is being written by another sweep; wait for its end, or choose another --output"
    )


def _unreadable(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be read as a sweep's journal ({why}); give one that a sweep has written")
