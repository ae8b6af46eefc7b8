"""What is in the file of a kept trace? A digest of the rest, what the run read, and the trace as it is saved."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from profiler.records import archive
from profiler.records.trace import Trace
from profiler.sources.trace_cache import digests
from profiler.sources.trace_cache.reading import Reads

_KIND = b"profile-model kept trace 1\n"
_LENGTH = 4  # bytes that say how long what was read is
_FAST = 1  # of zlib's levels: a fifth larger than the usual one, in a third of the time


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, of which the trace is unpacked when it is asked for.

    recorded: when, in seconds since 1970. model: its spec.
    """

    recorded: float
    model: str
    reads: Reads
    body: bytes

    def trace(self) -> Trace:
        return archive.from_json(json.loads(zlib.decompress(self.body)))


def packed(trace: Trace, reads: Reads, recorded: float) -> bytes | None:
    """None where the trace has a value that JSON has not."""
    try:
        body = zlib.compress(_json(archive.to_json(trace)), _FAST)
    except (TypeError, ValueError):
        return None
    head = zlib.compress(_json({"recorded": recorded, "model": trace.model, "reads": asdict(reads)}), _FAST)
    rest = len(head).to_bytes(_LENGTH, "big") + head + body
    return _KIND + digests.of_bytes(rest) + rest


def unpacked(content: bytes) -> Entry | None:
    """None where it is no such file, or a damaged one."""
    start = len(_KIND) + digests.SIZE
    rest = content[start:]
    if content[:start] != _KIND + digests.of_bytes(rest):
        return None
    end = _LENGTH + int.from_bytes(rest[:_LENGTH], "big")
    head: Mapping[str, Any] = json.loads(zlib.decompress(rest[_LENGTH:end]))
    return Entry(head["recorded"], head["model"], Reads(**head["reads"]), rest[end:])


def _json(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
