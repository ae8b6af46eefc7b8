"""What is known of a run before it? The spec, what the model is fed, the conditions, and where it takes place."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from profiler import errors
from profiler.records.conditions import Conditions
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed, parse
from profiler.sources.trace_cache import digests, environment
from profiler.sources.zoos import ZOOS

_PLAIN = (TensorSpec, str, int, float, complex, bool, type(None))


class Key(NamedTuple):
    """digest: of all that is known before the run. origin: the file, package or folder that the model is of."""

    digest: str
    origin: str


def key(model: str, feed: Feed, under: Conditions, or_held: bool) -> Key | None:
    """model: a spec of what is built. None: such a run is not kept, since its result may be another one each time."""
    if not _is_plain((feed.args, dict(feed.kwargs))):
        return None
    try:
        spec = parse(model)
        where = "" if spec.prefix in (None, *ZOOS) else os.getcwd()
    except (errors.BadSpec, OSError):
        return None
    origin = f"{spec.prefix}:{spec.target}" if spec.prefix == "hf" else spec.prefix or ""
    return Key(digests.of_text(repr((model, where, feed, under, or_held, environment.digest()))), origin)


def _is_plain(value: Any) -> bool:
    """Whether it is nothing but shapes, numbers and words: a tensor's values are no part of a key."""
    if type(value) in (tuple, list):
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(name) is str for name in value) and all(map(_is_plain, value.values()))
    return type(value) in _PLAIN
