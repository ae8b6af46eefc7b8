"""What a trace says of how the model's code came to an operator, and of operators that were taken apart."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import matmul as named_matmul
from torch import nn
from torch.nn.functional import softmax as named_softmax

from profiler import profile
from profiler.counters.replay.events import needed_calls, operators, running_modules, traced_operators
from profiler.records.trace import KEPT, METHOD, Caller, Trace

X = (4, 4)
F_ = "torch.nn.functional"


class Of(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def trace(function: Callable[[torch.Tensor], Any] | nn.Module, shape: tuple[int, ...] = X) -> Trace:
    return profile(function if isinstance(function, nn.Module) else Of(function), shape).trace


def callers(found: Trace) -> dict[str, Caller]:
    return {op.name: op.caller for op in operators(found)}


CALLERS: dict[str, tuple[Callable[[torch.Tensor], Any], str, Caller]] = {
    "sign": (lambda x: x + x, "add", Caller((), True)),
    "function": (lambda x: torch.add(x, x), "add", Caller((), False, source="torch")),
    "method": (lambda x: x.add(x), "add", Caller((), False, source=METHOD)),
    "in place": (lambda x: x.clone().add_(1), "add_", Caller((), False, source=METHOD)),
    "in-place sign": (lambda x: x.clone().__iadd__(1), "add_", Caller((), False, source=KEPT)),
    "matrix sign": (lambda x: x @ x, "matmul", Caller((), True)),
    "matrix function": (lambda x: torch.matmul(x, x), "matmul", Caller((), False, source="torch")),
    "minus": (lambda x: -x, "neg", Caller((), True)),
    "reflected": (lambda x: 1 - x, "rsub", Caller((), True)),
    "comparison": (lambda x: x < 1, "lt", Caller((), True)),
    "power": (lambda x: x**2, "pow", Caller((), True)),
    "function in Python": (lambda x: F.softmax(x, -1), "softmax", Caller(("softmax",), False, source=F_)),
    "method of the same name": (lambda x: x.softmax(-1), "softmax", Caller((), False, source=METHOD)),
    "function that is not in Python": (lambda x: F.gelu(x, approximate="tanh"), "gelu", Caller((), False, source=F_)),
    "dispatched by a flag": (
        lambda x: F.max_pool2d(x[None], 2),
        "max_pool2d",
        Caller(("_max_pool2d",), False, source=F_),
    ),
    "function inside a function": (
        lambda x: F.upsample(x[None, None], scale_factor=2),
        "upsample_nearest2d",
        Caller(("interpolate", "upsample"), False, source=F_),
    ),
    "of torch.functional": (
        lambda x: torch.einsum("ij,jk->ik", x, x),
        "einsum",
        Caller(("einsum",), False, source="torch"),
    ),
}


@pytest.mark.filterwarnings("ignore:.*upsample")
@pytest.mark.parametrize(("function", "operator", "expected"), CALLERS.values(), ids=CALLERS)
def test_callers(function: Callable[[torch.Tensor], Any], operator: str, expected: Caller) -> None:
    assert callers(trace(function))[f"aten.{operator}"] == expected


def test_functions_that_a_layer_goes_through() -> None:
    found = trace(nn.Sequential(nn.ReLU(), nn.Softmax(-1), nn.Sigmoid()))
    assert callers(found) == {
        "aten.relu": Caller(("relu",), False, source=F_),
        "aten.softmax": Caller(("softmax",), False, source=F_),
        "aten.sigmoid": Caller((), False, source="torch"),
    }


class Doubled(torch.autograd.Function):
    """A function with a gradient of its own, of a layer."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: nn.Module) -> Any:
        return F.relu(layer(x)) * 2


def test_what_is_inside_of_a_function_with_a_gradient_of_its_own() -> None:
    layer = nn.Linear(4, 4)
    found = trace(lambda x: layer(Doubled.apply(layer(x), layer)).sigmoid())  # type: ignore[no-untyped-call]
    assert [(op.short, op.caller) for op in operators(found)] == [
        ("linear", Caller((), False, source=F_)),
        ("linear", Caller((), False, is_enclosed=True, source=F_)),
        ("relu", Caller(("relu",), False, is_enclosed=True, source=F_)),
        ("mul", Caller((), True, is_enclosed=True)),
        ("linear", Caller((), False, source=F_)),
        ("sigmoid", Caller((), False, source=METHOD)),
    ]
    assert [op.short for op in traced_operators(found)] == ["linear", "linear", "sigmoid"]


