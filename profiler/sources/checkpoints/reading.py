"""How are a file's headers read? No read is larger than the file, whatever the file says about itself."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, overload

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import reading as files

_LONGEST_PATH = 1024  # characters of a shard's name
LONGEST = 1 << 27  # bytes of headers: 128 MB, which are more than any file is known to have


class Bytes(Protocol):
    """A file's bytes: in memory, memory-mapped, or on the hub and fetched when they are read."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, at: int, /) -> int: ...

    @overload
    def __getitem__(self, at: slice, /) -> bytes: ...

    def find(self, text: bytes, first: int, end: int, /) -> int: ...


class Reader:
    """Reads bytes one after another, and none beyond the `longest` that headers may be."""

    def __init__(self, data: Bytes, position: int = 0, longest: int = LONGEST) -> None:
        self.data = data
        self.position = position
        self.limit = min(position + longest, len(data))

    @property
    def left(self) -> int:
        return self.limit - self.position

    def take(self, count: int, what: str) -> bytes:
        """The next bytes; raises `Malformed` where there are fewer."""
        start = self.position
        self.skip(count, what)
        return self.data[start : self.position]

    def byte(self, what: str) -> int:
        """The next byte."""
        position = self.position
        if position >= self.limit:
            raise Malformed(f"it is truncated in its {what}")
        self.position = position + 1
        return self.data[position]

    def skip(self, count: int, what: str) -> None:
        if count > self.left and self.limit < len(self.data):
            raise Malformed(f"its {what} goes on for {count:,} bytes behind the {self.limit:,} that are read at most")
        if count > self.left:
            raise Malformed(f"it is truncated in its {what}: that takes {count:,} bytes, and {self.left:,} are left")
        self.position += count

    def line(self, what: str) -> bytes:
        """The bytes up to the end of the line; the position is behind the line break afterwards."""
        end = self.data.find(b"\n", self.position, self.limit)
        if end < 0:
            raise Malformed(f"it is truncated in its {what}")
        taken = self.data[self.position : end]
        self.position = end + 1
        return taken


@contextmanager
def opened(path: str) -> Iterator[Bytes]:
    """A file's bytes, memory-mapped. Every fault of the file, also one found inside the block, is a `ProfileError`."""
    try:
        with files.opened(path) as file, _mapped(file.fileno()) as data:
            yield data
    except (FileNotFoundError, IsADirectoryError):
        raise errors.no_such_file(path) from None
    except OSError as error:
        raise errors.UnreadableCheckpoint(path, error.strerror or errors.first_line(error)) from None
    except Malformed as error:
        raise errors.UnreadableCheckpoint(path, str(error)) from None


def _mapped(file: int) -> mmap.mmap:
    if os.fstat(file).st_size == 0:
        raise Malformed("it is empty")
    return mmap.mmap(file, 0, access=mmap.ACCESS_READ)


def shard(index: str, name: object) -> str:
    """The path of a file that an index names beside itself; nothing else on the disk is opened for it."""
    if not isinstance(name, str) or not name or "\0" in name or len(name) > _LONGEST_PATH:
        raise Malformed(f"it names a shard by something that is no file name, {files.quoted(name)}")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise Malformed(f"it names a shard outside of its own folder, {files.quoted(name)}")
    return inside(index, str(Path(index).parent / name))


def inside(index: str, path: str) -> str:
    """The path of a shard, which a symbolic link may not lead out of the folder of its index.

    In the cache of huggingface_hub every file is a link, from `snapshots/REVISION` to `blobs` beside `snapshots`.
    """
    folder = Path(index).parent
    allowed = [os.path.realpath(folder)]
    if "snapshots" in folder.absolute().parts:
        above = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.name == "snapshots")
        allowed.append(os.path.realpath(above.with_name("blobs")))
    real = os.path.realpath(path)
    if not any(real.startswith(os.path.join(place, "")) for place in allowed):
        raise Malformed(
            f"its shard {files.quoted(Path(path).name)} is a link out of its folder, and is not opened; put the file "
            "itself there, or name it alone"
        )
    return path
