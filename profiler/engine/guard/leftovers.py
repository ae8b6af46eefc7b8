"""Which tensors of a run are still referenced after it, and how are those references removed?

A model may keep a tensor where no list of places would look: in a dict of its file, an object, a closure, a cache of
functools. So they are found from the other end. Whatever was made since the run began is young to Python's garbage
collector, which is off during a run; among that, the run's tensors are known by the recorder. Where one outlives the
run and its output, the collector says what refers to it, up to something that was there before the run, and from that
it is taken: what was noted to be there before (`SurroundingState`) comes back. A run that leaves nothing pays for one
look at what is young.
"""

from __future__ import annotations

import functools
import gc
import sys
import traceback
import types
import weakref
from collections import Counter, deque
from collections.abc import Callable
from contextvars import copy_context
from itertools import compress
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from profiler.engine.containers.builtin import entries, items, kind_of, put
from profiler.engine.guard.classes import CACHE, SurroundingState
from profiler.engine.guard.contents import queued, restore_list, restore_queue
from profiler.engine.guard.failures import Failures, uninterrupted
from profiler.engine.guard.walk import EMPTY, has_dict, look, slots

Ids: TypeAlias = "set[int]"

_FARTHEST = 12  # references from a tensor to what was there before
_FRAMES = (types.FrameType, types.TracebackType, types.GeneratorType, types.CoroutineType)
_PASSING = (*_FRAMES, BaseException)  # gone when the exception is that they belong to
_UNCHANGING = (tuple, frozenset, types.MethodType, functools.partial, types.MappingProxyType)
_MISSING = object()


class ClearableRun(Protocol):
    """What is run. `clearing` are, once it has begun, what was noted before and what is the run's own."""

    clearing: tuple[SurroundingState, Callable[[Tensor], bool]] | None

    def result(self) -> Any:
        """Run it; whatever outlives what this returns is cleared away."""


def cleared(begin: Callable[[], ClearableRun]) -> Any:
    """What an attempt makes; none of its tensors stays, also where it fails.

    It runs in a context of its own, since a context variable that was not set before cannot be unset afterwards.
    """
    leftovers, failures = Leftovers(), Failures()
    attempt = begin()
    try:
        leftovers.result = copy_context().run(attempt.result)
        return leftovers.result
    except BaseException as error:
        forget_frames(error)
        raise
    finally:
        clearing = attempt.clearing
        del attempt
        if clearing is not None:
            with uninterrupted():
                failures.attempt("tensors of the run", leftovers.clear, *clearing, failures)
            failures.tell()


def forget_frames(error: BaseException | None) -> None:
    """What an exception leads to, through the frames it came by, would live as long as the exception."""
    waiting, visited = [error], set[int]()
    while waiting:
        exception = waiting.pop()
        if exception is not None and id(exception) not in visited:
            visited.add(id(exception))
            traceback.clear_frames(exception.__traceback__)
            waiting += [exception.__cause__, exception.__context__]


class Leftovers:
    """Made before a run; `clear` after it.

    What is young by then is what the run made, since what was young before is made to be old. (Its ids would not tell
    it apart: what the run makes may get the id of what was released meanwhile.)
    """

    def __init__(self) -> None:
        self.result: Any = None  # what the run is for, whoever holds it
        gc.collect(0)

    def clear(self, program: SurroundingState, is_ours: Callable[[Tensor], bool], failures: Failures) -> None:
        """Take the run's tensors from whoever keeps them.

        is_ours: whether a tensor was made by the run; other threads make tensors too.
        """
        young = gc.get_objects(0)
        kinds = {kind for kind in set(map(type, young)) if issubclass(kind, Tensor)}
        references = [weakref.ref(o) for o in young if type(o) in kinds and is_ours(o)]
        if not references:
            return
        if not _Young(young).have_old_holders([id(reference()) for reference in references], self.result):
            return
        new = set(map(id, young))
        del young
        gc.collect(0)
        tensors = [tensor for tensor in (reference() for reference in references) if tensor is not None]
        if tensors:
            take(tensors, new, program, failures)


