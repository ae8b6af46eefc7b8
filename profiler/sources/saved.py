"""How is a saved trace loaded, `FILE.json` or `FILE.json.gz`? Without torch."""

from __future__ import annotations

from pathlib import Path

from profiler import errors
from profiler.records import archive
from profiler.records.spec import Feed, Spec
from profiler.records.trace import Trace


def load(spec: Spec, feed: Feed) -> Trace:
    path = Path(spec.text)
    if feed.is_given or feed.batch is not None:
        raise errors.saved_is_fixed(spec.text)
    return archive.load(path)
