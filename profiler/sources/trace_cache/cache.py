"""How does a second run become a look-up? A kept trace is taken where nothing that its run read has changed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from profiler.records.trace import Trace
from profiler.sources.trace_cache import folder as folders
from profiler.sources.trace_cache.entry import packed
from profiler.sources.trace_cache.key import Key
from profiler.sources.trace_cache.watching import Watch, watching

_BUILT = ("torchvision", "timm", "hf", "python")  # sources of what is run; whatever else it was is read each time


@dataclass(slots=True)
class TraceCache:
    """Where traces are kept, and what came of it.

    used: when each trace that was there was recorded. ran: how many were not there.
    """

    folder: str
    used: list[float] = field(default_factory=list)
    ran: int = 0

    def has(self, key: Key) -> bool:
        """Whether there is a file, whatever is in it."""
        return os.path.exists(folders.path_of(self.folder, key.digest))

    def note(self, recorded: float | None) -> None:
        """Of a trace that another process was asked for: when it was recorded; None where the model was run."""
        if recorded is None:
            self.ran += 1
        else:
            self.used.append(recorded)

    def traced(self, key: Key, run: Callable[[], Trace], registered: Callable[[], object]) -> Trace:
        """The trace that was kept, or that of a run. registered: what own code may have changed of how we count.

        What ran behind code of another origin is not kept.
        """
        kept = self._kept(key.digest)
        if kept is not None:
            return kept
        before, numbers = registered(), _random_numbers()
        with watching(key.origin) as watch:
            is_alone = watch.origins <= {key.origin}
            trace = run()
        self.note(None)
        if is_alone and registered() == before and numbers == _random_numbers():
            self._keep(key.digest, trace, watch)
        return trace

    def _kept(self, key: str) -> Trace | None:
        path = folders.path_of(self.folder, key)
        entry = folders.read(path)
        if entry is None or not entry.reads.still_hold():
            return None
        try:
            trace = entry.trace()
        except Exception:  # somebody wrote it who is not us
            return None
        folders.touch(path)
        self.note(entry.recorded)
        return trace

    def _keep(self, key: str, trace: Trace, watch: Watch) -> None:
        if watch.reaches_out or trace.source not in _BUILT:
            return
        folders.make(self.folder)  # now: what an import could find beside it is part of what was read
        reads = watch.reads()
        content = None if reads is None else packed(trace, reads, time.time())
        if content is not None:
            folders.put(self.folder, key, content)


def _random_numbers() -> tuple[object, ...]:
    """What tells whether numbers were drawn that are others in each process."""
    import random  # by now torch has to be imported, beside which this is nothing

    engine = sys.modules.get("profiler.engine.guard.randomness")
    return random.getstate(), 0 if engine is None else engine.draws()


def here() -> TraceCache | None:
    """The cache of this user; None where there is to be none."""
    place = folders.place()
    return None if place is None else TraceCache(place)
