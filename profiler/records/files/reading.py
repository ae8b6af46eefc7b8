"""How is a file read that somebody else made? If it is an ordinary one, and no more of it than its size allows.

All readers go through this: what a FIFO, a device or a folder is asked for never waits, what is packed is not unpacked
without end, and JSON cannot hold more than its length may.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from profiler.records.files.limits import LISTS, UNPACKED, Budget

_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
    (stat.S_ISSOCK, "it is a socket"),
)
_MOST_DIGITS = 19  # of a whole number: 2**62 has as many
_PIECE = 1 << 20


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """An ordinary file, open for reading; raises `OSError`, whose `strerror` says what is wrong, for all others."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:  # a NUL, or a character that no file name can have
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    mode = os.fstat(number).st_mode
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), None)
    if kind is not None:
        os.close(number)
        raise (IsADirectoryError if stat.S_ISDIR(mode) else OSError)(errno.EINVAL, f"{kind}, and no ordinary file")
    with os.fdopen(number, "rb") as file:
        yield file


def content(path: str | os.PathLike[str], most: int) -> bytes:
    """A file whole; raises `OSError` as `opened` does, and where it is longer than `most`."""
    with opened(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes, the most that is read")
    return data


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is an ordinary file of this name, which may be no name at all."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def gunzipped(packed: bytes, budget: Budget) -> bytes:
    """All members of a gzip file; raises `FileTooCostly`, or `ValueError` where it is damaged."""
    parts: list[bytes] = []
    while packed:
        unpack = zlib.decompressobj(wbits=31)
        packed = _member(unpack, packed, parts, budget)
    return b"".join(parts)


def _member(unpack: Any, packed: bytes, parts: list[bytes], budget: Budget) -> bytes:
    """One member; what is behind it is returned."""
    try:
        while not unpack.eof:
            piece = unpack.decompress(packed, _PIECE)
            packed = unpack.unconsumed_tail
            if not piece and not unpack.eof and not packed:
                raise ValueError("it is truncated: its compressed data has no end")
            budget.charge(UNPACKED, len(piece))
            parts.append(piece)
    except zlib.error as error:
        raise ValueError(f"its compressed data is damaged ({error})") from None
    rest: bytes = unpack.unused_data
    return rest.lstrip(b"\0")  # padding, as gzip itself allows it


# JSON -----------------------------------------------------------------------------------------------------------------


def parsed(text: bytes, budget: Budget, **hooks: Any) -> Any:
    """JSON as Python has it, without NaN and numbers of more digits than a tensor's size has.

    Raises `FileTooCostly`, or `ValueError` where it is no such JSON.
    """
    budget.charge(LISTS, text.count(b"[") + text.count(b"{"))
    if re.search(rb"\d{20}", text):  # else there can be no such number, and no time is lost
        hooks["parse_int"] = _whole
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_no_number, **hooks)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise ValueError(f"it has a number of {len(text):,} digits")
    return int(text)


def _no_number(text: str) -> float:
    raise ValueError(f"it has {text} where JSON has a number")


def quoted(name: object) -> str:
    """A name out of a file, short enough for a sentence of one line; of what is no name, what it is instead."""
    if not isinstance(name, (str, int, float)):
        return f"a {type(name).__name__}"
    return repr(name if isinstance(name, str) and len(name) <= 80 else f"{str(name)[:76]}…"[:77])