class _Young:
    """Who holds whom among things that are young.

    As the collector itself finds out: what is young explains some of the references to a thing, and where there are
    more, they come from outside. Asking who it is (`gc.get_referrers`) looks at all that is alive, which is slow.
    """

    def __init__(self, things: list[Any]) -> None:
        self._things = things
        self._numbers = numbers = {id(thing): number for number, thing in enumerate(things)}
        self._holders: dict[int, list[int]] = {}  # by ids; a holder that holds a thing twice is there twice
        for thing in things:
            for content in gc.get_referents(thing):
                if id(content) in numbers:
                    self._holders.setdefault(id(content), []).append(id(thing))

    def has(self, thing: Any) -> bool:
        return id(thing) in self._numbers

    def holders(self, thing: Any) -> list[Any]:
        """Of a thing, young or not, those that are young."""
        return [self._things[self._numbers[key]] for key in self._holders.get(id(thing), ())]

    def is_exposed(self, thing: Any, others: int) -> bool:
        """Whether somebody may hold a thing who is not young. others: its references that are known to be ours."""
        counted = len(self._holders.get(id(thing), ())) + (id(thing) in self._numbers) + others
        return sys.getrefcount(thing) > counted + _OWN

    def have_old_holders(self, ids: list[int], result: Any) -> bool:
        """Whether something that is not young holds any of these, be it through others.

        Those are not exceptions, which pass, and not the result of the run.
        """
        waiting, visited = list(ids), set(ids)
        while waiting:
            key = waiting.pop()
            thing = self._things[self._numbers[key]]
            if isinstance(thing, _PASSING) or thing is result:
                continue
            if self.is_exposed(thing, 1):
                return True
            above = [holder for holder in self._holders.get(key, ()) if holder not in visited]
            waiting += above
            visited.update(above)
        return False


_OWN = 2  # references to a thing while it is asked about: the argument of `is_exposed`, and that of `getrefcount`


def take(tensors: list[Tensor], new: Ids, program: SurroundingState, failures: Failures) -> None:
    """Take tensors from whatever was there before and holds them; `new` are the ids of what was not."""
    _Clearing(new - {id(tensors)}, program, failures).clear(tensors)


