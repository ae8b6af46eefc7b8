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
import sys
import traceback
import types
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from profiler.trace.builtin import entries, items, kind_of, put
from profiler.trace.guard.classes import Program
from profiler.trace.guard.contents import restore_list
from profiler.trace.guard.failures import Failures, uninterrupted
from profiler.trace.guard.walk import EMPTY, has_dict, look, slots

Ids: TypeAlias = "set[int]"

_FARTHEST = 12  # references from a tensor to what was there before
_FRAMES = (types.FrameType, types.TracebackType, types.GeneratorType, types.CoroutineType)
_PASSING = (*_FRAMES, BaseException)  # gone when the exception is that they belong to
_UNCHANGING = (tuple, frozenset, types.MethodType, functools.partial, types.MappingProxyType)
_Cache: Any = type(functools.lru_cache(lambda: None))
_MISSING = object()


class Attempt(Protocol):
    """What is run. `clearing` are, once it has begun, what was noted before and what is the run's own."""

    clearing: tuple[Program, Callable[[Tensor], bool]] | None

    def made(self) -> Any:
        """Run it; whatever outlives what this returns is cleared away."""


def cleared(begin: Callable[[], Attempt]) -> Any:
    """What an attempt makes; none of its tensors stays, also where it fails."""
    leftovers, failures = Leftovers(), Failures()
    attempt = begin()
    try:
        return attempt.made()
    except BaseException as error:
        _forget_frames(error)
        raise
    finally:
        clearing = attempt.clearing
        del attempt
        if clearing is not None:
            with uninterrupted():
                failures.attempt("tensors of the run", leftovers.clear, *clearing, failures)
            failures.tell()


def _forget_frames(error: BaseException | None) -> None:
    """What an exception leads to, through the frames it came by, would live as long as the exception."""
    seen: Ids = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class Leftovers:
    """Made before a run; `clear` after it."""

    def __init__(self) -> None:
        gc.collect(0)  # nothing is young then: no ids of what may be freed meanwhile have to be remembered

    def clear(self, program: Program, is_ours: Callable[[Tensor], bool], failures: Failures) -> None:
        """Take the run's tensors from whoever keeps them.

        is_ours: whether a tensor was made by the run; other threads make tensors too.
        """
        young = gc.get_objects(0)
        kinds = {kind for kind in set(map(type, young)) if issubclass(kind, Tensor)}
        kept = [weakref.ref(o) for o in young if type(o) in kinds and is_ours(o)]
        if not kept:
            return
        new = set(map(id, young))
        if not _is_held(young, [id(reference()) for reference in kept]):
            return
        del young
        gc.collect(0)
        tensors = [tensor for tensor in (reference() for reference in kept) if tensor is not None]
        if tensors:
            take(tensors, new, program, failures)


def _is_held(young: list[Any], tensors: list[int]) -> bool:
    """Whether something that is not young holds any of these, be it through others; frames of a traceback do not count.

    As the collector itself finds out: what is young explains some of the references to a thing, and where there are
    more, they come from outside. Asking who it is (`gc.get_referrers`) looks at all that is alive, which is slow.
    """
    numbers = {id(thing): number for number, thing in enumerate(young)}
    holders: dict[int, list[int]] = {}
    for thing in young:
        for held in gc.get_referents(thing):
            if id(held) in numbers:
                holders.setdefault(id(held), []).append(id(thing))
    waiting, seen = list(tensors), set(tensors)
    while waiting:
        thing = young[numbers[waiting[-1]]]
        known = holders.get(waiting.pop(), [])
        if isinstance(thing, _PASSING):
            continue
        if sys.getrefcount(thing) > len(known) + _OURS:
            return True
        waiting += [holder for holder in known if holder not in seen]
        seen.update(known)
    return False


_OURS = 3  # references to a young thing: the list of them, a variable, and the argument of `getrefcount`


def take(tensors: list[Tensor], new: Ids, program: Program, failures: Failures) -> None:
    """Take tensors from whatever was there before and holds them; `new` are the ids of what was not."""
    _Clearing(new, program, failures).clear(tensors)


class _Clearing:
    """From the run's tensors up to what was there before, through what is new: that is ours as well."""

    def __init__(self, new: Ids, program: Program, failures: Failures) -> None:
        self._new = new
        self._program = program
        self._failures = failures
        self._ours: Ids = set()
        self._others: Ids = set()  # what looks new, and was there before

    def clear(self, tensors: list[Tensor]) -> None:
        level: list[Any] = tensors
        for _ in range(_FARTHEST):
            self._ours.update(map(id, level))
            holders = [h for h in gc.get_referrers(*level) if h is not level and not isinstance(h, _FRAMES)]
            above = [h for h in holders if self._is_new(h)]
            for holder in holders:
                if not self._is_new(holder) and id(holder) not in self._ours:
                    self._failures.attempt(f"what a {type(holder).__name__} holds", self._take, holder)
            if not above:
                return
            del holders
            level = above

    def _is_new(self, holder: Any) -> bool:
        is_new = id(holder) in self._new or isinstance(holder, _UNCHANGING)
        return is_new and id(holder) not in self._ours | self._others and not self._program.knows(holder)

    def _take(self, holder: Any) -> None:
        """Take from what was there before the run whatever of the run it holds."""
        for inner in gc.get_referents(holder):
            if type(inner) is dict and id(inner) in self._ours and self._was_there(inner, holder):
                self._ours.discard(id(inner))
                self._others.add(id(inner))
                self._take(inner)
        if isinstance(holder, _Cache):
            holder.cache_clear()
        elif isinstance(holder, dict):
            self._take_from_dict(holder, self._ours)
        elif isinstance(holder, (list, deque)):
            before = self._program.before(holder)
            restore_list(holder, [h for h in items(holder) if id(h) not in self._ours] if before is None else before)
        elif isinstance(holder, set):
            set.difference_update(holder, [h for h in items(holder) if id(h) in self._ours])
            set.update(holder, self._program.before(holder) or ())
        elif isinstance(holder, types.CellType):
            if id(holder.cell_contents) in self._ours:
                holder.cell_contents = self._program.before(holder)
        else:
            _take_from_object(holder, self._ours, self._program)

    def _was_there(self, inner: dict[Any, Any], holder: Any) -> bool:
        """Whether a dict that looks new is old: the collector does not know of a dict before it holds containers.

        What holds it may have been noted. Where not, a variable or an attribute is likely to have had it all along,
        and a collection to have been given it.
        """
        if self._program.knows(holder):
            before = self._program.before(holder)
            held = before.values() if isinstance(before, dict) else before if isinstance(before, list) else (before,)
            return any(value is inner for value in held)
        return _is_namespace(holder) or not isinstance(holder, (dict, list, deque, set))

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
        for key in [k for k, value in entries(holder) if id(value) in ours or id(k) in ours]:
            if key in before:
                put(holder, key, before[key])
            elif _is_namespace(holder) and not before:  # a variable that code declares global is likely to be there
                put(holder, key, None)
            else:
                kind_of(type(holder)).__delitem__(holder, key)


def _is_namespace(holder: Any) -> bool:
    """Whether a dict holds the variables of a file."""
    return type(holder) is dict and "__builtins__" in holder and "__name__" in holder


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
