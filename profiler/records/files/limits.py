"""What may reading a file cost? In proportion to its size, and a constant: no more, whatever it says of itself.

A reader makes one `Budget` for the file and charges it for what costs memory or time: bytes that are unpacked, values
that are made, steps that are done. A charge beyond a limit raises `FileTooCostly`. The limits are far above what real
files need: docs/limits.md has the table, with the largest real file of each kind beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from profiler.errors import ProfileError

MB = 1 << 20
LARGEST_INTEGER = 1 << 62  # of bytes or elements: no tensor has more, and no file needs a larger number


@dataclass(frozen=True, slots=True, eq=False)
class FileLimit:
    """So many of something: a constant, and some for each byte of the file."""

    what: str
    constant: int
    per_byte: float

    def of(self, size_bytes: int) -> int:
        return self.constant + int(self.per_byte * size_bytes)


UNPACKED = FileLimit("bytes that it unpacks to", 64 * MB, 40)
LISTS = FileLimit("lists and objects in its JSON", 1_000_000, 5)
VALUES = FileLimit("values that its pickle makes", 500_000, 1 / 3)
OPCODES = FileLimit("steps of its pickle", 1_000_000, 3 / 4)
TENSOR_BYTES = FileLimit("bytes of its constants and weights", 64 * MB, 2)
MODULES = FileLimit("modules", 100_000, 1 / 32)
NODES = FileLimit("nodes that its functions and loops become", 100_000, 1 / 32)
COMPUTED = FileLimit("numbers computed from its constants", 1_000_000, 1)
MULTIPLICATIONS = FileLimit("multiplications on real tensors", 1 << 40, 0)
REAL_BYTES = FileLimit("bytes of real tensors", 4096 * MB, 8)
ALL = (
    UNPACKED, LISTS, VALUES, OPCODES, TENSOR_BYTES, MODULES, NODES, COMPUTED, MULTIPLICATIONS, REAL_BYTES,
)  # fmt: skip


class FileTooCostly(ProfileError):
    """A file asks for more time or memory than one of its size may."""

    def __init__(self, path: str, limit: FileLimit, size_bytes: int) -> None:
        super().__init__(
            f"{path} is refused: more than {limit.of(size_bytes):,} {limit.what}, and a file of {size_bytes:,} bytes "
            "may have no more (docs/limits.md); see where it is from, or write it again"
        )


class Budget:
    """What is left for one file of this size."""

    __slots__ = ("_left", "path", "size_bytes")

    def __init__(self, path: str, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._left = {limit: limit.of(size_bytes) for limit in ALL}

    def charge(self, limit: FileLimit, amount: int = 1) -> None:
        """Raises `FileTooCostly` where that is more than is left."""
        left = self._left[limit] = self._left[limit] - amount
        if left < 0:
            raise FileTooCostly(self.path, limit, self.size_bytes)

    def left(self, limit: FileLimit) -> int:
        return self._left[limit]
