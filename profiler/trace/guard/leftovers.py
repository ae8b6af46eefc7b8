"""Tensors of a run that are still alive after it: somebody keeps them, and should not.

A model may keep a tensor where no list of places would look: in a dict of its file, an object, a closure, a cache of
functools. So they are found from the other end. Whatever was made since the run began is young to Python's garbage
collector, which is off during a run; among that, the run's tensors are known by the recorder. Where one outlives the
run and its output, the collector says what refers to it, up to something that was there before the run, and from that
it is taken: what was noted to be there before (`Program`) comes back. A run that leaves nothing pays for one look at
what is young.
"""

from __future__ import annotations

import functools
import gc
import types
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from profiler.trace.guard.classes import Program
from profiler.trace.guard.contents import restore_list
from profiler.trace.guard.failures import Failures
from profiler.trace.guard.walk import EMPTY, has_dict, look, slots

Ids: TypeAlias = "set[int]"

_FARTHEST = 12  # references from a tensor to what was there before
_FRAMES = (types.FrameType, types.TracebackType, types.GeneratorType, types.CoroutineType)
_UNCHANGING = (tuple, frozenset, types.MethodType, functools.partial, types.MappingProxyType)
_Cache: Any = type(functools.lru_cache(lambda: None))
_MISSING = object()


class Leftovers:
    """Made before a run; `clear` after it, when the run's output is gone."""

    def __init__(self) -> None:
        if gc.isenabled():
            gc.collect(0)  # what is young from here on was made by the run
        self._earlier = set(map(id, gc.get_objects(0)))

    def clear(self, is_ours: Callable[[Tensor], bool], program: Program, failures: Failures) -> None:
        """Take the run's tensors from whoever keeps them.

        is_ours: whether a tensor was made by the run; other threads make tensors too.
        """
        young = gc.get_objects(0)
        kept = [weakref.ref(o) for o in young if isinstance(o, Tensor) and is_ours(o)]
        if not kept:
            return
        new = set(map(id, young)) - self._earlier
        del young
        gc.collect(0)  # most are held by circles that nobody else holds
        tensors = [tensor for tensor in (reference() for reference in kept) if tensor is not None]
        if tensors:
            _Clearing(new, program, failures).clear(tensors)


class _Clearing:
    def __init__(self, new: Ids, program: Program, failures: Failures) -> None:
        self._new = new
        self._program = program
        self._failures = failures
        self._seen: Ids = set()

    def clear(self, tensors: list[Tensor]) -> None:
        level: list[Any] = tensors
        self._seen.update(map(id, tensors))
        for _ in range(_FARTHEST):
            holders = [h for h in gc.get_referrers(*level) if h is not level and not isinstance(h, _FRAMES)]
            above = []
            for holder in holders:
                if id(holder) in self._seen or holder is self.__dict__:
                    continue
                self._seen.add(id(holder))
                if id(holder) in self._new or isinstance(holder, _UNCHANGING):
                    above.append(holder)
                else:
                    self._failures.attempt(f"what a {type(holder).__name__} holds", self._take, holder, level)
            if not above:
                return
            del holders
            level = above

    def _take(self, holder: Any, level: Sequence[Any]) -> None:
        """Take from what was there before the run whatever of the run it holds."""
        ours = set(map(id, level))
        if isinstance(holder, _Cache):
            holder.cache_clear()
        elif isinstance(holder, dict):
            self._take_from_dict(holder, ours)
        elif isinstance(holder, (list, deque)):
            before = self._program.before(holder)
            restore_list(holder, [h for h in holder if id(h) not in ours] if before is None else before)
        elif isinstance(holder, set):
            before = self._program.before(holder)
            holder.difference_update([h for h in holder if id(h) in ours])
            holder.update(before or ())
        elif isinstance(holder, types.CellType):
            holder.cell_contents = self._program.before(holder)
        else:
            _take_from_object(holder, ours, self._program)

    def _take_from_dict(self, holder: dict[Any, Any], ours: Ids) -> None:
        """The dict may be a class's, which wants to be told, or a cache's, which wants to be emptied."""
        for owner in gc.get_referrers(holder):
            if isinstance(owner, _Cache):
                owner.cache_clear()
                return
            if isinstance(owner, type):
                _take_from_class(owner, ours)
                return
        before = self._program.before(holder) or {}
        for key in [k for k, value in dict.items(holder) if id(value) in ours or id(k) in ours]:
            if key in before:
                holder[key] = before[key]
            else:
                del holder[key]


def _take_from_class(cls: type, ours: Ids) -> None:
    for name in [name for name, value in vars(cls).items() if id(value) in ours]:
        inherited = any(name in vars(ancestor) for ancestor in cls.__mro__[1:])
        if inherited:
            type.__delattr__(cls, name)
        else:
            type.__setattr__(cls, name, None)


def _take_from_object(holder: Any, ours: Ids, program: Program) -> None:
    """An attribute whose value before is not known is deleted where its class has a default, and is None elsewhere."""
    before = program.before(vars(holder)) if has_dict(type(holder)) else None
    if has_dict(type(holder)):
        own = vars(holder)
        for name in [name for name, value in own.items() if id(value) in ours]:
            _put(own, name, (before or {}).get(name, _MISSING), hasattr(type(holder), name) or before is not None)
    in_slots = program.before(holder) or {}
    for name in slots(type(holder)):
        if id(look(holder, name)) in ours:
            value = in_slots.get(name)
            if value is EMPTY:
                object.__delattr__(holder, name)
            else:
                object.__setattr__(holder, name, value)


def _put(own: dict[str, Any], name: str, value: Any, is_deleted: bool) -> None:
    if value is not _MISSING:
        own[name] = value
    elif is_deleted:
        del own[name]
    else:
        own[name] = None
