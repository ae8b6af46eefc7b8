"""What a trace says of how the model's code came to an operator, and of operators that were taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from profiler import profile
from profiler.conventions.events import needed_calls, operators, running_modules, traced_operators
from profiler.records import Caller, Trace

X = (4, 4)


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
    "function": (lambda x: torch.add(x, x), "add", Caller((), False)),
    "method": (lambda x: x.add(x), "add", Caller((), False)),
    "in place": (lambda x: x.clone().add_(1), "add_", Caller((), False)),
    "in-place sign": (lambda x: x.clone().__iadd__(1), "add_", Caller((), False)),
    "matrix sign": (lambda x: x @ x, "matmul", Caller((), True)),
    "matrix function": (lambda x: torch.matmul(x, x), "matmul", Caller((), False)),
    "minus": (lambda x: -x, "neg", Caller((), True)),
    "reflected": (lambda x: 1 - x, "rsub", Caller((), True)),
    "comparison": (lambda x: x < 1, "lt", Caller((), True)),
    "power": (lambda x: x**2, "pow", Caller((), True)),
    "function in Python": (lambda x: F.softmax(x, -1), "softmax", Caller(("softmax",), False)),
    "method of the same name": (lambda x: x.softmax(-1), "softmax", Caller((), False)),
    "function that is not in Python": (F.gelu, "gelu", Caller((), False)),
    "dispatched by a flag": (lambda x: F.max_pool2d(x[None], 2), "max_pool2d", Caller(("_max_pool2d",), False)),
    "function inside a function": (
        lambda x: F.upsample(x[None, None], scale_factor=2),
        "upsample_nearest2d",
        Caller(("interpolate", "upsample"), False),
    ),
    "of torch.functional": (lambda x: torch.einsum("ij,jk->ik", x, x), "einsum", Caller(("einsum",), False)),
}


@pytest.mark.filterwarnings("ignore:.*upsample")
@pytest.mark.parametrize(("function", "operator", "expected"), CALLERS.values(), ids=CALLERS)
def test_callers(function: Callable[[torch.Tensor], Any], operator: str, expected: Caller) -> None:
    assert callers(trace(function))[f"aten.{operator}"] == expected


def test_functions_that_a_layer_goes_through() -> None:
    found = trace(nn.Sequential(nn.ReLU(), nn.Softmax(-1), nn.Sigmoid()))
    assert callers(found) == {
        "aten.relu": Caller(("relu",), False),
        "aten.softmax": Caller(("softmax",), False),
        "aten.sigmoid": Caller((), False),
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
        ("linear", Caller((), False)),
        ("linear", Caller((), False, is_enclosed=True)),
        ("relu", Caller(("relu",), False, is_enclosed=True)),
        ("mul", Caller((), True, is_enclosed=True)),
        ("linear", Caller((), False)),
        ("sigmoid", Caller((), False)),
    ]
    assert [op.short for op in traced_operators(found)] == ["linear", "linear", "sigmoid"]


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
