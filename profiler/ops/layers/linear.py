"""How is a linear layer described, and which parameters should it have? Matrices applied to the last dimension."""

from __future__ import annotations

from profiler.ops.cost import Count, product
from profiler.ops.layers.kind import Arguments, Names, Settings, bias, kind, shape_of, torch_nn
from profiler.records.trace import Value


def _linear(a: Settings, names: Names) -> Count:
    outs = a.number("out_features")
    return product("in out", a.number("in_features"), outs) + bias(names, "out", outs)


def _bilinear(a: Settings, names: Names) -> Count:
    """x1ᵀ A x2 + b, with one matrix A for each output."""
    outs = a.number("out_features")
    matrices = product("in1 in2 out", a.number("in1_features"), a.number("in2_features"), outs)
    return matrices + bias(names, "out", outs)


def _settings(call: Arguments) -> dict[str, Value]:
    """The weight is transposed in a plain matrix product."""
    ins, outs = shape_of(call["weight"])[::-1] if "weight" in call else shape_of(call["mat2"])
    return {"in_features": ins, "out_features": outs}


_OPERATORS = {"aten.linear": "input weight bias", "aten.addmm": "bias input mat2", "aten.mm": "input mat2"}

kind(
    *torch_nn("linear", "Linear"),
    words="{in_features}→{out_features}",
    parameters=_linear,
    operators=_OPERATORS,
    settings=_settings,
)
kind(*torch_nn("linear", "NonDynamicallyQuantizableLinear"), operators=_OPERATORS, settings=_settings)
kind(*torch_nn("linear", "Bilinear"), words="{in1_features}×{in2_features}→{out_features}", parameters=_bilinear)
