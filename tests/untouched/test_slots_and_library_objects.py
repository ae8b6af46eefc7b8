"""What modules hold in slots of their class, and in objects of the standard library, comes back.

Each model branches on a value, so that it is run once more, on real tensors: it has to find its state as it was in the
second attempt, too, where a queue that is empty would be waited for.
"""

from __future__ import annotations

import array
import queue
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
import torch
from torch import nn

from profiler import profile

Change = Callable[[Any, torch.Tensor], Any]

_WAIT = 5  # seconds until a queue that should not be empty raises
GLOBAL: ContextVar[Any] = ContextVar("GLOBAL")
WITH_DEFAULT: ContextVar[Any] = ContextVar("WITH_DEFAULT", default=None)
QUEUE: Any = queue.Queue()
SIMPLE: Any = queue.SimpleQueue()
LOCAL = threading.local()


class Slotted(nn.Module):
    """State in slots of the module's own class."""

    __slots__ = ("count", "kv", "seen", "unset")

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change, self.lin = change, nn.Linear(4, 4)
        self.kv, self.count, self.seen = torch.ones(1, 4), 0, [1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.lin(x)
        self.change(self, y)
        return y * 2 if y.sum() > 1e9 else y


class Inherits(Slotted):
    """Slots of an ancestor, beside its own."""

    __slots__ = ("more",)

    def __init__(self, change: Change) -> None:
        super().__init__(change)
        self.more = {"a": 1}


class Holding(nn.Module):
    """One object as an attribute."""

    def __init__(self, held: Any, change: Change) -> None:
        super().__init__()
        self.held, self.change, self.lin = held, change, nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.lin(x)
        self.change(self.held, y)
        return y * 2 if y.sum() > 1e9 else y


_SLOTS: dict[str, Change] = {
    "tensor": lambda m, y: setattr(m, "kv", torch.cat([m.kv, y])),
    "tensor written on": lambda m, y: m.kv.add_(1),
    "number": lambda m, y: setattr(m, "count", m.count + 1),
    "list": lambda m, y: m.seen.append(2),
    "unset before": lambda m, y: setattr(m, "unset", y),
    "unset after": lambda m, y: delattr(m, "seen"),
}


def _in_slots(model: Any) -> dict[str, Any]:
    names = (name for name in ("kv", "count", "seen", "unset", "more") if hasattr(model, name))
    return {name: _fact(getattr(model, name)) for name in names}


def _fact(value: Any) -> Any:
    """Which object it is, and what is in it."""
    return (id(value), value.tolist() if isinstance(value, torch.Tensor) else repr(value))


@pytest.mark.parametrize("cls", [Slotted, Inherits])
@pytest.mark.parametrize("name", _SLOTS)
def test_slots_of_a_module(name: str, cls: type[Slotted]) -> None:
    model = cls(_SLOTS[name])
    before = _in_slots(model)
    assert profile(model, (1, 4)).totals.macs == 16
    assert _in_slots(model) == before
    model(torch.ones(1, 4))
    assert _in_slots(model) != before, "a test that can fail"


def test_slots_of_a_list() -> None:
    class Named(list[Any]):
        __slots__ = ("name",)

    held = Named([1])
    held.name = "before"
    profile(Holding(held, lambda h, y: setattr(h, "name", y)), (1, 4))
    assert (held, held.name) == ([1], "before")


class _Local(threading.local):
    """A class of the user's own."""


def _filled(made: Any, *items: Any) -> Any:
    for item in items:
        made.put(item)
    return made


def _with(made: Any, **attributes: Any) -> Any:
    vars(made).update(attributes)
    return made


def _turn(held: Any, y: torch.Tensor) -> None:
    """As a cache of one state does: what was put last is taken, and the next is put."""
    held.put(held.get(timeout=_WAIT) + y)


def _drain(held: Any) -> list[Any]:
    return [held.get_nowait() for _ in range(held.qsize())]


# An object, what a forward pass does with it, and what of it is compared.
_HELD: dict[str, tuple[Callable[[], Any], Change, Callable[[Any], Any]]] = {
    "Queue": (lambda: _filled(queue.Queue(), torch.ones(4)), _turn, lambda q: (q.unfinished_tasks, _drain(q))),
    "Queue taken from": (lambda: _filled(queue.Queue(), 1, 2), lambda q, y: q.get(timeout=_WAIT), _drain),
    "Queue put in": (lambda: queue.Queue(maxsize=1), lambda q, y: q.put(y, timeout=_WAIT), _drain),
    "LifoQueue": (lambda: _filled(queue.LifoQueue(), torch.ones(4)), _turn, _drain),
    "PriorityQueue": (lambda: _filled(queue.PriorityQueue(), 2, 1), lambda q, y: q.get(timeout=_WAIT), _drain),
    "SimpleQueue": (lambda: _filled(queue.SimpleQueue(), torch.ones(4)), _turn, _drain),
    "SimpleQueue taken from": (lambda: _filled(queue.SimpleQueue(), 1, 2), lambda q, y: q.get(timeout=_WAIT), _drain),
    "what is in a SimpleQueue": (
        lambda: _filled(queue.SimpleQueue(), [1]),
        lambda q, y: (one := q.get(timeout=_WAIT), one.append(2), q.put(one)),
        _drain,
    ),
    "local": (lambda: _with(threading.local(), kv=torch.ones(4)), lambda h, y: setattr(h, "kv", h.kv + y), vars),
    "local deleted": (lambda: _with(threading.local(), kv=1), lambda h, y: delattr(h, "kv"), vars),
    "local of its own class": (lambda: _with(_Local(), kv=[1]), lambda h, y: h.kv.append(y), vars),
    "Event": (threading.Event, lambda h, y: h.set(), lambda h: h.is_set()),
    "Event cleared": (lambda: _set(threading.Event()), lambda h, y: h.clear(), lambda h: h.is_set()),
    "Semaphore": (lambda: threading.Semaphore(1), lambda h, y: h.acquire(timeout=_WAIT) or 1 / 0, lambda h: h._value),
    "bytearray": (lambda: bytearray(b"ab"), lambda h, y: h.extend(b"cd"), bytes),
    "bytearray written on": (lambda: bytearray(b"ab"), lambda h, y: h.__setitem__(0, h[0] + 1), bytes),
    "array": (lambda: array.array("f", [1.0]), lambda h, y: h.append(2.0), list),
    "array written on": (lambda: array.array("l", [1]), lambda h, y: h.__setitem__(0, h[0] + 1), list),
    "ContextVar": (lambda: ContextVar("held"), lambda h, y: h.set(y), lambda h: h.get("unset")),
    "list in a ContextVar": (lambda: _var([1]), lambda h, y: h.get().append(2), lambda h: h.get()),
}


def _set(event: threading.Event) -> threading.Event:
    event.set()
    return event


def _var(value: Any) -> ContextVar[Any]:
    made: ContextVar[Any] = ContextVar("held")
    made.set(value)
    return made


@pytest.mark.parametrize("name", _HELD)
def test_an_object_of_the_standard_library(name: str) -> None:
    make, change, look = _HELD[name]
    model, before = Holding(make(), change), repr(look(make()))
    held = model.held
    assert profile(model, (1, 4)).totals.macs == 16
    assert model.held is held
    assert repr(look(held)) == before
    changed = Holding(make(), change)
    changed(torch.ones(1, 4))
    assert repr(look(changed.held)) != before, "a test that can fail"


def test_context_variables_of_the_program() -> None:
    """No tensor of a run stays in one, whether it had something before or not; a new one stays unset."""

    def change(_: Any, y: torch.Tensor) -> None:
        assert GLOBAL.get(None) is None
        GLOBAL.set(y)
        WITH_DEFAULT.set(WITH_DEFAULT.get() + y)

    def look() -> None:
        before = WITH_DEFAULT.set(torch.ones(4))
        model = Holding(None, change)
        profile(model, (1, 4))
        assert WITH_DEFAULT.get().tolist() == [1] * 4
        assert GLOBAL.get("unset") == "unset"
        assert model(torch.ones(1, 4)).device.type == "cpu"
        WITH_DEFAULT.reset(before)

    copy_context().run(look)


def test_a_lazy_model_sets_a_context_variable() -> None:
    model = nn.Sequential(nn.LazyLinear(4), Holding(None, lambda _, y: GLOBAL.set(y)))
    profile(model, (1, 4))
    assert GLOBAL.get("unset") == "unset"


@pytest.mark.parametrize("held", [QUEUE, SIMPLE], ids=["Queue", "SimpleQueue"])
def test_no_tensor_of_a_run_stays_in_a_queue_of_the_program(held: Any) -> None:
    for number in range(8):
        held.put(number)
    assert [held.get(), held.get()] == [0, 1], "it counts what was taken"
    profile(Holding(None, lambda _, y: held.put(y * 1)), (1, 4))
    assert held.qsize() == 6
    assert _drain(held) == [2, 3, 4, 5, 6, 7]


def test_no_tensor_of_a_run_stays_in_a_local_of_the_program() -> None:
    LOCAL.kept = "before"
    profile(Holding(None, lambda _, y: setattr(LOCAL, "kept", y * 1)), (1, 4))
    assert vars(LOCAL) == {"kept": "before"}


def test_a_worker_that_waits_is_still_woken() -> None:
    """What a thread waits in is not put back: it waits in another turn than before the run."""
    asked, answered = queue.Queue[Any](), queue.Queue[Any]()

    def work() -> None:
        while (item := asked.get()) is not None:
            answered.put(item)

    def change(held: Any, y: torch.Tensor) -> None:
        held[0].put(1)
        assert held[1].get(timeout=_WAIT) == 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    model = Holding((asked, answered, thread), change)
    for _ in range(3):
        profile(model, (1, 4))
    asked.put(2)
    assert answered.get(timeout=_WAIT) == 2
    asked.put(None)
    thread.join(_WAIT)
    assert not thread.is_alive()
