"""Collections of classes of the user's own, whose methods answer as they please: as attributes, inputs and outputs."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy
import pytest
import torch
from torch import nn

from profiler import profile

_ASKED = (
    "__len__", "__iter__", "__getitem__", "__contains__", "__eq__", "__bool__", "__reversed__", "__copy__",
    "__deepcopy__", "__reduce_ex__", "copy", "keys", "values", "items", "get", "pop", "update", "append",
    "extend", "clear", "add",
)  # fmt: skip


def _raises(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError("ask something else")


def _init(self: Any, first: int, second: int) -> None:
    raise AssertionError("nobody but its own code makes one")


def _empty(*args: Any) -> Any:
    return iter(())


_RAISING = dict.fromkeys(_ASKED, _raises)
_LYING = {
    "__len__": lambda self: 0, "__iter__": _empty, "__eq__": lambda self, other: True, "__bool__": lambda self: False,
    "values": _empty, "items": _empty, "keys": _empty, "copy": lambda self: 7, "__hash__": lambda self: 0,
}  # fmt: skip
_COMPUTING = {
    "__len__": lambda self: torch.ones(1), "__iter__": lambda self: iter([torch.ones(9)] * 5000),
    "__eq__": lambda self, other: torch.ones(3), "items": lambda self: [1, 2], "values": lambda self: None,
}  # fmt: skip
_UNHASHABLE = {"__hash__": _raises, "__eq__": _raises}
_METHODS = {"raising": _RAISING, "lying": _LYING, "computing": _COMPUTING, "unhashable": _UNHASHABLE}
_KINDS: tuple[Any, ...] = (list, tuple, dict, OrderedDict, defaultdict, set, frozenset, deque)


def _of(kind: Any, methods: str, items: list[Any]) -> Any:
    """A collection of a class with these methods, and a constructor that nobody else may call."""
    cls: Any = type(f"{methods.title()}{kind.__name__.title()}", (kind,), {**_METHODS[methods], "__init__": _init})
    if issubclass(kind, (tuple, frozenset)):
        return kind.__new__(cls, items)
    made = kind.__new__(cls)
    if issubclass(kind, dict):
        kind.__init__(made)
        for key, item in zip("xyz", items, strict=False):
            kind.__setitem__(made, key, item)
    else:
        kind.__init__(made, items)
    return made


def _held(kind: Any, value: Any) -> list[Any]:
    """Both the order and the identity of what a collection holds, by the built-in's own methods."""
    items = kind.items(value) if issubclass(kind, dict) else kind.__iter__(value)
    return [*items]


class Holds(nn.Module):
    def __init__(self, held: Any, kind: Any) -> None:
        super().__init__()
        self.lin, self.held, self.pair, self.kind = nn.Linear(4, 4), held, (held, [held]), kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.lin(x)
        if issubclass(self.kind, dict):
            self.kind.__setitem__(self.held, "new", y)
        elif issubclass(self.kind, (list, deque)):
            self.kind.append(self.held, y)
        elif issubclass(self.kind, set):
            self.kind.add(self.held, y)
        return y


_TABLE = pytest.mark.parametrize(("kind", "methods"), [(k, m) for k in _KINDS for m in _METHODS])


@pytest.mark.parametrize("train", [False, True])
@_TABLE
def test_as_an_attribute(kind: Any, methods: str, train: bool) -> None:
    """What the forward pass adds goes, whatever the class says of itself."""
    held = _of(kind, methods, [1, 2])
    before = _held(kind, held)
    assert profile(Holds(held, kind), torch.ones(2, 4), train=train).totals.macs in (32, 96, 64)
    assert _held(kind, held) == before


class Takes(nn.Module):
    def __init__(self, kind: Any, asks: bool) -> None:
        super().__init__()
        self.lin, self.kind, self.asks = nn.Linear(4, 4), kind, asks

    def forward(self, held: Any) -> torch.Tensor:
        assert type(held).__name__.lower().endswith(self.kind.__name__.lower())
        inside = self.kind.values(held) if issubclass(self.kind, dict) else self.kind.__iter__(held)
        total = sum(self.lin(x) for x in inside)
        if self.asks and total.sum().item() > 1e9:
            return self.lin(total)
        return total


