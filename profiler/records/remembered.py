"""For how long is something remembered between calls? As long as it is used, or as something else lives.

A process may profile models for days: what it remembers of them has to end somewhere, and must not keep them alive. All
three are plain dictionaries to whoever looks something up, and take no longer than those.
"""

from __future__ import annotations

import weakref
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V]):
    """A dictionary of bounded size, which loses what was not asked for in a while.

    There are two generations. What is new, or was found by `recent.find(key)`, is in the newer one, which is this
    dictionary itself: whoever uses something often finds it there by `recent.get(key)`. When the newer one has half of
    the most entries it becomes the older one, and what the older one has by then is lost.
    """

    __slots__ = ("_older", "most")

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self._older: dict[K, V] = {}

    def find(self, key: K) -> V | None:
        """What was remembered in either generation."""
        value = self.get(key)
        if value is None:
            value = self._older.pop(key, None)
            if value is not None:
                self[key] = value
        return value

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.most // 2 and key not in self:
            self._older = dict(self)
            super().clear()
        super().__setitem__(key, value)

    def clear(self) -> None:
        """Forget both generations."""
        super().clear()
        self._older.clear()

    @property
    def size(self) -> int:
        """How many entries there are in both generations."""
        return len(self) + len(self._older)


class Shared(dict[K, "weakref.ref[V]"]):
    """The one object for each key, for as long as somebody else holds it; `shared.get(key)` is a reference to it."""

    __slots__ = ()

    def find(self, key: K) -> V | None:
        reference = self.get(key)
        return None if reference is None else reference()

    def add(self, key: K, value: V) -> V:
        """Share an object, which no key may hold."""

        def forget(reference: weakref.ref[V]) -> None:
            if self.get(key) is reference:
                self.pop(key, None)

        self[key] = weakref.ref(value, forget)
        return value


class ByClass(dict[int, V]):
    """What is known of classes by their ids, for as long as each of them lives. No value may hold its class."""

    __slots__ = ("_classes",)

    def __init__(self) -> None:
        super().__init__()
        self._classes: dict[int, weakref.ref[type]] = {}

    def add(self, cls: type, value: V) -> V:
        """Remember what is known of a class."""
        key = id(cls)

        def forget(_: Any) -> None:
            self.pop(key, None)
            self._classes.pop(key, None)

        self[key] = value
        self._classes[key] = weakref.ref(cls, forget)
        return value
