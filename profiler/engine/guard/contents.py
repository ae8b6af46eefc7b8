"""Has a dict, list, set or queue changed, and how is it restored? Items are compared by identity, never by `==`."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from contextlib import suppress
from operator import is_
from queue import Empty, SimpleQueue
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
    """One whose keys are the same is at no time empty: another thread may read what is an object's `__dict__`."""
    if type(live) is dict:
        if not same_dict(live, saved):
            if not same(live, saved):
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


def queued(live: SimpleQueue[Any]) -> list[Any]:
    """What is in a queue that is only read by taking: each item goes back behind the others, so the order stays."""
    found: list[Any] = []
    with suppress(Empty):  # another thread took the last
        for _ in range(SimpleQueue.qsize(live)):
            found.append(SimpleQueue.get_nowait(live))
            SimpleQueue.put(live, found[-1])
    return found


def restore_queue(live: SimpleQueue[Any], saved: list[Any]) -> None:
    if not same(queued(live), saved):
        with suppress(Empty):
            while True:
                SimpleQueue.get_nowait(live)
        for item in saved:
            SimpleQueue.put(live, item)


def copied_values(live: Any) -> Any:
    """The numbers in a bytearray or an `array.array`, in one that is like it."""
    return _values_kind(live).__getitem__(live, slice(None))


def restore_values(live: Any, saved: Any) -> None:
    """In place: somebody may look at the same memory."""
    _values_kind(live).__setitem__(live, slice(None), saved)


def _values_kind(live: Any) -> Any:
    return bytearray if isinstance(live, bytearray) else array