@pytest.mark.parametrize("asks", [False, True])
@_TABLE
def test_as_an_input(kind: Any, methods: str, asks: bool) -> None:
    """It arrives as its class, with what it holds."""
    tensors = [torch.ones(2, 4), torch.ones(3, 4)[:2]]
    held = _of(kind, methods, tensors)
    before = [id(item) for item in (kind.values(held) if issubclass(kind, dict) else kind.__iter__(held))]
    found = profile(Takes(kind, asks), (held,))
    assert found.totals.macs == 2 * 2 * 4 * 4
    assert len(found.trace.inputs) == 2
    assert [id(item) for item in (kind.values(held) if issubclass(kind, dict) else kind.__iter__(held))] == before


class Gives(nn.Module):
    def __init__(self, kind: Any, methods: str) -> None:
        super().__init__()
        self.lin, self.kind, self.methods = nn.Linear(4, 4), kind, methods

    def forward(self, x: torch.Tensor) -> Any:
        return _of(self.kind, self.methods, [self.lin(x), x * 2])


@pytest.mark.parametrize("train", [False, True])
@_TABLE
def test_as_an_output(kind: Any, methods: str, train: bool) -> None:
    """Its tensors are what the model returns, which a step of training starts from."""
    found = profile(Gives(kind, methods), torch.ones(2, 4), train=train)
    assert found.totals.macs == (64 if train else 32)
    assert len(found.trace.outputs) == 2


class Lying(numpy.ndarray):
    """An array that has nothing to say."""

    copy = __getitem__ = __setitem__ = __len__ = _raises
    shape = flags = property(_raises)


def test_an_array() -> None:
    held = numpy.ndarray.__new__(Lying, (3,))
    plain = numpy.ndarray.view(held, numpy.ndarray)
    plain[...] = 5
    model = Holds(held, numpy.ndarray)
    model.lin.register_forward_hook(lambda *_: plain.fill(7))
    assert profile(model, torch.ones(2, 4)).totals.macs == 32
    assert plain.tolist() == [5, 5, 5]


class Irreps(tuple):
    """As e3nn's: made from a text, without a length, and never with tensors."""

    __slots__ = ()

    def __new__(cls, text: str) -> Irreps:
        return tuple.__new__(cls, ((int(part[0]), part[2:]) for part in text.split("+")))

    def __len__(self) -> int:
        raise NotImplementedError


class Tagged(tuple):
    """With tensors, and a tag that its constructor wants."""

    tag: str

    def __new__(cls, tag: str, *tensors: torch.Tensor) -> Tagged:
        made = tuple.__new__(cls, tensors)
        made.tag = tag
        return made


class Point(namedtuple("Point", "x y")):
    __slots__ = ()

    def __new__(cls, both: torch.Tensor) -> Point:
        return super().__new__(cls, both, both)


class Attributed(OrderedDict):
    """As the outputs of transformers: each entry is an attribute too, and `update` is refused."""

    def __init__(self, **named: torch.Tensor) -> None:
        super().__init__(**named)
        vars(self).update(named)

    update = copy = _raises


class Told(nn.Module):
    def __init__(self, held: Any) -> None:
        super().__init__()
        self.lin, self.held = nn.Linear(4, 4), held

    def forward(self, x: torch.Tensor, told: Any, asks: bool = False) -> Any:
        assert type(told) is type(self.held)
        tensor = told.x if isinstance(told, (Point, Attributed)) else told[0]
        tensor = tensor if isinstance(tensor, torch.Tensor) else x
        assert not isinstance(told, Tagged) or told.tag == "mine"
        assert not isinstance(told, Attributed) or told.x is told["x"]
        return self.lin(tensor), x.sum().item() if asks else told


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(
    "held",
    [
        Irreps("1x0e+2x1o"),
        Tagged("mine", torch.ones(2, 4)),
        Point(torch.ones(2, 4)),
        Attributed(x=torch.ones(2, 4)),
        torch.ones(2, 4).max(0, keepdim=True),
    ],
    ids=lambda held: type(held).__name__,
)
def test_classes_that_libraries_have(held: Any, asks: bool) -> None:
    rows = 1 if type(held).__name__ == "max" else 2
    assert profile(Told(held), (torch.ones(2, 4), held, asks)).totals.macs == rows * 16
