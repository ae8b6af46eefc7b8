"""What a model takes keeps its form, and what it returns is used as a caller would use it."""

from __future__ import annotations

import dataclasses
from collections import UserDict, namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile

ROWS, IN, OUT = 5, 6, 4
LAYERS = 3
MACS = LAYERS * ROWS * IN * IN


class Returns(nn.Module):
    """Calls a function with its layers and its input, and returns what that returns."""

    def __init__(self, function: Callable[[Any, torch.Tensor], Any]) -> None:
        super().__init__()
        self.layers, self.function = nn.ModuleList(nn.Linear(IN, IN) for _ in range(LAYERS)), function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.layers, x)


class Counted:
    """Hands out its items one by one."""

    def __init__(self, layers: Any, x: torch.Tensor) -> None:
        self._todo = [(layer, x) for layer in layers]

    def __iter__(self) -> Iterator[torch.Tensor]:
        return self

    def __next__(self) -> torch.Tensor:
        if not self._todo:
            raise StopIteration
        layer, x = self._todo.pop()
        out: torch.Tensor = layer(x)
        return out


class Holder:
    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class Slotted:
    __slots__ = ("values",)

    def __init__(self, values: Any) -> None:
        self.values = values


@dataclasses.dataclass(frozen=True)
class Frozen:
    values: Any


Pair = namedtuple("Pair", "first second")


def _one_by_one(layers: Any, x: torch.Tensor) -> Iterator[torch.Tensor]:
    for layer in layers:
        yield layer(x)


async def _all(layers: Any, x: torch.Tensor) -> list[torch.Tensor]:
    return [layer(x) for layer in layers]


async def _asynchronous(layers: Any, x: torch.Tensor) -> Any:
    for layer in layers:
        yield layer(x)


def _done(layers: Any, x: torch.Tensor) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result([layer(x) for layer in layers])
    return future


