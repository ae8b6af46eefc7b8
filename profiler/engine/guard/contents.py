"""Has a dict, list or set changed, and how is it restored? Items are compared by identity, never by `==`."""

from __future__ import annotations

from collections.abc import Collection
from operator import is_
from typing import Any

from profiler.engine.containers.builtin import entries, items, kind_of, put


def same(live: Collection[Any], saved: Collection[Any]) -> bool:
    """Whether two collections have the same objects in the same order."""
    return len(live) == len(saved) and all(map(is_, live, saved))


def same_dict(live: dict[Any, Any], saved: dict[Any, Any]) -> bool:
    return len(live) == len(saved) and all(map(is_, live.values(), saved.values())) and all(map(is_, live, saved))


def copied(live: dict[Any, Any]) -> dict[Any, Any]:
    """What is in a dict, in order, whatever methods a class of the model's own has."""
    return live.copy() if type(live) is dict else dict(entries(live))


def restore_dict(live: dict[Any, Any], saved: dict[Any, Any]) -> None:
    if type(live) is dict:
        if not same_dict(live, saved):
            live.clear()
            live.update(saved)
    elif not same_dict(copied(live), saved):
        kind_of(type(live)).clear(live)
        for key, value in saved.items():
            put(live, key, value)


def restore_list(live: Any, saved: list[Any]) -> None:
    """A list or deque."""
    if not same(items(live), saved):
        kind = kind_of(type(live))
        kind.clear(live)
        kind.extend(live, saved)


def restore_set(live: set[Any], saved: list[Any]) -> None:
    if not same(items(live), saved):
        set.clear(live)
        set.update(live, saved)