# Where the code took a function from ----------------------------------------------------------------------------------


class Holds(nn.Module):
    """Functions in every place that a module has for them."""

    in_class = staticmethod(F.softmax)

    def __init__(self) -> None:
        super().__init__()
        self.act, self.softmax, self.functions = F.softmax, F.softmax, {"softmax": F.softmax}
        self.partial = functools.partial(F.softmax, dim=-1)
        self.torch, self.stage = torch, nn.Linear(4, 4)
        self.stage.act = F.softmax  # type: ignore[assignment]

    def default(self, x: torch.Tensor, act: Callable[..., Any] = F.softmax) -> Any:
        return act(x, -1)


HOLDS = Holds()
ACTIVATIONS = {"softmax": F.softmax, "matmul": torch.matmul}


def closure() -> Callable[[torch.Tensor], Any]:
    act, functional = F.softmax, F
    return lambda x: act(functional.softmax(x, -1) @ x, -1)


def imported_here(x: torch.Tensor) -> Any:
    import torch.nn.functional as here

    return here.softmax(x, -1)


def named_here(x: torch.Tensor) -> Any:
    from torch.nn.functional import softmax as imported

    return imported(x, -1)


def unpacked(x: torch.Tensor) -> Any:
    return F.softmax(*(x, -1))


def by_names(x: torch.Tensor) -> Any:
    return torch.nn.functional.softmax(dim=-1, input=x + x.sum(-1).softmax(-1))


SOFTMAX: dict[str, tuple[Callable[[torch.Tensor], Any], str | None]] = {
    "an alias of the module": (lambda x: F.softmax(x, -1), F_),
    "the module's whole name": (lambda x: torch.nn.functional.softmax(x, -1), F_),
    "the module from its package": (lambda x: nn.functional.softmax(x, -1), F_),
    "imported in the function": (imported_here, F_),
    "with a star": (unpacked, F_),
    "with names, and calls inside": (by_names, F_),
    "in an expression": (lambda x: 2 * F.softmax(x, -1) + x, F_),
    "twice on a line": (lambda x: F.softmax(x, -1) + named_softmax(x, -1), F_),
    "an imported name": (lambda x: named_softmax(x, -1), KEPT),
    "a name imported in the function": (named_here, F_),
    "an attribute": (lambda x: HOLDS.act(x, -1), KEPT),
    "an attribute of the function's name": (lambda x: HOLDS.softmax(x, -1), KEPT),
    "an attribute of a layer inside": (lambda x: HOLDS.stage.act(x, -1), KEPT),
    "an attribute of the class": (lambda x: HOLDS.in_class(x, -1), KEPT),
    "a partial": (lambda x: HOLDS.partial(x, dtype=None), KEPT),
    "a default": (HOLDS.default, KEPT),
    "a dictionary": (lambda x: ACTIVATIONS["softmax"](x, -1), KEPT),
    "a dictionary of an attribute": (lambda x: HOLDS.functions["softmax"](x, -1), KEPT),
    "a list": (lambda x: [F.softmax][0](x, -1), KEPT),
    "a loop": (lambda x: next(act(x, -1) for act in [F.softmax]), KEPT),
    "map": (lambda x: sum(map(HOLDS.partial, [x])), KEPT),
    "asked for by its name": (lambda x: getattr(F, "softmax")(x, -1), None),  # noqa: B009
}


@pytest.mark.parametrize(("function", "source"), SOFTMAX.values(), ids=SOFTMAX)
def test_where_a_function_in_python_was_looked_up(function: Any, source: str | None) -> None:
    found = [op.caller for op in operators(trace(function)) if op.caller.functions]
    assert found[0] == Caller(("softmax",), False, source=source)


def test_a_module_of_an_enclosing_function_and_a_function_of_it() -> None:
    found = [op.caller.source for op in operators(trace(closure())) if op.caller.functions]
    assert found == [F_, KEPT]