OUTPUTS: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "generator": _one_by_one,
    "expression": lambda layers, x: (layer(x) for layer in layers),
    "map": lambda layers, x: map(nn.Module.__call__, layers, [x] * LAYERS),
    "zip": lambda layers, x: zip((layer(x) for layer in layers), range(9), strict=False),
    "filter": lambda layers, x: filter(lambda y: y is not None, _one_by_one(layers, x)),
    "iterator": Counted,
    "in a dict": lambda layers, x: {"all": _one_by_one(layers, x)},
    "in a tuple": lambda layers, x: (x, _one_by_one(layers, x)),
    "of generators": lambda layers, x: ((layer(x) for _ in range(1)) for layer in layers),
    "coroutine": _all,
    "asynchronous generator": _asynchronous,
    "future": _done,
    "object": lambda layers, x: Holder(outs=[layer(x) for layer in layers]),
    "slots": lambda layers, x: Slotted([layer(x) for layer in layers]),
    "dataclass": lambda layers, x: Frozen([layer(x) for layer in layers]),
    "mapping": lambda layers, x: UserDict(enumerate(layer(x) for layer in layers)),
    "distributions": lambda layers, x: [torch.distributions.Normal(layer(x), 1.0) for layer in layers],
}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("function", OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_are_used(function: Callable[[Any, torch.Tensor], Any], train: bool) -> None:
    """In training, each is where the backward pass begins; gradients of weights alone, as no input wants one."""
    found = profile(Returns(function), (ROWS, IN), train=train)
    assert found.totals.macs == MACS * (2 if train else 1)
    assert [found[f"layers.{i}"].calls for i in range(LAYERS)] == [1] * LAYERS


def test_an_iterator_without_an_end_is_refused() -> None:
    def forever(layers: Any, x: torch.Tensor) -> Iterator[int]:
        while True:
            yield 1

    with pytest.raises(ProfileError, match="goes on after 100,000 items"):
        profile(Returns(forever), (ROWS, IN))


class Takes(nn.Module):
    """One layer, on what a function takes out of its input."""

    def __init__(self, function: Callable[[Any], torch.Tensor]) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(IN, OUT), function

    def forward(self, given: Any) -> torch.Tensor:
        out: torch.Tensor = self.layer(self.function(given))
        return out


class Tagged(torch.Tensor):
    """A class of the user's own, whose operators are torch's."""


def _tagged(x: torch.Tensor) -> torch.Tensor:
    tagged = x.as_subclass(Tagged)
    tagged.scale = 2  # type: ignore[attr-defined]
    return tagged


def _of_tagged(x: Any) -> torch.Tensor:
    assert type(x) is Tagged
    assert x.scale == 2  # type: ignore[attr-defined]
    out: torch.Tensor = x.as_subclass(torch.Tensor)
    return out


def _self_referring(x: torch.Tensor) -> Holder:
    held = Holder(values=x)
    held.me = held  # type: ignore[attr-defined]
    return held


X = torch.rand(ROWS, IN)
IDS = torch.arange(ROWS)
INPUTS: dict[str, tuple[Any, Callable[[Any], torch.Tensor], list[tuple[str | None, tuple[int, ...]]]]] = {
    "object": (Holder(x=X, ids=IDS), lambda h: h.x[h.ids], [("x", (ROWS, IN)), ("ids", (ROWS,))]),
    "object in an object": (Holder(a=Holder(b=X)), lambda h: h.a.b, [("a.b", (ROWS, IN))]),
    "slots": (Slotted(X), lambda s: s.values, [("values", (ROWS, IN))]),
    "frozen dataclass": (Frozen({"k": X}), lambda f: f.values["k"], [("values.k", (ROWS, IN))]),
    "mapping": (UserDict(x=X), lambda m: m["x"], [("x", (ROWS, IN))]),
    "named tuple": (Pair(X, [X]), lambda p: p.first + p.second[0], [(None, (ROWS, IN)), (None, (ROWS, IN))]),
    "in a circle": (_self_referring(X), lambda h: h.me.me.values, [("values", (ROWS, IN))]),
    "subclass with an attribute": (_tagged(X), _of_tagged, [(None, (ROWS, IN))]),
    "parameter": (nn.Parameter(X.clone()), lambda x: {True: x}[isinstance(x, nn.Parameter)], [(None, (ROWS, IN))]),
}


@pytest.mark.parametrize(("given", "function", "records"), INPUTS.values(), ids=INPUTS)
def test_inputs_keep_their_form(given: Any, function: Callable[[Any], torch.Tensor], records: Any) -> None:
    found = profile(Takes(function), (given,))
    assert (found.trace.engine, found.totals.macs) == ("meta", ROWS * IN * OUT)
    assert [(one.name, one.shape) for one in found.trace.inputs] == records


def test_bytes_of_inputs_in_an_object() -> None:
    found = profile(Takes(lambda h: h.x), (Holder(x=X, ids=IDS, unused=torch.zeros(7, dtype=torch.int16)),))
    assert found.totals.input_bytes == ROWS * IN * 4 + ROWS * 8 + 7 * 2


@pytest.mark.parametrize("wants", [False, True])
@pytest.mark.parametrize("form", [lambda x: x, lambda x: Holder(x=x), lambda x: [x]])
def test_an_input_that_wants_a_gradient(form: Callable[[Any], Any], wants: bool) -> None:
    """Forward, gradient of the weight, and that of the input."""
    x = torch.rand(ROWS, IN, requires_grad=wants)
    model = Takes(lambda g: g.x if isinstance(g, Holder) else g[0] if isinstance(g, list) else g)
    found = profile(model, (form(x),), train=True)
    assert found.totals.macs == ROWS * IN * OUT * (3 if wants else 2)
    assert x.grad is None


def test_a_frozen_model_whose_input_wants_a_gradient() -> None:
    model = nn.Sequential(nn.Linear(IN, OUT), nn.ReLU(), nn.Linear(OUT, 2)).requires_grad_(False)
    found = profile(model, torch.rand(ROWS, IN, requires_grad=True), train=True)
    assert found.totals.macs == 2 * ROWS * (IN * OUT + OUT * 2)


def test_the_graph_that_led_to_an_input_is_not_run() -> None:
    weight = torch.rand(IN, requires_grad=True)
    profile(Takes(lambda x: x * float(x.sum() * 0 + 1)), torch.rand(ROWS, IN) * weight, train=True)
    assert weight.grad is None


def test_another_dtype_keeps_the_values_of_inputs() -> None:
    """A model that looks at them takes the same way."""
    model = Takes(lambda x: x if bool((x == 1).all()) else x[:1])
    found = profile(model, torch.ones(ROWS, IN), dtype="bfloat16")
    assert (found.trace.engine, found.totals.macs) == ("cpu", ROWS * IN * OUT)


def test_meta_inputs_of_a_model_that_wants_values() -> None:
    found = profile(Takes(lambda x: x if bool((x < 2).all()) else x[:1]), torch.empty(ROWS, IN, device="meta"))
    assert (found.trace.engine, found.totals.macs) == ("cpu", ROWS * IN * OUT)


class Grows(nn.Module):
    """Makes a layer when it is first called."""

    def __init__(self, register: bool = False, reads: bool = False) -> None:
        super().__init__()
        self.reads = reads
        self.late: nn.Module | None = None
        if register:
            del self.late
            self.register_module("late", None)

    def forward(self, x: torch.Tensor) -> Any:
        if self.late is None:
            self.late = nn.Sequential(nn.Linear(x.shape[-1], OUT))
        return self.late(x * float(x.sum() * 0 + 1) if self.reads else x)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("how", [{}, {"register": True}, {"reads": True}])
def test_layers_that_are_built_in_the_first_pass(how: Any, train: bool) -> None:
    model = Grows(**how)
    found = profile(model, (ROWS, IN), train=train)
    assert found.totals.params == (IN + 1) * OUT
    assert found["late.0"].macs == ROWS * IN * OUT * (2 if train else 1)
    assert model.late is None


class GrowsParameters(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        if not hasattr(self, "scale"):
            self.scale = nn.Parameter(torch.ones(x.shape[-1]))
        return x * self.scale


def test_parameters_that_are_made_in_the_first_pass() -> None:
    model = GrowsParameters()
    assert profile(model, (ROWS, IN)).totals.params == IN
    assert not list(model.parameters())


class LazyReader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LazyLinear(OUT), nn.LazyLinear(2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.second(self.first(x)) if x.sum() < 1e9 else x


@pytest.mark.parametrize("train", [False, True])
def test_lazy_modules_whose_forward_needs_values(train: bool) -> None:
    found = profile(LazyReader(), (ROWS, IN), train=train)
    forward = ROWS * (IN * OUT + OUT * 2)
    backward = ROWS * (IN * OUT + 2 * OUT * 2)
    assert found.totals.macs == forward + (backward if train else 0)
    assert found.totals.params == (IN + 1) * OUT + (OUT + 1) * 2