class _Clearing:
    """From the run's tensors up to what was there before, through what is new: that is ours as well."""

    def __init__(self, new: Ids, program: SurroundingState, failures: Failures) -> None:
        self._new = new
        self._program = program
        self._failures = failures
        things = gc.get_objects(0) + gc.get_objects(1)  # a list display would find itself in it, and stay
        self._young = _Young(list(compress(things, map(new.__contains__, map(id, things)))))
        self._ours: Ids = set()
        self._others: Ids = set()  # what looks new, and was there before
        # Of dicts, by id: the class or the cache that one belongs to.
        self._owners = {id(namespace): owner for namespace, owner in program.holders() if owner is not None}

    def clear(self, tensors: list[Tensor]) -> None:
        level: list[Any] = tensors
        for _ in range(_FARTHEST):
            level = self._take_level(level)
            if not level:
                return

    def _take_level(self, level: list[Any]) -> list[Any]:
        """Take these, and what is new and holds them, from what was there; returns what has to be taken next."""
        exposed, holders = self._upwards(level)
        exposed = self._unexplained(exposed, level, holders)
        above: list[Any] = []
        for holder in gc.get_referrers(*exposed) if exposed else ():
            is_mine = holder is level or holder is exposed or holder is holders or id(holder) in self._ours
            if is_mine or isinstance(holder, _FRAMES):
                continue
            if self._is_new(holder):
                above.append(holder)
            else:
                holders[id(holder)] = holder
        holder = None
        del exposed
        self._find_owners(holders)
        for key, holder in holders.items():
            if key not in self._ours:
                self._failures.attempt(f"what a {type(holder).__name__} holds", self._take, holder)
        return above

    def _upwards(self, level: list[Any]) -> tuple[list[Any], dict[int, Any]]:
        """All that is new and holds these; returns what something else may hold, and who that is where it is young."""
        exposed: list[Any] = []
        holders: dict[int, Any] = {}
        waiting, level_ids = level.copy(), set(map(id, level))
        self._ours.update(level_ids)
        while waiting:
            thing = waiting.pop()
            if self._young.is_exposed(thing, 1 + (id(thing) in level_ids)):
                exposed.append(thing)
            for holder in self._young.holders(thing):
                if isinstance(holder, _FRAMES) or _is_file(holder) or id(holder) in self._ours:
                    continue
                if self._is_new(holder):
                    self._ours.add(id(holder))
                    waiting.append(holder)
                else:
                    holders[id(holder)] = holder
            holder = None  # no reference of ours that nobody counts
        return exposed, holders

    def _unexplained(self, exposed: list[Any], level: list[Any], holders: dict[int, Any]) -> list[Any]:
        """Those that are held by more than what was noted before the run, which is quickly looked through."""
        ids, level_ids = set(map(id, exposed)), set(map(id, level))
        references: Counter[int] = Counter()
        for holder, _ in self._program.holders():
            content_ids = [key for key in map(id, gc.get_referents(holder)) if key in ids]
            if content_ids:
                holders[id(holder)] = holder
                if not self._young.has(holder):
                    references.update(content_ids)
        return [
            thing
            for thing in exposed
            if self._young.is_exposed(thing, 2 + (id(thing) in level_ids) + references[id(thing)])
        ]

    def _find_owners(self, holders: dict[int, Any]) -> None:
        """Of dicts that were not noted: a class wants to be told of a change, and a cache to be emptied."""
        dicts = [
            h
            for key, h in holders.items()
            if isinstance(h, dict) and not self._program.knows(h) and key not in self._owners
        ]
        for owner in gc.get_referrers(*dicts) if dicts else ():
            if isinstance(owner, (type, CACHE)):
                self._owners.update(
                    {id(content): owner for content in gc.get_referents(owner) if id(content) in holders}
                )

    def _is_new(self, holder: Any) -> bool:
        key = id(holder)
        if key in self._ours or key in self._others or key in self._owners or self._program.knows(holder):
            return False
        return key in self._new or isinstance(holder, _UNCHANGING)

    def _take(self, holder: Any) -> None:
        """Take from what was there before the run whatever of the run it holds."""
        if isinstance(holder, CACHE):
            holder.cache_clear()
            return
        for inner in gc.get_referents(holder):
            if type(inner) is dict and id(inner) in self._ours and self._was_there(inner, holder):
                self._ours.discard(id(inner))
                self._others.add(id(inner))
                self._take(inner)
        if isinstance(holder, dict):
            self._take_from_dict(holder, self._ours)
        elif isinstance(holder, (list, deque)):
            before = self._program.before(holder)
            restore_list(holder, [h for h in items(holder) if id(h) not in self._ours] if before is None else before)
        elif isinstance(holder, set):
            set.difference_update(holder, [h for h in items(holder) if id(h) in self._ours])
            set.update(holder, self._program.before(holder) or ())
        elif isinstance(holder, SimpleQueue):  # before Python 3.13 it has a list, which is the holder
            restore_queue(holder, [h for h in queued(holder) if id(h) not in self._ours])
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
            contents = (
                before.values() if isinstance(before, dict) else before if isinstance(before, list) else (before,)
            )
            return any(value is inner for value in contents)
        return _is_namespace(holder) or not isinstance(holder, (dict, list, deque, set))

    def _take_from_dict(self, holder: dict[Any, Any], ours: Ids) -> None:
        owner = self._owners.get(id(holder))
        if isinstance(owner, CACHE):
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


def _is_file(holder: Any) -> bool:
    """Whether it is a file's, which, being new, was imported by the run: what it holds is its own."""
    return isinstance(holder, types.ModuleType) or _is_namespace(holder)


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


def _take_from_object(holder: Any, ours: Ids, program: SurroundingState) -> None:
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