MATMUL: dict[str, tuple[Callable[[torch.Tensor], Any], str | None]] = {
    "a module": (lambda x: torch.matmul(x, x), "torch"),
    "a module that an attribute holds": (lambda x: HOLDS.torch.matmul(x, x), "torch"),
    "a method": (lambda x: x.matmul(x), METHOD),
    "a method of a result": (lambda x: x.view(4, 4).matmul(x), METHOD),
    "a method of an item": (lambda x: x[None][0].matmul(x), METHOD),
    "a method, by its class": (lambda x: torch.Tensor.matmul(x, x), METHOD),
    "an imported name": (lambda x: named_matmul(x, x), KEPT),
    "what a sign stands for": (lambda x: x.__matmul__(x), KEPT),
    "operator": (lambda x: operator.matmul(x, x), "operator"),
    "reduce": (lambda x: functools.reduce(torch.matmul, [x, x]), "functools"),
    "a dictionary": (lambda x: ACTIVATIONS["matmul"](x, x), KEPT),
}


@pytest.mark.parametrize(("function", "source"), MATMUL.values(), ids=MATMUL)
def test_where_a_function_in_c_was_looked_up(function: Any, source: str | None) -> None:
    found = callers(trace(function))["aten.matmul"]
    assert found == Caller((), False, source=source)


def test_sum_begins_with_a_number_and_asks_nobody_for_add() -> None:
    found = trace(lambda x: sum([x, x]))
    assert [op.caller for op in operators(found)] == [Caller((), False, source=KEPT)] * 2


ASKED: list[str] = []


class Asked(nn.Module):
    """A module that runs code when it is asked for an attribute."""

    @property
    def act(self) -> Any:
        ASKED.append("act")
        return F.softmax

    def forward(self, x: torch.Tensor) -> Any:
        return self.act(x, -1)


def test_no_code_of_the_model_is_run_to_find_out() -> None:
    ASKED.clear()
    trace(Asked())
    assert ASKED == ["act"]  # the model did


# Operators that are taken apart ---------------------------------------------------------------------------------------


def test_a_composite_and_its_parts() -> None:
    found = trace(lambda x: (x + 1) @ x)
    (composite,) = found.composites
    assert found.signatures[composite.signature].op == "aten.matmul.default"
    parts = [found.signatures[call.signature].op for call in found.calls[composite.first : composite.last]]
    assert parts == ["aten.mm.default"]
    assert [op.name for op in operators(found)] == ["aten.add", "aten.matmul"]


def test_parts_that_are_composites_are_parts() -> None:
    found = trace(lambda x: torch.einsum("bij,bjk->bik", x, x), (2, 4, 4))
    assert [found.signatures[composite.signature].op for composite in found.composites] == ["aten.einsum.default"]
    assert found.calls[0].caller == found.composites[0].caller


def test_a_composite_belongs_to_the_module_that_runs() -> None:
    found = trace(nn.Sequential(nn.Identity(), Of(lambda x: x @ x)))
    assert [found.modules[op.module].path for op in operators(found)] == ["1"]
    assert {found.modules[row].path for row in running_modules(found)} == {"1"}


# What the output depends on -------------------------------------------------------------------------------------------


class Wasteful(nn.Module):
    """The product is dropped, and so is the sum before it; the doubling is done in place."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ((x + 1) @ x).relu()
        y = x * 2
        y.add_(1)
        return y[0]


def test_calls_that_the_output_does_not_need() -> None:
    found = trace(Wasteful())
    needed = needed_calls(found)
    ops = [found.signatures[call.signature].op.split(".")[1] for call in found.calls]
    assert dict(zip(ops, needed, strict=True)) == {
        "add": False,
        "mm": False,
        "relu": False,
        "mul": True,
        "add_": True,
        "select": True,
    }
    assert [op.short for op in traced_operators(found)] == ["mul", "add_", "select"]


def test_the_storages_of_outputs() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            return {"same": x, "new": [x + 1]}

    found = trace(Two())
    assert [found.storages[index].role for index in found.outputs] == ["input", "activation"]


# Module calls ---------------------------------------------------------------------------------------------------------


def test_keywords_of_a_module_call() -> None:
    class Inner(nn.Module):
        def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return x * scale

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x, scale=x)

    found = trace(Outer())
    assert [call.keywords for call in found.module_calls] == [("scale",), ()]


def test_strides_are_told_where_they_are_not_those_of_rows() -> None:
    found = trace(lambda x: x.T.relu())
    transposed, result = found.signatures[1].args[0], found.signatures[1].output
    assert transposed.strides == (1, 4)  # type: ignore[union-attr]
    assert not transposed.is_contiguous  # type: ignore[union-attr]
    assert result.strides == (1, 4)  # type: ignore[union-attr]
